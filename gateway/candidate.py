"""How does a table become a candidate, and what is it held against? Shared by a release and by its replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gateway.assessment import threads_for
from gateway.intake import (
    RawTable,
    TypedTable,
    read_table,
    split_people,
    type_table,
    write_csv,
    write_parquet,
)
from gateway.progress import Progress
from gateway.settings import SynthesizerSettings
from policies import Dictionary, Policy
from synth import HybridSynthesizer

HOLDOUT_SHARE = 0.5  # equal halves, so that nearness to either is comparable without a correction

Split = Callable[[RawTable], tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True)
class Parts:
    """The rows that may be learned from, and the rows held out; ``held_out`` are the places of these in the table."""

    train: TypedTable
    holdout: TypedTable
    held_out: NDArray[np.int64]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the custodian should know of the table, in words and counts."""
        return self.train.warnings


@dataclass(frozen=True)
class Streams:
    """The statistical randomness of one release, a generator of its own for each step, all from one seed."""

    split: np.random.Generator
    fit: np.random.Generator
    sample: np.random.Generator
    audit: np.random.Generator

    @classmethod
    def of(cls, seed: np.random.SeedSequence) -> Streams:
        return cls(*(np.random.default_rng(child) for child in seed.spawn(4)))


def read_parts(
    data: Path, dictionary: Dictionary, policy: Policy, split: Split | None, rng: np.random.Generator,
    progress: Progress,
) -> Parts:  # fmt: skip
    """Read and check the table, and divide its people.

    ``split`` is that of a release under differential privacy, where nobody's side may depend on anybody else; without
    it the halves are stratified by the target, at random by ``rng``.

    Raises
    ------
    IntakeError
        It is not the table its dictionary speaks of.
    """
    progress.stage("reading the table")
    raw = read_table(data)
    table = type_table(
        raw, dictionary, minimum_people=policy.minimum_people, rows_bounded_later=split is not None
    )  # fmt: skip
    for warning in table.warnings:
        progress.note(warning)
    if split is not None:
        seen, unseen = split(raw)
    else:
        classes = None
        if dictionary.target is not None:
            classes = table.frame[dictionary.target].cat.codes.to_numpy().astype(np.int64)
        seen, unseen = split_people(table.people, rng, HOLDOUT_SHARE, classes=classes)
    return Parts(table.take(seen), table.take(unseen), unseen)


def fit_hybrid(
    dictionary: Dictionary, settings: SynthesizerSettings, train: TypedTable, rng: np.random.Generator,
    progress: Progress,
) -> HybridSynthesizer:  # fmt: skip
    """The synthesizer without differential privacy: the same table, settings and ``rng`` give the same one."""
    synthesizer = HybridSynthesizer(dictionary, **settings.arguments())
    with threads_for(train.row_count):
        return synthesizer.fit(
            train.frame, rng, people=train.people, progress=progress.stage("fitting the synthesizer")
        )


def serialise(sampled: pd.DataFrame, dictionary: Dictionary) -> dict[str, bytes]:
    """The candidate's files: these bytes are audited, hashed and moved into the bundle (I-1)."""
    return {"data.parquet": write_parquet(sampled, dictionary), "data.csv": write_csv(sampled, dictionary)}


def parse_candidate(files: Mapping[str, bytes], dictionary: Dictionary) -> pd.DataFrame:
    """The typed frame that a recipient reads from the released bytes, the same from either file.

    Raises
    ------
    RuntimeError
        The two files do not hold one table: a fault of ours, and nothing may be released.
    """
    parquet, csv = (
        type_table(raw, dictionary, released=True).frame
        for raw in (read_table(files["data.parquet"], "parquet"), read_table(files["data.csv"], "csv"))
    )
    if not parquet.equals(csv):
        raise RuntimeError("the candidate's files disagree")
    return parquet
