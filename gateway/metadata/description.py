"""What may be said of a release, in words that every format shares?"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from audit.record.claim import PrivacyClaim
from audit.record.statement import PROOF_FILE, RECORD_FILE
from policies import Column, Dictionary, Policy

CSV, PARQUET, DICTIONARY, GUIDE, PAGE = "data.csv", "data.parquet", "dictionary.toml", "VERIFY.md", "index.html"
MEDIA_TYPES = {
    CSV: "text/csv",
    PARQUET: "application/vnd.apache.parquet",
    DICTIONARY: "application/toml",
    GUIDE: "text/markdown",
    PAGE: "text/html",
    RECORD_FILE: "application/vnd.dsse.envelope.v1+json",
    PROOF_FILE: "application/json",
}
TITLES = {
    CSV: "Synthetic rows as CSV",
    PARQUET: "Synthetic rows as Parquet",
    DICTIONARY: "Data dictionary of the synthetic rows",
    GUIDE: "How to verify the bundle",
    PAGE: "Page for the recipient",
    RECORD_FILE: "Signed release record (in-toto Statement in a DSSE envelope)",
    PROOF_FILE: "Proof of the record's place in the custodian's transparency log",
}
VERIFYING = (
    f"{RECORD_FILE} is signed by the custodian and names each file by its SHA-256; {GUIDE} says how to check both."
)
_KINDS = {
    "identifier": "fresh random key that nobody has ever had",
    "integer": "whole number",
    "number": "number",
    "boolean": "one of two categories, false first",
    "category": "category",
    "ordinal": "category, in order",
    "date": "date",
    "datetime": "local date and time",
}


@dataclass(frozen=True)
class DescribedFile:
    """A file of the bundle; ``sha256`` in hexadecimal, ``size`` in bytes."""

    name: str
    sha256: str
    size: int

    @classmethod
    def of(cls, name: str, content: bytes) -> Self:
        return cls(name, hashlib.sha256(content).hexdigest(), len(content))

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.name]

    @property
    def title(self) -> str:
        return TITLES[self.name]


@dataclass(frozen=True)
class Description:
    """One allowed release, as far as the public record tells of it.

    ``dictionary`` is the released part. ``settings`` are the synthesizer's of the public record, without anything that
    was learned. ``software`` is name and version. Times are in UTC.
    """

    dictionary: Dictionary
    policy: Policy
    rows: int
    decided_at: dt.datetime
    expires_at: dt.datetime | None
    software: tuple[str, str]
    settings: Mapping[str, Any]
    claim: PrivacyClaim | None

    @property
    def name(self) -> str:
        """An identifier that cannot be taken for that of the real table."""
        return f"{self.dictionary.name}-synthetic"

    @property
    def title(self) -> str:
        return f"{self.dictionary.name}: synthetic rows"

    @property
    def method(self) -> str:
        """How the rows came about, and what protects the people the model learned from."""
        parts = self.settings.get("components", ())
        of = f" (components: {', '.join(map(str, parts))})" if parts else ""
        made = f"Drawn from a model{of} that {' '.join(self.software)} fitted to real rows."
        if self.claim is None:
            return f"{made} No differential privacy is claimed."
        reach = "with" if self.claim.covers_decision else "up to"
        return (
            f"{made} Differentially private {reach} the decision to release them: epsilon {self.claim.epsilon:.4g}, "
            f"delta {self.claim.delta:g}, for the {self.claim.whom}; what that does not cover stands in the record."
        )

    @property
    def text(self) -> str:
        """A paragraph for a catalogue."""
        own = f" {self.dictionary.description.rstrip('.')}." if self.dictionary.description else ""
        return (
            f"{self.rows} synthetic rows, made up in the form of the table {self.dictionary.name}."
            f"{own} {self.method} {VERIFYING}"
        )

    @property
    def terms(self) -> str:
        """What the policy says about use; it names no licence, so none is named here."""
        until = "" if self.expires_at is None else f" To be relied on until {self.expires_at:%Y-%m-%d}."
        purpose = self.policy.purpose.rstrip(".")
        return f"Released under policy {self.policy.id} ({self.policy.context} context): {purpose}.{until}"


def describe_column(column: Column) -> str:
    """Description and domain of a column in one line: all of it stands in the dictionary."""
    kind = _KINDS[column.type]
    if column.minimum is not None and column.maximum is not None:
        kind += f" from {bound_text(column.minimum)} to {bound_text(column.maximum)}"
    if column.unit:
        kind += f" {column.unit}" if column.minimum is not None else f" ({column.unit})"
    if column.decimals is not None:
        kind += f", {column.decimals} decimals"
    if column.nullable:
        kind += ", may be missing"
    return f"{column.description.rstrip('.')}; {kind}" if column.description else f"{kind[0].upper()}{kind[1:]}"


def bound_text(bound: float | dt.date) -> str:
    """A bound as it is spelled in the files: whole numbers without a point, ISO 8601 dates."""
    return bound.isoformat() if isinstance(bound, dt.date) else repr(bound).removesuffix(".0")


def bound_number(bound: float | dt.date | None) -> int | float | None:
    """A numeric bound as JSON has it; ``None`` for a date."""
    if bound is None or isinstance(bound, dt.date):
        return None
    return int(bound) if float(bound).is_integer() else bound


def instant(time: dt.datetime) -> str:
    """RFC 3339 in UTC."""
    return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
