"""Where did a value come from? Every value carries the ids of the mechanisms behind it, or that it saw raw rows.

The claim of a release holds only if nothing in it has RAW among its sources. Two rules make the easy path the right
one:

- A stage is a function run by :func:`flow` (or marked :func:`stage`). Each of its arguments is a :class:`Traced`, None,
  a numpy generator, or a list or tuple of these; **anything else is refused**, be it an array, a number, a string, a
  dictionary or an object. What is public by nature (a dictionary, a turn of a loop) is marked so by :func:`public`, a
  word that is easy to search for. What comes out has the sources of everything that went in.
- The function brings no value of its own: not in its closure, its defaults, a partial, the object whose method it is,
  nor in variables of modules that it names, or that functions of this package name which it names. Only code (modules,
  classes, functions) may be there and, in modules, plain constants: numbers and strings, also in tuples.

So what a programmer may do without thinking is refused: a count, a mean or a bound of raw rows, a column as a list or a
set, a dictionary or an object that holds some, a default, a variable kept in a module. Besides, whatever was once in a
:class:`Traced` is remembered while it lives. Taken out by ``value`` and passed on bare, also as a view of an array, it
still brings its sources; so it does inside an object that a stage returns or that is called public. Arrays in a
:class:`Traced` are made read-only, so nothing can be written into them later.

Not caught is a programmer who means to lie, and what looks like one: raw values marked :func:`public` after they were
computed (unless they are still the very arrays that were sealed), a generator seeded from rows, a number of a module
that was set while the program ran, what a class, a cached function or a module of another package keeps, a variable
that is imported inside a function, values written into an object that a model keeps, and the flow of control: that a
stage runs at all. Nothing is tracked inside of a charged mechanism,
whose code sees rows by its nature, and **tracking starts where the table is sealed**: what was done to rows before, and
what a custodian who saw them wrote into a dictionary, cannot be known here.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from synth.dp.captures import refuse_captured
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

    def part(self, path: str) -> Traced[Any]:
        """An attribute of the value, by its dotted path, with the sources of the whole."""
        return Traced(operator.attrgetter(path)(self.value), self.sources)

    def each(self) -> list[Traced[Any]]:
        """The members of the value, each with the sources of the whole."""
        members: Any = self.value
        return [Traced(member, self.sources) for member in members]

    def __repr__(self) -> str:
        return f"Traced({type(self.value).__name__} from {', '.join(sorted(self.sources)) or 'public facts'})"


def public(value: T) -> Traced[T]:
    """A value known without the rows: from the dictionary, the policy or the plan.

    What was traced before keeps its sources: it does not become public by being called so.
    """
    return Traced(value, _remembered(value) or frozenset())


def flow(stage: str, function: Callable[..., T], *values: Any, **named: Any) -> Traced[T]:
    """Run a stage and give its result the sources of everything that went in.

    Parameters
    ----------
    stage : str
        Name of the stage, for messages.
    function : callable
        Gets the plain values. It brings none of its own.
    values, named :
        Traced values, None and numpy generators, also nested in lists and tuples.

    Raises
    ------
    PrivacyError
        Something else came in, or was captured.
    """
    refuse_captured(stage, function)
    plain, sources = unwrap(stage, values)
    plain_named = {name: unwrap(stage, each) for name, each in named.items()}
    result, inside = gathered(function(*plain, **{name: each for name, (each, _) in plain_named.items()}))
    return Traced(result, sources | inside | _union(each for _, each in plain_named.values()))


def stage(name: str) -> Callable[[Callable[P, T]], Callable[..., Traced[T]]]:
    """Decorator: calling the function is a :func:`flow` of that name."""

    def marked(function: Callable[P, T]) -> Callable[..., Traced[T]]:
        @functools.wraps(function)
        def run(*values: Any, **named: Any) -> Traced[T]:
            return flow(name, function, *values, **named)

        return run

    return marked


def unwrap(stage: str, value: Any) -> tuple[Any, frozenset[str]]:
    """The plain value behind traced ones, nested in lists and tuples as they are, and the union of their sources.

    An array, frame or object that was traced before brings its sources along even when it comes bare.

    Raises
    ------
    PrivacyError
        Something is not traced, and neither None nor a numpy generator.
    """
    if isinstance(value, Traced):
        return value.value, value.sources
    if value is None or isinstance(value, np.random.Generator):
        return value, frozenset()
    if isinstance(value, list | tuple):
        parts = [unwrap(stage, each) for each in value]
        return _like(value, [each for each, _ in parts]), _union(each for _, each in parts)
    known = _sources_of(value)
    if known is None:
        raise PrivacyError(
            f"stage {stage} got a bare {type(value).__name__}: pass what a stage or a mechanism returned, or mark it "
            "public if it is known without the rows"
        )
    return value, known


def gathered(result: Any) -> tuple[Any, frozenset[str]]:
    """What a function returned, traced values in it made plain, and the sources of all that was traced before."""
    if isinstance(result, Traced):
        return result.value, result.sources
    if isinstance(result, list | tuple):
        parts = [gathered(each) for each in result]
        return _like(result, [each for each, _ in parts]), _union(each for _, each in parts)
    if isinstance(result, Mapping):
        named = {key: gathered(each) for key, each in result.items()}
        return {key: each for key, (each, _) in named.items()}, _union(each for _, each in named.values())
    return result, _remembered(result) or frozenset()


def remember(value: Any, sources: frozenset[str]) -> None:
    """From now on ``value``, and arrays, frames and tensors in it, bring these sources wherever they turn up bare."""
    for part in _parts(value):
        if part is not value and not _is_bulk(part):
            continue  # a dictionary that a model keeps stays public
        try:
            _KNOWN[id(part)] = (weakref.ref(part, _forget(id(part))), sources | (_held(part) or frozenset()))
        except TypeError:  # numbers, strings, tuples: nothing to hold on to
            continue


_KNOWN: dict[int, tuple[weakref.ref[Any], frozenset[str]]] = {}
_DEPTH = 4


def _forget(key: int) -> Callable[[weakref.ref[Any]], None]:
    return lambda _: _KNOWN.pop(key, None) and None


def _held(part: Any) -> frozenset[str] | None:
    if isinstance(part, Traced):
        return part.sources
    held = _KNOWN.get(id(part))
    return held[1] if held is not None and held[0]() is part else None


def _sources_of(value: Any) -> frozenset[str] | None:
    """Sources of ``value`` or of what it is a view of; None if it was never traced."""
    known = _held(value)
    while known is None and isinstance(value, np.ndarray) and value.base is not None:
        value = value.base
        known = _held(value)
    return known


def _remembered(value: Any) -> frozenset[str] | None:
    """Sources of ``value`` and of all it holds; None if nothing of it was ever traced."""
    found = [sources for part in _parts(value) if (sources := _held(part)) is not None]
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


def _like(value: list[Any] | tuple[Any, ...], parts: list[Any]) -> Any:
    if isinstance(value, list):
        return parts
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)


def _union(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*parts)
