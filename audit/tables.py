"""Which three tables does an audit compare, and what do its measures share?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.columns import numeric_columns
from audit.encoding import Encoder
from audit.errors import AuditError
from audit.neighbours import Matrix, Reference, Rows
from audit.sides import REFERENCE_ROWS, SIDES, Side, Sides, draw_people
from policies import Dictionary

Person = NDArray[np.int64]
Matching = Literal["whole", "paired", "matched"]


@dataclass(frozen=True, eq=False)
class AuditTables:
    """Typed frames of train, holdout and released rows with what is assumed of the attacker.

    ``train`` is everything the synthesizer saw, ``holdout`` real people it never saw, ``released`` the candidate.
    ``train_people`` and ``holdout_people`` hold one code per row naming its person. A released row is nobody, so each
    is its own person, unless ``released_people`` says otherwise (a control releases real people).
    ``attacker_class_size`` and ``attacker_known_columns`` come from the policy; ``confidence`` is that of every
    interval, two-sided. ``earlier`` holds the rows of every earlier release of the same dataset, if there were any.

    Raises
    ------
    AuditError
        A frame lacks a released column or has another order, its levels are not the dictionary's, a table has fewer
        than two rows or people, codes and rows differ in number, a number is infinite, or a parameter is out of range.
    """

    dictionary: Dictionary
    train: pd.DataFrame
    holdout: pd.DataFrame
    released: pd.DataFrame
    train_people: Person
    holdout_people: Person
    attacker_class_size: int = 11
    attacker_known_columns: int = 3
    confidence: float = 0.95
    released_people: Person | None = None
    earlier: pd.DataFrame | None = None
    _sides: dict[tuple[int, ...], Sides] = field(default_factory=dict, init=False, repr=False)
    _draws: dict[tuple[Side, int], tuple[Rows, Reference]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for side, frame in self.frames.items():
            _check_frame(side, frame, self.dictionary)
            if len(self.people[side]) != len(frame):
                raise AuditError(f"{side}: {len(frame)} rows but {len(self.people[side])} person codes; give one each")
            if len(np.unique(self.people[side])) < 2:
                raise AuditError(f"{side}: needs the rows of at least two people")
        if self.earlier is not None:
            _check_frame("earlier", self.earlier, self.dictionary)
        if self.attacker_class_size < 2 or self.attacker_known_columns < 1 or not 0 < self.confidence < 1:
            raise AuditError("expected a class size of 2 or more, 1 known column or more, confidence within (0, 1)")

    @property
    def frames(self) -> Mapping[Side, pd.DataFrame]:
        """The three frames by name."""
        return {"train": self.train, "holdout": self.holdout, "released": self.released}

    @cached_property
    def people(self) -> Mapping[Side, Person]:
        """One person code per row of each table."""
        released = self.released_people
        return {
            "train": np.asarray(self.train_people, dtype=np.int64),
            "holdout": np.asarray(self.holdout_people, dtype=np.int64),
            "released": np.arange(len(self.released)) if released is None else np.asarray(released, dtype=np.int64),
        }

    @cached_property
    def fewest_people(self) -> int:
        """People in the smallest of the three tables."""
        return min(len(np.unique(codes)) for codes in self.people.values())

    @cached_property
    def matrices(self) -> Mapping[Side, Matrix]:
        """The (n, w) encoded rows of each table, on one scale."""
        encoder = Encoder.fit(self.dictionary, (self.train, self.holdout), (self.released,))
        return {side: encoder.encode(frame) for side, frame in self.frames.items()}

    @cached_property
    def _searched(self) -> Mapping[Side, Reference]:
        train = Reference(self.matrices["train"])
        others: tuple[Side, ...] = ("holdout", "released")
        return {"train": train, **{side: Reference(self.matrices[side], train) for side in others}}

    def draw(self, side: Side, rows: int, rng: np.random.Generator) -> tuple[Rows, Reference]:
        """Positions of so many rows of a table, people kept whole, and their encoded rows as a table to search.

        Drawn by the first caller's ``rng`` and the same for every later caller, so that a large table is held once and
        not once for every measure that cuts off a few rows.
        """
        if (side, rows) not in self._draws:
            table = self._searched[side]
            drawn = draw_people(self.people[side], rows, rng)
            whole = len(drawn) == len(table.rows)
            self._draws[side, rows] = drawn, table if whole else Reference(table.rows[drawn], table)
        return self._draws[side, rows]

    def sides(self, matching: Matching, rng: np.random.Generator) -> Sides:
        """Rows to compare, drawn by the first caller's ``rng`` and the same for every later caller.

        ``whole``: every table up to ``REFERENCE_ROWS`` rows. ``paired``: train and holdout equally many. ``matched``:
        all three equally many. Where the sizes come out the same, so do the draws.
        """
        train, holdout, released = (min(len(frame), REFERENCE_ROWS) for frame in self.frames.values())
        if matching != "whole":
            train = holdout = min(train, holdout)
        if matching == "matched":
            train = holdout = released = min(train, released)
        key = (train, holdout, released)
        if key not in self._sides:
            sizes: dict[Side, int] = {"train": train, "holdout": holdout, "released": released}
            draws = {side: self.draw(side, sizes[side], rng) for side in SIDES}
            self._sides[key] = Sides(draws, self.people, rng)
        return self._sides[key]


def _check_frame(side: str, frame: pd.DataFrame, dictionary: Dictionary) -> None:
    expected = list(dictionary.released)
    if list(frame.columns) != expected:
        lacking = [name for name in expected if name not in frame.columns]
        raise AuditError(f"{side}: expected the {len(expected)} released columns in file order; lacking: {lacking}")
    if len(frame) < 2:
        raise AuditError(f"{side}: {len(frame)} rows; an audit needs at least two in each table")
    numeric = set(numeric_columns(dictionary))
    for name in expected:
        dtype = frame[name].dtype
        if name not in numeric:
            fits = isinstance(dtype, pd.CategoricalDtype) and list(dtype.categories) == list(
                dictionary.columns[name].categories or ()
            )
            if not fits:
                raise AuditError(f"{side}: column {name} must be categorical with the dictionary's levels")
        elif dtype.kind not in "fM":
            raise AuditError(f"{side}: column {name} must be float64 or datetime64, found {dtype}")
        elif dtype.kind == "f" and bool(np.isinf(frame[name].to_numpy(dtype=np.float64)).any()):
            raise AuditError(f"{side}: column {name} holds infinite numbers; intake refuses those")
