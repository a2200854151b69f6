"""What does the page about a period need to know? Plain values out of records, log and ledger; no measured number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Decided:
    """One genuine record. ``place`` is where it stands in the log, empty for nowhere.

    ``standing`` is one word, such as ``in force`` or ``revoked``, and ``remark`` says more where there is more to say.
    ``unmet`` holds names of measures, and is empty too where the policy discloses the verdict alone.
    """

    place: str
    at: datetime
    dataset: str
    policy: str
    allowed: bool
    reason: str
    standing: str
    remark: str = ""
    requester: str = ""
    unmet: tuple[str, ...] = ()
    rows: int = 0
    epsilon: float | None = None
    delta: float | None = None
    overridden: bool = False


@dataclass(frozen=True)
class Said:
    """What a person said about the record at ``about``; ``action`` is approve, refuse, override, revoke, supersede."""

    at: datetime
    action: str
    about: str
    by: str
    role: str
    reason: str


@dataclass(frozen=True)
class Charged:
    """A charge to a dataset: epsilon of all charges up to this one, and what it may become in the dataset's life."""

    at: datetime
    spent: float
    lifetime: float


@dataclass(frozen=True)
class Budget:
    """All charges of one dataset up to the end of the period, oldest first, at least one.

    Epsilons are at ``delta``, that of the last charge; ``mixed`` says that earlier ones were composed at another.
    ``unit`` is the unit of privacy, patient or row.
    """

    dataset: str
    delta: float
    charges: tuple[Charged, ...]
    mixed: bool = False
    unit: str = "patient"


@dataclass(frozen=True)
class Unfinished:
    """An attempt without a decision: the table was unusable, or the run ended on the way. It may have been charged."""

    at: datetime
    dataset: str
    policy: str
    how: str


@dataclass(frozen=True)
class PeriodInputs:
    """Everything the page shows. ``since`` is the first moment, ``until`` the first one after the last.

    ``broken`` are files that do not hold, with what is wrong with each; ``problems`` those of log and ledger.
    ``chosen`` is the filter beside the period; ``facts`` says what the page was made from.
    """

    since: datetime
    until: datetime
    made_at: datetime
    decided: tuple[Decided, ...] = ()
    said: tuple[Said, ...] = ()
    budgets: tuple[Budget, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()
    chosen: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
