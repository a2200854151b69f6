"""Which values does a function bring along? None, if it is to be a stage: what it uses comes in as an argument.

Looked at are closures, defaults, what is bound by a partial or by a method's object, attributes of functions, and the
variables of modules that the function names, or that functions of this package name which it names. There may be code
(modules, classes, functions) and, in modules, plain constants: numbers and strings, also in tuples, since these were
there before any row. A list, set or dictionary may have been filled since, so only code may be in it. Not looked into
are classes, modules of other packages, what a cached function has answered, and what is imported inside a function.
"""

from __future__ import annotations

import enum
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from synth.dp.events import PrivacyError

_CODE = (type, types.ModuleType, np.ufunc, type(np.mean), TypeVar)
_CONSTANTS = (bool, int, float, complex, str, bytes, np.generic, np.dtype, enum.Enum)
_OURS = __name__.partition(".")[0]


def refuse_captured(stage: str, function: Callable[..., Any]) -> None:
    """Refuse a function that brings anything but code and, in modules, plain constants.

    Raises
    ------
    PrivacyError
        Names the type of what was found.
    """
    for value in _brought(function, False, {}):
        raise PrivacyError(
            f"the function of stage {stage} captures a {type(value).__name__}: pass it as an argument, so that its "
            "sources are known"
        )


def _brought(value: Any, constant: bool, seen: dict[tuple[int, bool], Any]) -> Iterator[Any]:
    """What of a captured value is neither code nor, where it stands as a ``constant`` in a module, a plain one."""
    if value is None or isinstance(value, _CODE) or (constant and isinstance(value, _CONSTANTS)):
        return
    if isinstance(value, _CONSTANTS):
        yield value
        return
    if (id(value), constant) in seen:
        return
    seen[id(value), constant] = value
    if isinstance(value, types.FunctionType):
        yield from _brought_by(value, seen)
    elif isinstance(value, functools.partial):
        yield from _brought((value.func, *value.args, *value.keywords.values()), False, seen)
    elif callable(value) and hasattr(value, "__self__"):  # a method, in Python or not
        yield from _brought((value.__self__, getattr(value, "__func__", None)), constant, seen)
    elif isinstance(value, functools._lru_cache_wrapper):  # a function whose answers are kept
        yield from _brought(value.__wrapped__, constant, seen)
    elif isinstance(value, tuple | frozenset):
        for each in value:
            yield from _brought(each, constant, seen)
    elif isinstance(value, list | set | dict):  # may have been filled while the program ran
        for each in value:  # keys of a registry are names
            yield from _brought(each, constant and isinstance(value, dict), seen)
        for each in value.values() if isinstance(value, dict) else ():
            yield from _brought(each, False, seen)
    else:
        yield value


def _brought_by(function: types.FunctionType, seen: dict[tuple[int, bool], Any]) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        yield from _brought(_contents(cell), False, seen)
    made_at_import = "<locals>" not in function.__qualname__
    for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield from _brought(default, made_at_import, seen)
    for attribute in vars(function).values():
        yield from _brought(attribute, False, seen)
    names = set(_names(function.__code__))
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        if isinstance(value, types.FunctionType) and not _ours(value.__globals__.get("__name__")):
            continue  # of a library
        yield from _brought(value, True, seen)
        if isinstance(value, types.ModuleType) and _ours(value.__name__):
            for inner in sorted(names & vars(value).keys()):
                yield from _brought(vars(value)[inner], True, seen)


def _names(code: types.CodeType) -> Iterator[str]:
    """Names that code and the functions within it look up."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _names(inner)


def _ours(module: Any) -> bool:
    return str(module).partition(".")[0] == _OURS


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is bound later
        return None
