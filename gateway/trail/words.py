"""How does a record read, for a person and for a program, and in which fields do two of them differ?"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.record.approval import ReleaseAction
from audit.record.fields import instant_text
from audit.record.statement import ReleaseRecord
from audit.record.trail import Entry
from gateway.ledger import figures

_CONTROL = ("Cc", "Cf", "Cs", "Zl", "Zp")


@dataclass(frozen=True)
class Difference:
    """One field that two records do not share; ``None`` where a record has no such field."""

    field: str
    left: Any
    right: Any


def safe(text: str) -> str:
    """Text of a file nobody vouches for, without what could steer a terminal."""
    return "".join("?" if unicodedata.category(each) in _CONTROL else each for each in text)


def place(entry: Entry) -> str:
    """What the list calls it."""
    return "none" if entry.index is None else str(entry.index)


def to_dict(entry: Entry, now: datetime) -> dict[str, Any]:
    """The shape ``--json`` prints of one record; ``statement`` is what was signed."""
    return {
        **entry.to_dict(now),
        "signedBy": list(entry.signed_by),
        "actions": [each.to_dict()["predicate"] for each in entry.actions],
        "statement": None if entry.record is None else entry.record.to_dict(),
    }


def in_words(entry: Entry, now: datetime) -> str:
    """One record for a person, some ten to thirty lines."""
    lines = [
        f"record    {place(entry)} in the log, {safe(entry.name)}",
        f"sha256    {entry.sha256 or 'cannot be read'}",
    ]
    record = entry.record
    if record is None:
        return "\n".join([*lines, f"{entry.standing(now).upper():10}{safe(entry.problem)}"]) + "\n"
    standing = entry.standing(now)
    lines.append(f"standing  {standing}" + (f": {entry.withheld}" if entry.withheld else ""))
    lines += _decision(record)
    lines += [f"{said:10}{name}" for said, name in _people(record) if name]
    lines += [_action(each) for each in entry.actions]
    lines += [f"VOID      {each}" for each in entry.void]
    lines += _privacy(record)
    lines += [f"signed    by {name[:16]}" for name in entry.signed_by]
    lines += [f"file      {subject.name}  sha256 {subject.sha256}" for subject in record.subjects]
    claimed = record.differential_privacy.not_covered if record.differential_privacy else ()
    lines += [f"beware    {sentence}" for sentence in (*record.not_covered, *claimed)]
    return "\n".join(lines) + "\n"


def differences(left: Entry, right: Entry) -> tuple[Difference, ...]:
    """Field by field, what the two statements do not share; each field is named by its path."""
    one, other = (_flat(each.record) for each in (left, right))
    names = [*one, *(name for name in other if name not in one)]
    return tuple(Difference(name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name))


def _decision(record: ReleaseRecord) -> list[str]:
    lines = [
        f"decision  {record.decision.upper()} under policy {record.policy.id}"
        + (f": {record.reason}" if record.reason else ""),
        f"dataset   {record.dictionary.name}",
        f"decided   {record.decided_at:%Y-%m-%d %H:%M:%S} UTC, asked {record.registered_at:%Y-%m-%d %H:%M:%S}",
        f"attempt   {record.attempt.number} of {record.attempt.maximum}",
        f"rows      {record.released_rows} released",
    ]
    if record.expires_at is not None:
        lines.append(f"expires   {record.expires_at:%Y-%m-%d %H:%M:%S} UTC")
    lines += [f"{'met' if each.met else 'UNMET':10}{each.measure}" for each in record.findings or ()]
    return lines


def _people(record: ReleaseRecord) -> tuple[tuple[str, str | None], ...]:
    terms = record.oversight
    demanded = f"{terms.count} by {' or '.join(terms.roles)}" if terms.count else None
    return ("requester", terms.requester), ("operator", terms.operator), ("approvals", demanded)


def _action(action: ReleaseAction) -> str:
    said = f"by {action.by} ({action.role}), {action.at:%Y-%m-%d %H:%M:%S} UTC: {action.reason}"
    name = "OVERRIDE" if action.action == "override" else action.action
    return f"{name:10}{said}"


def _privacy(record: ReleaseRecord) -> list[str]:
    claim = record.differential_privacy
    if claim is None:
        return ["privacy   no differential privacy is claimed"]
    budget, kinds = claim.budget, len(claim.mechanisms)
    claimed = f"epsilon {figures.spent(claim.epsilon)}, delta {claim.delta:g}"
    spent = f"{figures.spent(budget.spent_epsilon)} of epsilon {budget.epsilon:g} was spent with this release"
    return [
        f"privacy   {claimed}; {kinds} kinds of mechanism runs, accountant {claim.accountant.method}",
        f"budget    {spent}, {figures.left(budget.left_epsilon)} was left",
    ]


def _flat(record: ReleaseRecord | None) -> dict[str, Any]:
    """Paths and values. Lists of named things go by their name, so that one more does not shift all others."""
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, Mapping) and value:
            for name, each in value.items():
                walk(each, f"{path}.{name}" if path else str(name))
        elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
            for number, each in enumerate(value):
                walk(each, f"{path}[{_named(each, number)}]")
        else:
            found[path] = list(value) if isinstance(value, tuple) else value

    if record is not None:
        statement = record.to_dict()
        walk(statement["subject"], "subject")
        walk(statement["predicate"], "")
    return {name: value for name, value in found.items() if not name.endswith(("].name", "].measure"))}


def _named(value: Any, number: int) -> str:
    if isinstance(value, Mapping):
        for key in ("name", "measure"):
            if key in value:
                return str(value[key])
    return str(number)


def when(moment: datetime | None) -> str | None:
    """A time as JSON and CSV have it."""
    return None if moment is None else instant_text(moment)
