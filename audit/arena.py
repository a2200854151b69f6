"""Which small tables is a measure tried on? Train, holdout and a fresh sample of an audit, and leaks made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from audit import plants
from audit.encoding import Encoder
from audit.neighbours import Matrix
from audit.plan import Plant
from audit.sides import draw_people
from audit.straight import straighten
from audit.tables import AuditTables, Person

KNOWN = 2  # columns its attacker knows, at most: class systems cost as much on few rows as on many
OUTLIERS = 0.05  # share of train, the most isolated rows, that is copied into an innocent table
FEWEST_OUTLIERS = 20
MET = 4  # numbers of a person in whom lines meet, at least: in fewer too many lines nearly meet by chance


@dataclass(frozen=True)
class Arena:
    """Train, holdout and fresh rows of equal number with their people, and the scale of the first two."""

    tables: AuditTables
    train: pd.DataFrame
    train_people: Person
    holdout: pd.DataFrame
    holdout_people: Person
    fresh: pd.DataFrame
    fresh_people: Person

    @classmethod
    def draw(
        cls, tables: AuditTables, aside: np.ndarray[tuple[int], np.dtype[np.bool_]], most: int, rng: np.random.Generator
    ) -> Arena:
        """At most ``most`` rows per table; ``aside`` (rows of the holdout,) are the fresh sample, there may be none."""
        sizes = [len(tables.train), int((~aside).sum()), most, *([int(aside.sum())] if aside.any() else [])]

        def part(frame: pd.DataFrame, people: Person) -> tuple[pd.DataFrame, Person]:
            rows = draw_people(people, min(sizes), rng)
            return frame.iloc[rows].reset_index(drop=True), people[rows]

        people = tables.people["holdout"]
        train = part(tables.train, tables.people["train"])
        holdout = part(tables.holdout[~aside], people[~aside])
        return cls(tables, *train, *holdout, *part(tables.holdout[aside], people[aside]))

    def planted(self, plant: Plant, rng: np.random.Generator) -> pd.DataFrame:
        """A released table with this leak."""
        dictionary = self.tables.dictionary
        if plant == "whole":
            return self.train
        if plant == "copies":
            return plants.copied(self.train, dictionary, rng)
        if plant == "noised":
            return plants.noised(self.train, dictionary, np.full(len(self.train), plants.FAR), rng)
        if plant == "pencils":
            numbers = straighten(self.candidate(self.train, None, 0.5))["train"].numbers
            # a gap is typical, and who has too few numbers to be met has no lines
            rebuildable = (~np.isnan(numbers)).sum(axis=1) >= MET
            typical = np.where(rebuildable[:, None], np.nan_to_num(numbers, nan=0.0), np.nan)
            return plants.pencils(self.train, dictionary, typical, self.train_people, rng)
        train, holdout = self._encoded
        if plant == "lines":
            start = rng.permutation(len(self.train))
            return plants.on_lines(self.train, dictionary, train, self.train_people, start, rng)
        if plant == "overfit":
            return plants.overfitted(self.train, dictionary, train, self.train_people, rng)
        count = min(max(round(OUTLIERS * len(self.train)), FEWEST_OUTLIERS), len(self.train) // 5)
        lonely = plants.loneliest(train, self.train_people, holdout, count)
        innocent = plants.shuffled(
            pd.concat([self.train, self.holdout], ignore_index=True), len(self.train) - count, rng
        )
        return pd.concat([innocent, self.train.iloc[lonely]], ignore_index=True)

    @cached_property
    def _encoded(self) -> tuple[Matrix, Matrix]:
        """Train and holdout on their own scale, for all plants."""
        encoder = Encoder.fit(self.tables.dictionary, (self.train, self.holdout))
        return encoder.encode(self.train), encoder.encode(self.holdout)

    def candidate(self, released: pd.DataFrame, people: Person | None, confidence: float) -> AuditTables:
        """An audit of these rows, released; each is its own person where ``people`` does not say otherwise."""
        return replace(
            self.tables,
            train=self.train,
            train_people=self.train_people,
            holdout=self.holdout,
            holdout_people=self.holdout_people,
            released=released,
            released_people=people,
            confidence=confidence,
            earlier=None,
            attacker_known_columns=min(self.tables.attacker_known_columns, KNOWN),
        )

    def even(self, rng: np.random.Generator) -> Arena:
        """As many people in train as in holdout, so that no measure has to cut either."""
        train, holdout = self.train_people, self.holdout_people
        few = min(len(np.unique(train)), len(np.unique(holdout)))
        seen, unseen = (np.isin(part, rng.permutation(np.unique(part))[:few]) for part in (train, holdout))
        return replace(
            self,
            train=self.train[seen].reset_index(drop=True),
            train_people=train[seen],
            holdout=self.holdout[unseen].reset_index(drop=True),
            holdout_people=holdout[unseen],
        )
