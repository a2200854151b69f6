"""What does each cell of a column mean under its dictionary entry? Text in, one typed value per row out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gateway.intake.errors import Problem
from gateway.intake.raw import Cells
from policies import Column

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
EXACT = 2.0**53  # whole numbers beyond are not all doubles
_GRID = 2.0**49  # in units of the last decimal; beyond, rounding error reaches a quarter of it
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(r"([+-]?\d+)\.0+", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?)?", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.0+)?)?", re.ASCII)
_CORRECT = "correct them, or add their spelling to missing"


@dataclass(frozen=True)
class Typed:
    """One value per row: float64 (NaN missing), category codes (-1 missing), or datetime64[s] (NaT missing).

    ``refused`` marks the rows whose cell has no meaning here; they hold the missing value and are told in ``problems``.
    """

    values: NDArray[Any]
    refused: NDArray[np.bool_]
    problems: tuple[Problem, ...]


def type_cells(name: str, cells: Cells, column: Column, missing: Collection[str]) -> Typed:
    """The typed values of a released column.

    Spellings are matched exactly, with one leniency, because many writers turn a whole number with gaps into a
    decimal one: ``5.0`` stands for a category or missing spelling ``5`` and the other way round, where exactly one
    such spelling is declared. Leading zeros and signs are never touched: ``07`` is not ``7``. In a numeric column a
    number equal to a missing spelling is missing. Dates are ISO 8601; a date column takes midnight too.
    """
    if column.is_categorical:
        return _categories(name, cells, column, missing)
    if column.type in ("date", "datetime"):
        return _dates(name, cells, column, missing)
    return _numbers(name, cells, column, missing)


def with_point(text: str) -> str:
    """``2.5`` for ``2,5``, as numbers are written with a decimal comma.

    A number with a point may be thousands there (``1.234``) or a slip: it is put into brackets, so that it is no number
    and the custodian is told.
    """
    if _DECIMAL_COMMA.fullmatch(text):
        return text.replace(",", ".")
    return f"({text})" if "." in text and numbers([text])[1].all() else text


def whole(text: str) -> str:
    """``5`` for ``5.0``; any other text as it is."""
    match = _WHOLE.fullmatch(text)
    return text if match is None else match[1]


def numbers(spellings: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The value of each spelling, and whether it is a number at all (NaN where it is not)."""
    texts = pa.array(list(spellings), pa.large_string())
    is_number = pc.match_substring_regex(texts, NUMBER)
    values = np.full(len(spellings), np.nan)
    mask: NDArray[np.bool_] = is_number.to_numpy(zero_copy_only=False)
    values[mask] = pc.cast(texts.filter(is_number), pa.float64()).to_numpy(zero_copy_only=False)
    return values + 0.0, mask  # no negative zero: it would print as another number


def moments(spellings: Sequence[str], *, with_time: bool) -> NDArray[np.datetime64]:
    """The ISO 8601 date or local time of each spelling in seconds; NaT where it is none."""
    read = _second if with_time else _day
    found = [np.datetime64("NaT") if (moment := read(text)) is None else moment for text in spellings]
    return np.array(found, dtype="datetime64[s]")


def snap(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    """Values that differ from a number of that many decimals only by floating point, made that number; others kept."""
    scaled, off = _off_grid(values, decimals)
    near = (off <= _slack(scaled)) & (np.abs(scaled) < _GRID)
    return np.where(near, np.rint(scaled) / 10.0**decimals, values) + 0.0


def finer(values: NDArray[np.float64], decimals: int) -> NDArray[np.bool_]:
    """Whether each value has more decimals than that; never so for NaN or where a double has none left to show."""
    scaled, off = _off_grid(values, decimals)
    return (off > _slack(scaled)) & (np.abs(scaled) < _GRID)


def _off_grid(values: NDArray[np.float64], decimals: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = values * 10.0**decimals
        return scaled, np.abs(scaled - np.rint(scaled))


def _slack(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1e-9, 2 * np.finfo(np.float64).eps * np.abs(scaled))


def _numbers(name: str, cells: Cells, column: Column, missing: Collection[str]) -> Typed:
    values, is_number = numbers(cells.spellings)
    absent_values = [v for v in numbers(sorted(missing))[0] if np.isfinite(v)]
    absent = _among(cells.spellings, missing) | np.isin(values, absent_values)
    not_finite = ~absent & np.where(is_number, ~np.isfinite(values), _that(cells.spellings, _NOT_FINITE.fullmatch))
    no_number = ~absent & ~is_number & ~not_finite
    values[absent | not_finite] = np.nan
    if column.decimals is not None:
        values = snap(values, column.decimals)
    problems = []
    if rows := _rows(cells, not_finite):
        problems.append(Problem("a number that is not finite", _CORRECT, name, rows))
    if rows := _rows(cells, no_number):
        commas = _rows(cells, no_number & _that(cells.spellings, _COMMA.fullmatch))
        hint = f"{_spaced(cells, no_number)}{f'{commas} have a decimal comma; ' if commas else ''}"
        problems.append(Problem("not a number", hint + _CORRECT, name, rows))
    return _laid_out(cells, values, np.nan, not_finite | no_number, problems)


def _categories(name: str, cells: Cells, column: Column, missing: Collection[str]) -> Typed:
    declared = column.categories or ()
    exact = {category: i for i, category in enumerate(declared)}
    lenient = _unambiguous([(whole(category), i) for category, i in exact.items()])
    if cells.native == "boolean":
        by_case = _unambiguous([(category.casefold(), i) for category, i in exact.items()])
        lenient = {"false": 0, "true": 1} if column.type == "boolean" else by_case
    absent_whole = {whole(text) for text in missing}

    def _code(text: str) -> int:
        if text in exact:
            return exact[text]
        if text in missing:
            return -1
        short = whole(text)
        return lenient.get(short, -1 if short in absent_whole else -2)

    codes = np.array([_code(text) for text in cells.spellings], dtype=np.int64)
    outside = codes == -2
    problems = []
    if rows := _rows(cells, outside):
        advice = "correct them, or add the category (or a missing spelling) to the dictionary"
        problems.append(
            Problem("a category the dictionary does not list", _spaced(cells, outside) + advice, name, rows)
        )
    return _laid_out(cells, np.maximum(codes, -1), -1, outside, problems)


def _dates(name: str, cells: Cells, column: Column, missing: Collection[str]) -> Typed:
    absent = _among(cells.spellings, missing)
    values = np.where(absent, np.datetime64("NaT"), moments(cells.spellings, with_time=column.type == "datetime"))
    wrong = np.isnat(values) & ~absent
    problems = []
    if rows := _rows(cells, wrong):
        shape = "YYYY-MM-DD" if column.type == "date" else "YYYY-MM-DDThh:mm:ss, no zone, whole seconds"
        hint = _spaced(cells, wrong)
        problems.append(Problem(f"not a {column.type} in ISO 8601 ({shape})", hint + _CORRECT, name, rows))
    return _laid_out(cells, values, np.datetime64("NaT"), wrong, problems)


def _day(text: str) -> dt.datetime | None:
    match = _DATE.fullmatch(text)
    return None if match is None else _moment(match[1])


def _second(text: str) -> dt.datetime | None:
    match = _TIME.fullmatch(text)
    return None if match is None else _moment(f"{match[1]}T{match[2] or '00:00'}")


def _moment(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def _laid_out(
    cells: Cells, values: NDArray[Any], null: Any, wrong: NDArray[np.bool_], problems: list[Problem]
) -> Typed:
    return Typed(cells.spread(values, null), cells.spread(wrong, False), tuple(problems))


def _rows(cells: Cells, mask: NDArray[np.bool_]) -> int:
    return int(cells.counts[mask].sum())


def _spaced(cells: Cells, wrong: NDArray[np.bool_]) -> str:
    padded = _rows(cells, wrong & _that(cells.spellings, lambda text: text != text.strip()))
    return f"{padded} begin or end with a space; " if padded else ""


def _among(spellings: Sequence[str], wanted: Collection[str]) -> NDArray[np.bool_]:
    return np.array([text in wanted for text in spellings], dtype=np.bool_)


def _that(spellings: Sequence[str], holds: Callable[[str], object]) -> NDArray[np.bool_]:
    return np.array([bool(holds(text)) for text in spellings], dtype=np.bool_)


def _unambiguous(pairs: Sequence[tuple[str, int]]) -> dict[str, int]:
    keys = [key for key, _ in pairs]
    return {key: i for key, i in pairs if keys.count(key) == 1}
