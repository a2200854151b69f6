"""The data dictionary: what is publicly true of a table (DESIGN 3)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from policies.model import Identifier, Line, Strict
from policies.rules import RowRule

ColumnType = Literal["integer", "number", "boolean", "category", "ordinal", "date", "datetime", "identifier", "text"]
Role = Literal["identifier", "quasi_identifier", "sensitive", "ordinary"]
Fact = Literal["minimum", "maximum", "categories", "nullable", "decimals", "type", "missing", "per_patient"]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]

BOUNDED: frozenset[str] = frozenset({"integer", "number", "date", "datetime"})
CATEGORICAL: frozenset[str] = frozenset({"boolean", "category", "ordinal"})
NEVER_RELEASED: frozenset[str] = frozenset({"identifier", "text"})


class Column(Strict):
    """One column: its type, domain and role.

    ``minimum``/``maximum`` are inclusive, in the column's own unit; ``categories`` are spellings as they stand in the
    file, in order for ``ordinal``, false before true for ``boolean``. ``from_data`` names the facts that were read off
    the table instead of being known: DP mode refuses them (I-3). ``surrogate`` asks for an identifier column of fresh
    random keys in the release: one per synthetic person in the patient column, one per row in any other.
    ``per_patient`` says that the cell is one and the same in all rows of a patient (sex, place of birth): where
    synthetic patients have several rows it is the same in all of theirs. Real rows that differ are not refused.
    """

    type: ColumnType
    minimum: float | dt.datetime | dt.date | None = None
    maximum: float | dt.datetime | dt.date | None = None
    categories: tuple[Annotated[str, StringConstraints(max_length=200)], ...] | None = None
    decimals: Annotated[int, Field(ge=0, le=12)] | None = None
    unit: Line | None = None
    description: Line | None = None
    role: Role = "ordinary"
    nullable: bool = False
    missing: tuple[str, ...] = ()
    from_data: tuple[Fact, ...] = ()
    surrogate: bool = False
    per_patient: bool = False

    @model_validator(mode="after")
    def _domain_fits_type(self) -> Self:
        if self.type in BOUNDED:
            self._check_bounds()
        elif self.minimum is not None or self.maximum is not None:
            raise ValueError(f"minimum and maximum do not go with type {self.type}")
        if self.type in CATEGORICAL:
            self._check_categories()
        elif self.categories is not None:
            raise ValueError(f"categories do not go with type {self.type}")
        if self.decimals is not None and self.type != "number":
            raise ValueError(f"decimals do not go with type {self.type}")
        if self.surrogate and self.type != "identifier":
            raise ValueError("surrogate goes with type identifier only")
        if self.per_patient and not self.is_released:
            raise ValueError("per_patient goes with released columns only")
        return self

    def _check_bounds(self) -> None:
        low, high = self.minimum, self.maximum
        if low is None or high is None:
            raise ValueError(f"type {self.type} needs minimum and maximum (what is possible, not what was seen)")
        expected: dict[str, type] = {"integer": float, "number": float, "date": dt.date, "datetime": dt.datetime}
        for bound in (low, high):
            wanted = expected[self.type]
            fits = type(bound) is dt.date if wanted is dt.date else isinstance(bound, wanted)
            if not fits:
                raise ValueError(f"minimum and maximum of type {self.type} must be of that type")
            if isinstance(bound, dt.datetime) and bound.tzinfo is not None:
                raise ValueError("datetime bounds are local times, without an offset")
        if self.type == "integer" and not all(float(b).is_integer() for b in (low, high) if isinstance(b, float)):
            raise ValueError("minimum and maximum of an integer column must be whole")
        if not low < high:  # type: ignore[operator]  # both are of the one type checked above
            raise ValueError("minimum must be below maximum; a column with one possible value is a category")

    def _check_categories(self) -> None:
        if not self.categories:
            raise ValueError(f"type {self.type} needs categories")
        if len(set(self.categories)) != len(self.categories):
            raise ValueError("categories are listed twice")
        if self.type == "boolean" and len(self.categories) != 2:
            raise ValueError("boolean needs exactly two categories, false before true")
        if set(self.categories) & set(self.missing):
            raise ValueError("a spelling is both a category and missing")

    @property
    def is_released(self) -> bool:
        """Whether a synthetic counterpart of the column leaves the custodian."""
        return self.type not in NEVER_RELEASED and self.role != "identifier"

    @property
    def is_categorical(self) -> bool:
        return self.type in CATEGORICAL


class Source(Strict):
    """How the source of the real table is written: confirmed by the custodian, never guessed while reading.

    ``delimiter``, ``quote``, ``encoding`` and ``decimal`` are of delimited text. ``sheet`` names a sheet of a workbook,
    the first by default. A database is read by ``table`` (with or without its schema) or by one ``query``, whose
    ``:name`` are bound to ``parameters``. Released files are always comma-separated UTF-8 with points.
    """

    delimiter: Literal[",", ";", "\t", "|"] = ","
    quote: Literal['"', "'"] = '"'
    encoding: Literal["utf-8", "utf-16", "windows-1252", "iso-8859-1", "iso-8859-15"] = "utf-8"
    decimal: Literal[".", ","] = "."
    sheet: Annotated[str, StringConstraints(min_length=1, max_length=31)] | None = None
    table: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    query: Annotated[str, StringConstraints(min_length=1, max_length=10_000)] | None = None
    parameters: dict[Identifier, bool | int | float | str | dt.datetime | dt.date] | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if self.table is not None and self.query is not None:
            raise ValueError("a database is read by a table or by a query, not both")
        if self.decimal == self.delimiter:
            raise ValueError("a decimal comma and a comma as delimiter cannot be told apart")
        if self.parameters and self.query is None:
            raise ValueError("parameters go with a query")
        return self


class Dependency(Strict):
    """A functional dependency: the cell of ``source`` determines that of ``determines`` in every row.

    ``values`` says which cell goes with which, by the spellings of a categorical source and of a categorical or numeric
    column; a source that is not listed leaves the column free. Without it the pairs are learned from the table, which
    DP mode refuses.
    """

    source: ColumnName
    determines: ColumnName
    values: dict[str, str] | None = None

    @model_validator(mode="after")
    def _two_columns(self) -> Self:
        if self.source == self.determines:
            raise ValueError("a column cannot determine itself")
        if self.values is not None and not self.values:
            raise ValueError("values lists no pair; leave it out to have the pairs learned")
        return self


class Dictionary(Strict):
    """Every column a table may hold; a column that is not here is refused at intake.

    ``people`` is roughly how many patients the table holds, as publicly known (from a catalogue or a paper, not counted
    for the purpose): DP mode plans its budget by it. ``max_rows_per_patient`` bounds one patient's contribution.
    """

    version: Literal[1]
    name: Identifier
    description: Line | None = None
    target: ColumnName | None = None
    patient: ColumnName | None = None
    max_rows_per_patient: Annotated[int, Field(ge=1)] | None = None
    people: Annotated[int, Field(ge=1)] | None = None
    missing: tuple[str, ...] = ("",)
    columns: dict[ColumnName, Column]
    rules: tuple[RowRule, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    source: Source = Source()

    @model_validator(mode="after")
    def _dependencies_fit(self) -> Self:
        released = set(self.released)
        determined = [each.determines for each in self.dependencies]
        if len(set(determined)) != len(determined):
            raise ValueError("a column is determined by two others; name one")
        for each in self.dependencies:
            if not {each.source, each.determines} <= released:
                raise ValueError(f"dependency names columns that are not released: {each.source}, {each.determines}")
            if each.source in determined:
                raise ValueError(f"{each.source} both determines and is determined; name its own source instead")
            if not self.columns[each.source].is_categorical:
                raise ValueError(f"{each.source} determines another column: it must be boolean, category or ordinal")
            if each.determines == self.target:
                raise ValueError("the target cannot be determined by another column")
            if each.source == self.target and each.values is None:
                raise ValueError(f"what the target determines must be stated: give the values of {each.determines}")
            self._check_values(each)
        return self

    def _check_values(self, dependency: Dependency) -> None:
        if dependency.values is None:
            return
        source, column = self.columns[dependency.source], self.columns[dependency.determines]
        if not set(dependency.values) <= set(source.categories or ()):
            raise ValueError(f"dependency of {dependency.determines}: values must list categories of its source")
        if column.categories is not None:
            fits = set(dependency.values.values()) <= set(column.categories)
        elif column.type in ("integer", "number"):
            fits = all(_lies_within(text, column) for text in dependency.values.values())
        else:
            raise ValueError(f"dependency of {dependency.determines}: values go with categories and numbers only")
        if not fits:
            raise ValueError(f"dependency of {dependency.determines}: a value is outside the column's domain")

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        released = self.released
        if not released:
            raise ValueError("no column is released: every one is an identifier or text")
        if self.target is not None:
            if self.target not in released:
                raise ValueError("target names no released column")
            if not self.columns[self.target].is_categorical:
                raise ValueError("target must be boolean, category or ordinal")
        if self.patient is not None and self.patient not in self.columns:
            raise ValueError("patient names no column")
        if self.patient is not None and self.patient in released:
            raise ValueError("the patient column must have type or role identifier: it is never released")
        if self.max_rows_per_patient is not None and self.patient is None:
            raise ValueError("max_rows_per_patient needs patient")
        if self.patient is None and (told := [name for name in released if self.columns[name].per_patient]):
            raise ValueError(f"per_patient of {len(told)} columns needs patient: {sorted(told)}")
        for name, column in self.columns.items():
            if column.categories is not None and set(column.categories) & set(self.missing):
                raise ValueError(f"column {name}: a category is also a table-wide missing spelling")
        numeric = {name for name in released if self.columns[name].type in ("integer", "number", "date", "datetime")}
        for rule in self.rules:
            unknown = rule.columns - numeric
            if unknown:
                raise ValueError(f"rule uses columns that are not released numbers or dates: {sorted(unknown)}")
            for left, _, right in rule.clauses:
                kinds = {
                    self.columns[side].type in ("date", "datetime") if side in numeric else False
                    for side in (left, right)
                }
                if len(kinds) > 1:
                    raise ValueError("rule compares a date with a number; compare dates with dates")
        return self

    @property
    def released(self) -> tuple[str, ...]:
        """Names of the columns that leave, in file order."""
        return tuple(name for name, column in self.columns.items() if column.is_released)

    @property
    def quasi_identifiers(self) -> tuple[str, ...]:
        return tuple(name for name in self.released if self.columns[name].role == "quasi_identifier")

    @property
    def sensitive(self) -> tuple[str, ...]:
        return tuple(name for name in self.released if self.columns[name].role == "sensitive")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What an attacker wants to learn: the sensitive columns, or the target where none is declared so."""
        return self.sensitive or (() if self.target is None else (self.target,))

    @property
    def leaving(self) -> tuple[str, ...]:
        """Names of the columns of the released files: those that are released, and those with fresh keys."""
        return tuple(name for name, column in self.columns.items() if column.is_released or column.surrogate)

    @property
    def surrogates(self) -> tuple[str, ...]:
        """Identifier columns that are released as fresh random keys, in file order."""
        return tuple(name for name, column in self.columns.items() if column.surrogate)

    @property
    def drafted(self) -> tuple[str, ...]:
        """Columns that still carry facts read off the data (I-3)."""
        return tuple(name for name, column in self.columns.items() if column.from_data)


def _lies_within(text: str, column: Column) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    decimals = 0 if column.type == "integer" else column.decimals
    if decimals is not None and round(value, decimals) != value:
        return False
    low, high = column.minimum, column.maximum
    return isinstance(low, float) and isinstance(high, float) and low <= value <= high
