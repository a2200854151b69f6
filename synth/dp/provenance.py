"""Where did a value come from? Every value carries the ids of the mechanisms behind it, or that it saw raw rows.

The claim of a release holds only if nothing in it has RAW among its sources. The rules that make the easy path the
right one:

- stages are functions of their arguments, run by :func:`flow` (or marked :func:`stage`); what comes out has the
  sources of everything that went in, also of what was nested in lists, tuples and mappings;
- an array, a frame or a tensor enters a stage only inside a :class:`Traced`: bare ones are refused as an argument, as
  a default and as a captured variable, since through these a raw array could come in unseen. What is public by nature
  (a dictionary's levels) is marked so by :func:`public`, a word that is easy to search for;
- whatever was once in a :class:`Traced` is remembered while it lives: taken out by ``value`` and passed on bare, also
  inside another object or as a view of an array, it still brings its sources; captured, it is refused;
- arrays in a :class:`Traced` are made read-only, so nothing can be written into them later.

This guards against accidents, not against a programmer who means to lie.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from synth.dp.events import PrivacyError

RAW = "raw rows"

T = TypeVar("T")
P = ParamSpec("P")

_ATOMS = (bool, int, float, complex, str, bytes, type, types.ModuleType, np.generic, np.dtype, np.random.Generator)
_BULK = ("numpy", "pandas", "torch", "scipy", "polars", "pyarrow")


@dataclass(frozen=True, eq=False)
class Traced(Generic[T]):
    """A value and the sources it was made from: event ids, RAW, or nothing for a public value."""

    value: T
    sources: frozenset[str]

    def __post_init__(self) -> None:
        if isinstance(self.value, Traced):
            raise PrivacyError("a traced value cannot hold another one: unite them with flow")
        _freeze(self.value)
        remember(self.value, self.sources)

    @property
    def tainted(self) -> bool:
        """Did raw rows reach this value by a path that was not charged?"""
        return RAW in self.sources

    def __repr__(self) -> str:
        return f"Traced({type(self.value).__name__} from {', '.join(sorted(self.sources)) or 'public facts'})"


def public(value: T) -> Traced[T]:
    """A value known without the rows: from the dictionary, the policy or the plan."""
    return Traced(value, frozenset())


def flow(stage: str, function: Callable[..., T], *values: Any, **named: Any) -> Traced[T]:
    """Run a stage and give its result the sources of everything that went in.

    Parameters
    ----------
    stage : str
        Name of the stage, for messages.
    function : callable
        Gets the plain values. It captures no array, frame, tensor, traced value or sealed table.
    values, named :
        Traced values, also nested in lists, tuples and mappings; or plain scalars, strings and small public objects.

    Raises
    ------
    PrivacyError
        An array, frame or tensor came in bare or was captured.
    """
    _refuse_captured(stage, function)
    plain, sources = unwrap(stage, values)
    plain_named, sources_named = unwrap(stage, named)
    result, sources_inside = unwrap(stage, function(*plain, **plain_named), bulk=True)
    return Traced(result, sources | sources_named | sources_inside)


def stage(name: str) -> Callable[[Callable[P, T]], Callable[..., Traced[T]]]:
    """Decorator: calling the function is a :func:`flow` of that name."""

    def marked(function: Callable[P, T]) -> Callable[..., Traced[T]]:
        @functools.wraps(function)
        def run(*values: Any, **named: Any) -> Traced[T]:
            return flow(name, function, *values, **named)

        return run

    return marked


def unwrap(stage: str, value: Any, *, bulk: bool = False) -> tuple[Any, frozenset[str]]:
    """The plain value behind traced ones, nested as they are, and the union of their sources.

    What was traced before brings its sources along even when it comes bare; ``bulk`` lets other bare arrays pass.

    Raises
    ------
    PrivacyError
        Something bulky (array, frame, tensor, sealed table) is not traced.
    """
    if isinstance(value, Traced):
        return value.value, value.sources
    if isinstance(value, list | tuple):
        parts = [unwrap(stage, each, bulk=bulk) for each in value]
        plain = [each for each, _ in parts]
        return (plain if isinstance(value, list) else _tuple_like(value, plain)), _union(each for _, each in parts)
    if isinstance(value, Mapping):
        named = {key: unwrap(stage, each, bulk=bulk) for key, each in value.items()}
        return {key: each for key, (each, _) in named.items()}, _union(each for _, each in named.values())
    known = _remembered(value)
    if known is None and not bulk and _is_bulk(value):
        raise PrivacyError(
            f"stage {stage} got a bare {type(value).__name__}: pass what a stage or a mechanism returned, or mark it "
            "public if it is known without the rows"
        )
    return value, known or frozenset()


def remember(value: Any, sources: frozenset[str]) -> None:
    """From now on ``value``, and arrays, frames and tensors in it, bring these sources wherever they turn up bare."""
    for part in _parts(value):
        if part is not value and not _is_bulk(part):
            continue  # a dictionary that a model keeps stays public
        try:
            _KNOWN[id(part)] = (weakref.ref(part, _forget(id(part))), sources | (_sources_of(part) or frozenset()))
        except TypeError:  # numbers, strings, tuples: nothing to hold on to
            continue


def refuse_captured(stage: str, function: Callable[..., Any]) -> None:
    """Refuse a function that holds an array, frame, tensor, traced value or sealed table of its own."""
    _refuse_captured(stage, function)


def _refuse_captured(stage: str, function: Any) -> None:
    seen: list[Any] = []
    while isinstance(function, functools.partial):
        seen += [*function.args, *function.keywords.values()]
        function = function.func
    if isinstance(function, types.MethodType):
        seen.append(function.__self__)
        seen += vars(function.__self__).values() if hasattr(function.__self__, "__dict__") else []
        function = function.__func__
    if isinstance(function, types.FunctionType):
        seen += [_contents(cell) for cell in function.__closure__ or ()]
        seen += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        seen += [function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__]
    for value in seen:
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, Traced) or _is_bulk(each) or _remembered(each):
                raise PrivacyError(
                    f"the function of stage {stage} captures a {type(each).__name__}: pass it as an argument, so that "
                    "its sources are known"
                )


_KNOWN: dict[int, tuple[weakref.ref[Any], frozenset[str]]] = {}
_DEPTH = 4


def _forget(key: int) -> Callable[[weakref.ref[Any]], None]:
    return lambda _: _KNOWN.pop(key, None) and None


def _sources_of(part: Any) -> frozenset[str] | None:
    held = _KNOWN.get(id(part))
    return held[1] if held is not None and held[0]() is part else None


def _remembered(value: Any) -> frozenset[str] | None:
    """Sources of ``value`` and of all it holds; None if nothing of it was ever traced."""
    found = [sources for part in _parts(value) if (sources := _sources_of(part)) is not None]
    return _union(found) if found else None


def _parts(value: Any, depth: int = _DEPTH) -> Iterator[Any]:
    """The value, what it is a view of, and what its containers, fields and attributes hold."""
    if value is None or isinstance(value, _ATOMS):
        return
    yield value
    inner: Iterable[Any] = ()
    if isinstance(value, np.ndarray):
        inner = () if value.base is None else (value.base,)
    elif isinstance(value, Traced):
        inner = (value.value,)
    elif isinstance(value, list | tuple | set | frozenset):
        inner = value
    elif isinstance(value, Mapping):
        inner = value.values()
    elif not _is_bulk(value) and hasattr(value, "__dict__") and not callable(value):
        inner = list(vars(value).values())
    if depth:
        for each in inner:
            yield from _parts(each, depth - 1)


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is bound later
        return None


def _is_bulk(value: Any) -> bool:
    """Could this hold rows? Arrays, frames, series, indexes, tensors; not generators of random numbers, not scalars."""
    if getattr(type(value), "holds_rows", False):
        return True
    if isinstance(value, type | np.generic) or not (hasattr(value, "shape") or hasattr(value, "iloc")):
        return False
    return type(value).__module__.partition(".")[0] in _BULK


def _freeze(value: Any) -> None:
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    elif isinstance(value, list | tuple):
        for each in value:
            _freeze(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            _freeze(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            _freeze(getattr(value, field.name, None))


def _tuple_like(value: tuple[Any, ...], parts: list[Any]) -> tuple[Any, ...]:
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)


def _union(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*parts)
