"""Is this the table its dictionary speaks of? Raw text in; typed frame and people out, or every problem at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gateway.intake.cells import Typed, type_cells, with_point
from gateway.intake.checks import check_values, column_dtype
from gateway.intake.errors import IntakeError, Problem
from gateway.intake.formulas import restore
from gateway.intake.raw import Cells, RawTable, name_columns
from policies import Dictionary


@dataclass(frozen=True)
class TypedTable:
    """A table under its dictionary.

    ``frame`` holds the released columns in the dictionary's order: float64 for integer and number, categorical for
    boolean, category and ordinal, datetime64[s] for dates. ``people`` is one integer code per row, 0 to P - 1, naming
    the patient. ``dropped`` are the columns that never leave. ``warnings`` say in words and counts what the later
    steps must cope with; they hold no cell.
    """

    frame: pd.DataFrame
    people: NDArray[np.int64]
    row_count: int
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def people_count(self) -> int:
        return len(np.unique(self.people))

    def take(self, rows: NDArray[np.int64]) -> TypedTable:
        """The part of these rows, renumbered from 0; people keep their codes, so two parts can be told apart."""
        part = self.frame.iloc[rows].reset_index(drop=True)
        return replace(self, frame=part, people=self.people[rows], row_count=len(part))


def type_table(
    raw: RawTable,
    dictionary: Dictionary,
    *,
    minimum_people: int = 1,
    released: bool = False,
    rows_bounded_later: bool = False,
) -> TypedTable:
    """Hold a raw table against its dictionary.

    With ``released`` the table is a candidate or released file: it holds the released columns and the fresh keys of
    identifier columns only, one row is one person unless the patients have fresh keys, and the quote that guards
    formula cells in CSV is taken off. Columns that never leave are not checked,
    but for the patient column. The order of columns in the file does not matter. With ``rows_bounded_later`` more
    rows of a patient than ``max_rows_per_patient`` are no problem: whoever takes the table leaves some out.

    Raises
    ------
    IntakeError
        Every problem found: columns missing or unknown, cells that are not of their type, outside bounds or
        categories, missing where they may not be, row rules broken, rows without a patient, more rows of one patient
        than allowed, fewer than ``minimum_people`` people.
    """
    if released and raw.from_csv:
        raw = restore(raw, dictionary)
    expected = dictionary.leaving if released else tuple(dictionary.columns)
    problems = _column_problems(raw, expected) + _dictionary_problems(dictionary)
    present = [name for name in dictionary.released if name in raw.columns]
    if not present:
        raise IntakeError(problems)
    # a workbook or a database holds numbers as such; only text has a decimal sign of its own
    decimal = dictionary.source.decimal if raw.from_csv and not released else "."
    typed = {name: _typed(name, raw.columns[name], dictionary, decimal) for name in present}
    problems += [problem for column in typed.values() for problem in column.problems]
    people, patient_problems = _people(raw, dictionary, released, rows_bounded_later)
    problems += patient_problems
    if (count := len(np.unique(people))) < minimum_people:
        rule = f"the table holds {count} people, fewer than the {minimum_people} the policy asks for"
        problems.append(Problem(rule, "collect more people before asking for a release"))
    if len(present) < len(dictionary.released):
        raise IntakeError(problems)
    frame = _frame(typed, dictionary)
    problems += check_values(frame, dictionary, {name: column.refused for name, column in typed.items()})
    if problems:
        raise IntakeError(problems)
    dropped = tuple(name for name in dictionary.columns if name in raw.columns and name not in typed)
    return TypedTable(frame, people, raw.row_count, dropped, tuple(_warnings(frame, people, dictionary)))


def type_chunks(chunks: Iterable[RawTable], dictionary: Dictionary) -> Iterator[TypedTable]:
    """Typed tables of successive parts of one table, in the same order; one patient has one code in all of them.

    What can only be told of the whole, such as the rows of one patient, is not checked; a dependency without values
    is held within each part.

    Raises
    ------
    IntakeError
        As for :func:`type_table`, of the first part that has a problem.
    """
    codes: dict[str, int] = {}
    before = 0
    bounded = dictionary.model_copy(update={"max_rows_per_patient": None})
    for raw in chunks:
        table = type_table(raw, bounded)
        if dictionary.patient is None:
            people = table.people + before
        else:
            cells = raw.columns[dictionary.patient]
            place = np.array([codes.setdefault(text, len(codes)) for text in cells.spellings], dtype=np.int64)
            people = place[cells.codes]
        before += table.row_count
        yield replace(table, people=people)


def missing_spellings(name: str, dictionary: Dictionary) -> tuple[str, ...]:
    """Every spelling that means missing in a column: the table's first, then its own."""
    return tuple(dict.fromkeys(dictionary.missing + dictionary.columns[name].missing))


def _column_problems(raw: RawTable, expected: Sequence[str]) -> list[Problem]:
    absent = [name for name in expected if name not in raw.columns]
    unknown = [name for name in raw.columns if name not in expected]
    problems = []
    if absent:
        rule = f"{len(absent)} of the dictionary's {len(expected)} columns are not in the table: {name_columns(absent)}"
        problems.append(Problem(rule, "add them, or remove them from the dictionary"))
    if unknown:
        # the header of a file without header row is a patient: unknown names are told only beside known ones
        is_header = 2 * (len(expected) - len(absent)) >= len(raw.columns) - len(unknown) > 0
        named = name_columns(unknown) if is_header and 2 * len(absent) <= len(expected) else "not named here"
        rule = f"{len(unknown)} of the table's {len(raw.columns)} columns are not in the dictionary ({named})"
        problems.append(Problem(rule, "drop them, describe them, or check that the first row is the header"))
    return problems


def _dictionary_problems(dictionary: Dictionary) -> list[Problem]:
    return [
        Problem("may be missing but no spelling of missing is declared", 'add missing = [""] to the table', name)
        for name in dictionary.released
        if dictionary.columns[name].nullable and not missing_spellings(name, dictionary)
    ]


def _typed(name: str, cells: Cells, dictionary: Dictionary, decimal: str) -> Typed:
    column = dictionary.columns[name]
    if decimal == "," and column.type in ("integer", "number"):
        cells = replace(cells, spellings=tuple(with_point(text) for text in cells.spellings))
    return type_cells(name, cells, column, frozenset(missing_spellings(name, dictionary)))


def _people(
    raw: RawTable, dictionary: Dictionary, released: bool, rows_bounded_later: bool
) -> tuple[NDArray[np.int64], list[Problem]]:
    patient = dictionary.patient
    everyone = np.arange(raw.row_count, dtype=np.int64)
    if patient is None or patient not in raw.columns or (released and patient not in dictionary.surrogates):
        return everyone, []
    cells = raw.columns[patient]
    spellings = missing_spellings(patient, dictionary)
    absent = cells.spread(np.array([text in spellings for text in cells.spellings], dtype=np.bool_), True)
    problems = []
    if rows := int(absent.sum()):
        problems.append(Problem("no patient named", "find out whose rows they are, or remove them", patient, rows))
    people = pd.factorize(cells.codes)[0].astype(np.int64)
    bound = dictionary.max_rows_per_patient
    if bound is not None and not rows_bounded_later:
        over = int((np.bincount(people[~absent]) > bound).sum()) if not absent.all() else 0
        if over:
            rule = f"more rows than max_rows_per_patient allows for {over} patient{'' if over == 1 else 's'}"
            advice = "keep at most that many rows of each beforehand, or raise the bound"
            problems.append(Problem(rule, advice, patient))
    return people, problems


def _frame(typed: dict[str, Typed], dictionary: Dictionary) -> pd.DataFrame:
    columns = {}
    for name in dictionary.released:
        dtype = column_dtype(dictionary.columns[name])
        values = typed[name].values
        if isinstance(dtype, pd.CategoricalDtype):
            columns[name] = pd.Series(pd.Categorical.from_codes(values, dtype=dtype))
        else:
            columns[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(columns)


def _warnings(frame: pd.DataFrame, people: NDArray[np.int64], dictionary: Dictionary) -> list[str]:
    warnings = []
    for name in dictionary.released:
        told = name_columns([name])
        if frame[name].isna().all():
            warnings.append(f"column {told}: every row is missing")
        elif frame[name].nunique(dropna=False) == 1:
            warnings.append(f"column {told}: constant, it holds one value only")
    if dictionary.target is not None:
        target = frame[dictionary.target]
        told = name_columns([dictionary.target])
        held = pd.DataFrame({"class": target.cat.codes.to_numpy(), "person": people}).drop_duplicates()
        per_class = held.loc[held["class"] >= 0, "class"].value_counts()
        if len(per_class) == 1:
            warnings.append(f"target {told}: all rows are of one class")
        if lonely := int((per_class == 1).sum()):
            warnings.append(f"target {told}: {lonely} class{'' if lonely == 1 else 'es'} held by one person only")
        if rows := int(target.isna().sum()):
            warnings.append(f"target {told}: {rows} row{'' if rows == 1 else 's'} without a class")
    if rows := int(frame.duplicated().sum()):
        warnings.append(f"{rows} row{' repeats' if rows == 1 else 's repeat'} an earlier row in every released column")
    return warnings
