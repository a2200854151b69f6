"""How do many records read as one table: on a terminal, in a spreadsheet, in a program?"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from audit.record.trail import Entry
from gateway.ledger import figures
from gateway.trail.words import place, safe, when

_WIDEST = 28  # characters of one cell on a terminal


def row(entry: Entry, now: datetime) -> dict[str, Any]:
    """One record in plain values; all but the first five are ``None`` where it cannot be read."""
    found: dict[str, Any] = {
        "logIndex": entry.index,
        "file": entry.name,
        "sha256": entry.sha256 or None,
        "standing": entry.standing(now),
        "problem": entry.problem or entry.withheld or None,
    }
    record = entry.record
    if record is None:
        return found | dict.fromkeys(_FIELDS)
    claim = record.differential_privacy
    values = (
        record.decision,
        record.reason,
        when(record.decided_at),
        when(record.expires_at),
        record.dictionary.name,
        record.policy.id,
        record.oversight.requester,
        record.oversight.operator,
        record.released_rows,
        record.attempt.number,
        record.attempt.maximum,
        None if claim is None else claim.epsilon,
        None if claim is None else claim.delta,
        None if claim is None else claim.budget.spent_epsilon,
        " ".join(each.measure for each in record.findings or () if not each.met) or None,
        "; ".join(f"{each.action} by {each.by}" for each in entry.actions) or None,
        len(record.subjects),
    )
    return found | dict(zip(_FIELDS, values, strict=True))


_FIELDS = (
    "decision",
    "reason",
    "decidedAt",
    "expiresAt",
    "dataset",
    "policy",
    "requester",
    "operator",
    "rows",
    "attempt",
    "attempts",
    "epsilon",
    "delta",
    "epsilonSpentByDataset",
    "unmet",
    "actions",
    "files",
)


def to_csv(entries: Sequence[Entry], now: datetime) -> str:
    """A header and one line per record; a cell that a spreadsheet would run is guarded by an apostrophe."""
    from gateway.intake.formulas import guard  # loads pandas: only where a spreadsheet is written

    stream = io.StringIO()
    rows = [row(entry, now) for entry in entries]
    names = ("logIndex", "file", "sha256", "standing", "problem", *_FIELDS)
    writer = csv.DictWriter(stream, names, lineterminator="\r\n")
    writer.writeheader()
    for each in rows:
        writer.writerow({name: guard(value) if isinstance(value, str) else value for name, value in each.items()})
    return stream.getvalue()


def listing(entries: Sequence[Entry], now: datetime) -> list[str]:
    """Lines for a terminal: a header, then a line per record, and a broken one's problem below it."""
    head = ("ENTRY", "DECIDED (UTC)", "DECISION", "STANDING", "DATASET", "POLICY", "REQUESTER", "ROWS", "EPSILON")
    cells = [_cells(entry, now) for entry in entries]
    widths = [max(len(line[column]) for line in (head, *cells)) for column in range(len(head))]
    lines = [_line(head, widths)]
    for entry, found in zip(entries, cells, strict=True):
        lines.append(_line(found, widths))
        problem = entry.problem or entry.withheld
        if problem:
            lines.append(f"{'':{widths[0]}}  ! {safe(problem)}")
        lines += [f"{'':{widths[0]}}  ! VOID: {each}" for each in entry.void]
    return lines


def _cells(entry: Entry, now: datetime) -> tuple[str, ...]:
    standing = entry.standing(now)
    record = entry.record
    if record is None:
        return place(entry), "-", "-", standing.upper(), safe(entry.name), "", "", "", ""
    claim = record.differential_privacy
    return (
        place(entry),
        f"{record.decided_at:%Y-%m-%d %H:%M}",
        record.decision,
        f"{standing}, OVERRIDDEN" if entry.overridden else standing,
        _short(record.dictionary.name),
        _short(record.policy.id),
        _short(record.oversight.requester or "-"),
        str(record.released_rows),
        "-" if claim is None else figures.spent(claim.epsilon),
    )


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = {0, len(cells) - 1, len(cells) - 2}
    padded = (
        f"{cell:>{width}}" if column in numbers else f"{cell:{width}}"
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
