"""Does a typed frame keep what its dictionary says: gaps, bounds, whole numbers, decimals, row rules?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gateway.intake.cells import EXACT, finer
from gateway.intake.errors import Problem, refuse
from gateway.intake.raw import name_columns
from policies import Column, Dependency, Dictionary


def column_dtype(column: Column) -> np.dtype[np.float64] | np.dtype[np.datetime64] | pd.CategoricalDtype:
    """The pandas type a released column has in a typed frame."""
    if column.categories is not None:
        return pd.CategoricalDtype(list(column.categories), ordered=column.type in ("ordinal", "boolean"))
    return np.dtype("datetime64[s]") if column.type in ("date", "datetime") else np.dtype(np.float64)


def check_shape(frame: pd.DataFrame, dictionary: Dictionary) -> None:
    """Refuse a frame that is not a typed frame of this dictionary.

    Raises
    ------
    IntakeError
        Other columns than the released ones, another order, index or type.
    """
    if tuple(frame.columns) != dictionary.released:
        raise refuse("the frame does not hold the dictionary's released columns in their order", "select them")
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        raise refuse("the frame's rows are not numbered from 0", "reset its index")
    for name in dictionary.released:
        if frame[name].dtype != column_dtype(dictionary.columns[name]):
            raise refuse("the frame's column is not of the dictionary's type", "use the typed frame", column=name)


def check_values(
    frame: pd.DataFrame, dictionary: Dictionary, refused: Mapping[str, NDArray[np.bool_]] | None = None
) -> list[Problem]:
    """Every rule of the dictionary that a typed frame breaks, with the number of rows; empty when it keeps all.

    ``refused`` marks, per column, rows already told of, so that they are not told again as missing.
    """
    problems: list[Problem] = []
    for name in dictionary.released:
        column = dictionary.columns[name]
        gone = frame[name].isna().to_numpy()
        if refused is not None:
            gone = gone & ~refused[name]
        if not column.nullable and (rows := int(gone.sum())):
            problems.append(Problem("missing", "fill them, or declare nullable = true", name, rows))
        if column.type in ("integer", "number"):
            problems += _number_problems(name, column, frame[name].to_numpy(dtype=np.float64))
        elif column.type in ("date", "datetime"):
            values = frame[name].to_numpy(dtype="datetime64[s]")
            low, high = np.array([column.minimum, column.maximum], dtype="datetime64[s]")
            problems += _bound_problems(name, values < low, values > high)
    for i, rule in enumerate(dictionary.rules, 1):
        if broken := int((~rule.holds(frame)).sum()):
            advice = "correct them, or remove the rule"
            problems.append(Problem(f"row rule {i} of the dictionary broken", advice, None, broken))
    for dependency in dictionary.dependencies:
        if broken := _undetermined(frame, dependency, dictionary):
            wrong = f"not what {name_columns([dependency.source])} determines by the dictionary's dependencies"
            advice = "correct them, or remove the dependency"
            problems.append(Problem(wrong, advice, dependency.determines, broken))
    return problems


def _undetermined(frame: pd.DataFrame, dependency: Dependency, dictionary: Dictionary) -> int:
    """Rows whose cell is another than the usual one of their source's level, or than the declared one."""
    column = dictionary.columns[dependency.determines]
    source = frame[dependency.source].cat.codes.to_numpy().astype(np.int64)
    cells = frame[dependency.determines]
    if column.categories is None:
        found, distinct = pd.factorize(cells)  # missing is -1
        codes = found.astype(np.int64)
        place = {float(value): code for code, value in enumerate(distinct)} if dependency.values else {}
        told = {level: place.get(float(text), -2) for level, text in (dependency.values or {}).items()}
    else:
        codes = cells.cat.codes.to_numpy().astype(np.int64)
        told = {level: column.categories.index(text) for level, text in (dependency.values or {}).items()}
    pairs, rows = np.unique(np.column_stack([source, codes]), axis=0, return_counts=True)
    broken = 0
    for level in np.unique(pairs[:, 0]):
        held, counts = pairs[pairs[:, 0] == level, 1], rows[pairs[:, 0] == level]
        name = (dictionary.columns[dependency.source].categories or ())[level] if level >= 0 else None
        if name in told:
            broken += int(counts[held != told[name]].sum())
        elif dependency.values is None:
            broken += int(counts.sum() - counts.max())
    return broken


def _number_problems(name: str, column: Column, values: NDArray[np.float64]) -> list[Problem]:
    problems = []
    if rows := int(np.isinf(values).sum()):
        problems.append(Problem("a number that is not finite", "correct them", name, rows))
    known = values[np.isfinite(values)]
    if column.type == "integer":
        if rows := int((known != np.rint(known)).sum()):
            problems.append(Problem("not whole", "correct them, or declare type number", name, rows))
        if rows := int((np.abs(known) > EXACT).sum()):
            advice = "declare type identifier or category: such numbers are codes"
            problems.append(Problem("too large to be held exactly", advice, name, rows))
    if column.decimals is not None and (rows := int(finer(known, column.decimals).sum())):
        problems.append(Problem("more decimals than declared", "round them, or raise decimals", name, rows))
    low, high = column.minimum, column.maximum
    if isinstance(low, float) and isinstance(high, float):
        problems += _bound_problems(name, known < low, known > high)
    return problems


def _bound_problems(name: str, below: NDArray[np.bool_], above: NDArray[np.bool_]) -> list[Problem]:
    problems = []
    if rows := int(below.sum()):
        problems.append(Problem("below the declared minimum", "correct them, or lower minimum", name, rows))
    if rows := int(above.sum()):
        problems.append(Problem("above the declared maximum", "correct them, or raise maximum", name, rows))
    return problems
