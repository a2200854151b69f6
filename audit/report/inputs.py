"""What does a page need to know? Plain values, so that whoever runs the audit can fill them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.record.claim import PrivacyClaim
from audit.report.closeness import Closeness
from audit.report.errors import ReportError
from policies import Decision, Dictionary, Measurement


@dataclass(frozen=True)
class Distances:
    """Nearest-neighbour distances of every released row, on the audit's common scale.

    Both arrays have shape (released rows,). The two real samples must be equally large: a larger sample lies nearer
    by itself.
    """

    released_to_train: NDArray[np.float64]
    released_to_holdout: NDArray[np.float64]


@dataclass(frozen=True)
class EvidenceInputs:
    """Everything the evidence report shows; only ``decision``, ``measurements`` and ``dictionary`` always exist.

    ``train`` and ``released`` are typed frames (columns ``dictionary.released``), None where no candidate was made;
    ``train_people`` has one code per train row naming the person, None where one row is one person. ``trace`` holds
    (what was tried, reward) in the order of evaluation, ``seconds`` the wall time of each stage, ``facts`` what the
    record says (policy digest, attempt, versions), in the order to be shown. ``stopped`` says in words why no
    candidate was made; like every text here it never holds a cell value. ``privacy`` is the claim sheet, None for no
    claim.

    Raises
    ------
    ReportError
        A frame does not have the dictionary's columns, or people or distances do not fit the rows.
    """

    decision: Decision
    measurements: tuple[Measurement, ...]
    dictionary: Dictionary
    train: pd.DataFrame | None = None
    released: pd.DataFrame | None = None
    train_people: NDArray[np.int64] | None = None
    distances: Distances | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    trace: tuple[tuple[str, float], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    not_covered: tuple[str, ...] = ()
    stopped: str = ""
    privacy: PrivacyClaim | None = None

    def __post_init__(self) -> None:
        wanted = list(self.dictionary.released)
        for name, frame in (("train", self.train), ("released", self.released)):
            if frame is not None and list(frame.columns) != wanted:
                raise ReportError(
                    f"{name} has {len(frame.columns)} columns, not the dictionary's {len(wanted)} in its order; "
                    "hand over typed frames"
                )
        if self.train_people is not None and (self.train is None or len(self.train_people) != len(self.train)):
            raise ReportError("train_people needs exactly one code per train row")
        if self.distances is not None:
            shapes = (self.distances.released_to_train.shape, self.distances.released_to_holdout.shape)
            if shapes[0] != shapes[1] or len(shapes[0]) != 1:
                raise ReportError(f"distances to train and holdout need one equal length, found {shapes}")


@dataclass(frozen=True)
class Verdict:
    """All that a requester learns of a decision: the word, and if disclosed which limits were met. No number (I-7)."""

    allowed: bool
    findings: tuple[tuple[str, bool], ...] | None = None  # (measure name, met)
    unasked: tuple[str, ...] = ()  # measures whose limits are not asked of so large a table

    @classmethod
    def of(cls, decision: Decision, disclosure: Literal["verdict", "findings"]) -> Self:
        """The coarse part of ``decision``, as far as the policy's ``disclosure`` lets it be told."""
        if disclosure == "verdict":
            return cls(decision.allowed)
        unasked = tuple(finding.measure for finding in decision.unasked)
        return cls(decision.allowed, tuple((finding.measure, finding.met) for finding in decision.asked), unasked)


@dataclass(frozen=True)
class ReleasedFile:
    """One file of the bundle; ``sha256`` in hexadecimal."""

    name: str
    sha256: str


@dataclass(frozen=True)
class RecipientInputs:
    """Everything the recipient's page shows. It takes a ``Verdict``, so no measured number can be handed to it (I-7).

    ``facts`` are what the public record says (policy, release id, date), in the order to be shown; ``contact`` is how
    the custodian wants to be addressed; ``bundle`` and ``public_key`` are the names used in the verify commands;
    ``privacy`` is the claim sheet of the public record, which holds no measured number either; ``closeness`` holds
    grades, shown with an allowance only, where ``verdict`` discloses findings and nothing is claimed. ``approvals`` is
    how many people must approve before the data may be used: then the custodian's trust file and root key take the
    place of ``public_key``, since no single key says whose approval counts.
    """

    verdict: Verdict
    dictionary: Dictionary
    files: tuple[ReleasedFile, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    contact: str = ""
    bundle: str = "BUNDLE"
    public_key: str = "PUB"
    privacy: PrivacyClaim | None = None
    closeness: Closeness | None = None
    approvals: int = 0
