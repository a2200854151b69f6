"""What does the custodian keep of a case? Exact values, statements, seed and report: enough to compute it all again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from audit.report import render_evidence_report
from audit.report.inputs import Distances, EvidenceInputs
from gateway.assessment import measurement_to_dict
from gateway.case import Candidate, Case, not_covered
from gateway.files import write_private
from gateway.ledger import Attempt
from gateway.provenance import DISTRIBUTION, Software
from gateway.remedy import Mended
from gateway.votes import Voted
from policies import Decision, released_part
from synth.selection import SelectionTrace
from synth.selection.trace import Point


def write_evidence(
    folder: Path, case: Case, attempt: Attempt, decision: Decision, candidate: Candidate, reason: str,
    software: Software, decided_at: datetime, out: Path,
) -> str:  # fmt: skip
    """Exact values, the report and the custodian's statements; returns the digest that the public record carries.

    ``out`` is where the bundle will be.
    """
    write_private(folder / "policy.toml", case.policy_bytes)
    write_private(folder / "dictionary.toml", case.dictionary_bytes)
    page = render_evidence_report(_report_inputs(case, attempt, decision, candidate, software, decided_at)).encode()
    write_private(folder / "report.html", page)
    voted, told = candidate.voted, candidate.assessment or candidate.voted
    measurements = told.measurements if told else ()
    document = {
        "decision": decision.to_dict(),
        "reason": reason,
        "measurements": [measurement_to_dict(measurement) for measurement in measurements],
        "selection": candidate.trace.to_dict() if candidate.trace else None,
        "weights": dict(candidate.weights),
        "settings": dict(case.settings),
        "synthesizer": candidate.synthesizer,
        "candidate": {name: hashlib.sha256(content).hexdigest() for name, content in candidate.files.items()},
        "attempt": {"sequence": attempt.sequence, "number": attempt.number, "maximum": attempt.maximum},
        "policyDigest": case.policy_digest,
        "dictionaryDigest": case.dictionary_digest,
        "sourceCommitment": case.commitment,
        "commitmentSalt": case.commitment_salt,
        "differentialPrivacy": candidate.claim.to_dict() if candidate.claim else None,
        "seedEntropy": case.seed_entropy,
        "strangers": candidate.strangers,
        "heldOut": None if candidate.held_out is None else candidate.held_out.tolist(),
        "remedies": _remedies(candidate),
        "votes": None if voted is None else _votes(voted),
        "writtenTo": str(out.absolute()),
        "warnings": list(candidate.warnings),
        "seconds": dict(candidate.seconds),
        "environment": list(software.environment),
        "reportDigest": hashlib.sha256(page).hexdigest(),
    }
    content = json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode()
    write_private(folder / "evidence.json", content)
    return hashlib.sha256(content).hexdigest()


def _votes(voted: Voted) -> dict[str, Any]:
    unasked = {"unasked": dict(voted.unasked)} if voted.unasked else {}
    return {"parts": voted.parts, "met": dict(voted.met), "void": dict(voted.void), **unasked}


def _remedies(candidate: Candidate) -> dict[str, Any] | None:
    """What was mended, in exact counts, and what was measured before; None where the policy allows no remedy."""
    mended = candidate.mended
    if mended is None:
        return None
    first = candidate.first.measurements if candidate.first else ()
    return {
        "ran": list(mended.ran),
        "why": mended.why,
        "offending": dict(mended.offending),
        "coarsened": mended.coarsened,
        "replaced": mended.replaced,
        "firstMeasured": [measurement_to_dict(measurement) for measurement in first],
    }


def _report_inputs(
    case: Case, attempt: Attempt, decision: Decision, candidate: Candidate, software: Software, decided_at: datetime
) -> EvidenceInputs:
    facts = {
        "Dataset": case.dictionary.name,
        "Policy": f"{case.policy.id} (sha256 {case.policy_digest})",
        "Dictionary": f"sha256 {case.dictionary_digest}",
        "Attempt": f"{attempt.number} of {attempt.maximum}",
        "Decided": f"{decided_at:%Y-%m-%d %H:%M} UTC",
        "Software": f"{DISTRIBUTION} {software.version}",
    }
    assessed, voted = candidate.assessment, candidate.voted
    told = assessed or voted
    if told is None:
        return EvidenceInputs(
            decision,
            (),
            released_part(case.dictionary),
            facts=facts,
            not_covered=not_covered(case.policy, decision, candidate),
            stopped=candidate.refusal,
        )
    if candidate.mended is not None:
        facts["Remedies"] = _mended_line(candidate.mended)
    facts |= {f"Note {number}": warning for number, warning in enumerate(candidate.warnings, start=1)}
    if voted is not None:
        facts |= {f"{name}, parts in which it is met": _parts_met(name, voted) for name in voted.met}
    inputs = EvidenceInputs(
        decision=decision,
        measurements=told.measurements,
        dictionary=released_part(case.dictionary),
        weights=candidate.weights,
        trace=_rewards(candidate.trace),
        facts=facts,
        seconds=candidate.seconds,
        not_covered=not_covered(case.policy, decision, candidate),
        privacy=candidate.claim,
    )
    if assessed is None:
        return inputs
    return replace(
        inputs,
        train=assessed.tables.train,
        released=assessed.tables.released,
        train_people=assessed.tables.train_people,
        distances=Distances(*assessed.result.distances) if assessed.result.distances else None,
    )


def _parts_met(name: str, voted: Voted) -> str:
    why = f"; {voted.void[name]}" if name in voted.void else ""
    unasked = f"; not asked of so many rows in {voted.unasked[name]}" if name in voted.unasked else ""
    return f"{voted.met[name]} of {voted.parts}{unasked}{why}"


def _mended_line(mended: Mended) -> str:
    found = ", ".join(f"{rows} {offence.replace('_', ' ')}" for offence, rows in mended.offending.items())
    done = f"{mended.coarsened} rows coarsened, {mended.replaced} replaced, then measured again" if mended.ran else ""
    return f"{done or f'none ran: {mended.why}'} (found: {found})"


def _rewards(trace: SelectionTrace | None) -> tuple[tuple[str, float], ...]:
    """Every evaluated point with a label a reader can tell apart."""
    if trace is None:
        return ()
    return tuple((_label(point), point.reward) for point in trace.points if point.reward is not None)


def _label(point: Point) -> str:
    alone = [name for name, weight in point.weights.items() if weight > 0.999]
    return alone[0] if point.source == "single" and alone else point.source
