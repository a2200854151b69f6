"""What happened in a period? Out of the trail and the ledger, as the page about it wants it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from audit.record.trail import Entry
from audit.report.period_inputs import Budget, Charged, Decided, PeriodInputs, Said, Unfinished
from gateway.trail.reading import Kept
from gateway.trail.wanted import Wanted
from gateway.trail.words import place


def period_of(kept: Kept, wanted: Wanted, now: datetime) -> PeriodInputs:
    """The period of ``wanted``; from the first event to ``now`` where it has no beginning or end.

    Acts are those of the period, on whatever release of the wanted ones they are; releases and refusals those that were
    decided in it.
    """
    since = wanted.since or _first(kept) or now
    until = wanted.until or now + timedelta(seconds=1)  # what happened within this very second is part of it
    entries = wanted.of(kept.trail.entries)
    about = Wanted(wanted.dataset, wanted.requester, wanted.policy, wanted.decision, min_epsilon=wanted.min_epsilon)
    return PeriodInputs(
        since=since,
        until=max(wanted.until or now, since),
        made_at=now,
        decided=tuple(_decided(each, now) for each in entries if each.record is not None and not each.unlogged),
        said=_said(about.of(kept.trail.entries), since, until),
        budgets=tuple(_budgets(kept.ledger, wanted, until)),
        unfinished=tuple(_unfinished(kept.ledger, wanted, since, until)),
        broken=tuple((f"{place(each)}, {each.name}", each.problem) for each in entries if each.problem),
        problems=kept.trail.problems,
        chosen={name: value for name, value in wanted.to_dict().items() if name not in ("since", "until")},
        facts=_facts(kept),
    )


def _decided(entry: Entry, now: datetime) -> Decided:
    record = entry.record
    if record is None:
        raise TypeError("only a record that holds was decided")
    claim = record.differential_privacy
    successor = next((each.superseded_by for each in reversed(entry.actions) if each.superseded_by), None)
    remark = entry.withheld or (f"by the record with sha256 {successor[:16]}" if successor else "")
    return Decided(
        place=place(entry),
        at=record.decided_at,
        dataset=record.dictionary.name,
        policy=record.policy.id,
        allowed=record.allowed,
        reason=record.reason or "",
        standing=entry.standing(now),
        remark=remark,
        requester=record.oversight.requester or "",
        unmet=tuple(each.measure for each in record.findings or () if not each.met),
        rows=record.released_rows,
        epsilon=None if claim is None else claim.epsilon,
        delta=None if claim is None else claim.delta,
        overridden=entry.overridden,
    )


def _said(entries: Iterable[Entry], since: datetime, until: datetime) -> tuple[Said, ...]:
    found = [
        Said(each.at, each.action, place(entry), each.by, each.role, each.reason)
        for entry in entries
        for each in entry.actions
        if since <= each.at < until
    ]
    return tuple(sorted(found, key=lambda each: each.at))


def _budgets(ledger: Iterable[Mapping[str, Any]], wanted: Wanted, until: datetime) -> Iterable[Budget]:
    """Charges are the whole dataset's: a filter by requester or policy does not make a budget any larger."""
    charges: dict[str, list[Mapping[str, Any]]] = {}
    for event in ledger:
        if event["kind"] == "charge" and wanted.dataset in (None, event["dataset"]) and _at(event) < until:
            charges.setdefault(event["dataset"], []).append(event)
    for dataset, listed in sorted(charges.items()):
        marks = tuple(
            Charged(_at(event), event["epsilon"]["together"], event["lifetime"]["epsilon"]) for event in listed
        )
        deltas = [event["lifetime"]["delta"] for event in listed]
        unit = listed[-1].get("unit", "patient")
        yield Budget(dataset, deltas[-1], marks, mixed=len(set(deltas)) > 1, unit=unit)


def _unfinished(
    ledger: Iterable[Mapping[str, Any]], wanted: Wanted, since: datetime, until: datetime
) -> Iterable[Unfinished]:
    if wanted.requester or wanted.decision or wanted.min_epsilon is not None:
        return  # the ledger does not know who asked, and nothing was decided
    attempts = {event["sequence"]: event for event in ledger if event["kind"] == "attempt"}
    ended = {event["attemptSequence"]: event for event in ledger if event["kind"] in ("decision", "unusable")}
    charged = {event["attemptSequence"] for event in ledger if event["kind"] == "charge"}
    for sequence, event in attempts.items():
        kept = wanted.dataset in (None, event["dataset"]) and wanted.policy in (None, event["policy"])
        end = ended.get(sequence)
        if not kept or (end and end["kind"] == "decision") or not since <= _at(event) < until:
            continue
        how = "the run did not end, or is still running"
        if end:
            another_unit = "earlier charges have another unit of privacy: the table was not read"
            how = another_unit if end.get("why") == "unit" else "the table could not be used"
        cost = "; its charge stands" if sequence in charged else ""
        yield Unfinished(_at(event), event["dataset"], event["policy"], how + cost)


def _facts(kept: Kept) -> dict[str, str]:
    log = kept.trail.log
    facts = {"Records read": str(len(kept.records)), "Acts read": str(len(kept.actions))}
    if log is not None:
        facts |= {"Log": log.origin, "Log entries": str(len(log.entries))}
        facts["Tree hash of the log"] = log.checkpoint.decode("utf-8").split("\n")[2]
        facts |= {f"Witness {each.witness.name}": "has cosigned this log" for each in log.witnessed}
    if kept.ledger:
        facts |= {"Ledger entries": str(len(kept.ledger)), "Head of the ledger": kept.ledger[-1]["head"]}
    return facts


def _first(kept: Kept) -> datetime | None:
    """The day of the first thing that is known."""
    moments = [each.record.registered_at for each in kept.trail.entries if each.record is not None]
    first = min((*moments, *map(_at, kept.ledger)), default=None)
    return None if first is None else first.replace(hour=0, minute=0, second=0)


def _at(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["at"]).astimezone(UTC)
