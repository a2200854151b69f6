"""How does a table become a candidate, and what is it held against? Shared by a release and by its replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gateway.assessment import threads_for
from gateway.halves import Sides
from gateway.intake import (
    RawTable,
    Snapshot,
    TypedTable,
    fresh_keys,
    read_table,
    type_table,
    write_csv,
    write_parquet,
)
from gateway.intake.lone_split import Lots
from gateway.progress import Progress
from gateway.settings import SynthesizerSettings
from policies import Dictionary, Policy
from synth import HybridSynthesizer

Split = Callable[[RawTable, TypedTable], Sides]


@dataclass(frozen=True)
class Parts:
    """The rows that may be learned from, and the rows held out; ``held_out`` are the places of these in the table.

    ``strangers`` is the share of rows of people whom no earlier release of the dataset knew. ``lots`` are, under a
    private gate, those by which the people of the rows to learn from and of the rows held out are dealt to its parts.
    """

    train: TypedTable
    holdout: TypedTable
    held_out: NDArray[np.int64]
    strangers: float = 0.0
    lots: tuple[Lots, Lots] | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the custodian should know of the table, in words and counts."""
        return self.train.warnings


@dataclass(frozen=True)
class Streams:
    """The statistical randomness of one release, a generator of its own for each step, all from one seed.

    ``again`` is that of the audit after a remedy, ``keys`` that of the fresh keys that stand in for identifiers.
    """

    fit: np.random.Generator
    sample: np.random.Generator
    audit: np.random.Generator
    remedy: np.random.Generator
    again: np.random.Generator
    keys: np.random.Generator

    @classmethod
    def of(cls, seed: np.random.SeedSequence) -> Streams:
        return cls(*(np.random.default_rng(child) for child in seed.spawn(6)))


@dataclass(frozen=True)
class Sampled:
    """Synthetic rows, a typed frame, and (rows,) codes of the synthetic person each belongs to."""

    frame: pd.DataFrame
    people: NDArray[np.int64]

    def mended(self, frame: pd.DataFrame) -> Sampled:
        """The same with some rows changed by a remedy; each of those is a person of its own."""
        changed = ~(frame.eq(self.frame) | (frame.isna() & self.frame.isna())).all(axis=1).to_numpy()
        alone = int(self.people.max(initial=-1)) + 1 + np.arange(len(frame))
        return Sampled(frame, np.where(changed, alone, self.people))

    def serialise(self, dictionary: Dictionary, rng: np.random.Generator) -> dict[str, bytes]:
        """The candidate's files: these bytes are audited, hashed and moved into the bundle (I-1)."""
        keys = fresh_keys(dictionary, self.people, rng)
        return {
            "data.parquet": write_parquet(self.frame, dictionary, keys),
            "data.csv": write_csv(self.frame, dictionary, keys),
        }


def read_parts(data: Snapshot, dictionary: Dictionary, policy: Policy, split: Split, progress: Progress) -> Parts:
    """Read and check the table, and divide its people by ``split``.

    Under a private gate they are not counted here: whether there are enough is told from a public or a noisy number.

    Raises
    ------
    IntakeError
        It is not the table its dictionary speaks of.
    """
    progress.stage("reading the table")
    raw = data.table()
    table = type_table(
        raw,
        dictionary,
        minimum_people=policy.minimum_people if policy.private_gate is None else 1,
        rows_bounded_later=policy.differential_privacy is not None,
    )
    for warning in table.warnings:
        progress.note(warning)
    sides = split(raw, table)
    lots = None if sides.lots is None else (sides.lots[sides.seen], sides.lots[sides.unseen])
    return Parts(table.take(sides.seen), table.take(sides.unseen), sides.unseen, sides.strangers, lots)


def fit_hybrid(
    dictionary: Dictionary, policy: Policy, settings: SynthesizerSettings, train: TypedTable,
    rng: np.random.Generator, progress: Progress,
) -> HybridSynthesizer:  # fmt: skip
    """The synthesizer without differential privacy: the same table, policy, settings and ``rng`` give the same one.

    A category, spike or number of rows that fewer people hold than the policy's attacker may single out is not made.
    """
    smallest = policy.attacker.class_size
    synthesizer = HybridSynthesizer(dictionary, **settings.arguments(), minimum_people=smallest)
    with threads_for(train.row_count):
        return synthesizer.fit(
            train.frame, rng, people=train.people, progress=progress.stage("fitting the synthesizer")
        )


def parse_candidate(files: Mapping[str, bytes], dictionary: Dictionary) -> TypedTable:
    """The typed table that a recipient reads from the released bytes, the same from either file.

    Raises
    ------
    RuntimeError
        The two files do not hold one table: a fault of ours, and nothing may be released.
    """
    parquet, csv = (
        type_table(raw, dictionary, released=True)
        for raw in (read_table(files["data.parquet"], "parquet"), read_table(files["data.csv"], "csv"))
    )
    if not (parquet.frame.equals(csv.frame) and np.array_equal(parquet.people, csv.people)):
        raise RuntimeError("the candidate's files disagree")
    return parquet
