"""Was the very same asked before? Then the answer is on record, and nobody looks at the table again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from audit.record import files
from audit.record.approval import ReleaseAction
from audit.record.envelope import MAX_BYTES
from audit.record.errors import LogError
from audit.record.keys import load_public_key
from audit.record.log import read_log
from audit.record.oversight import Logged, actions_on, standing
from audit.record.proof import entry_of
from audit.record.statement import PROOF_FILE, RECORD_FILE, TIMESTAMP_FILE, ReleaseRecord
from gateway.actions import logged_acts, workspace_trust
from gateway.bundle import check_output, publish, put, staging
from gateway.case import Case
from gateway.earlier import BUNDLE
from gateway.errors import GatewayError, OutputError
from gateway.ledger import Attempt
from gateway.workspace import Workspace
from policies import Decision, Finding, Limit
from policies.diff import held_to

_LARGEST = 1 << 34  # bytes of one file of a bundle
_ENDING = frozenset({"revoke", "supersede"})


@dataclass(frozen=True)
class Answer:
    """A decision on record. ``decision`` has the exact values, None where the evidence is no longer at hand.

    ``written_to`` is where the bundle was put then, empty where that is not known any more. ``reworded`` says that the
    record is of other texts of policy or dictionary than those of now, which hold a release to the same: the record
    names those it was decided under, and the evidence holds them.
    """

    record: ReleaseRecord
    envelope: bytes
    event: Mapping[str, Any]
    folder: Path
    decision: Decision | None
    written_to: str
    reworded: bool = False

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def attempt(self) -> Attempt:
        """The attempt that was spent then."""
        spent = self.record.attempt
        registered = f"{self.record.registered_at:%Y-%m-%dT%H:%M:%SZ}"
        event = self.event
        return Attempt(
            event["attemptSequence"], event["dataset"], event["policy"], spent.number, spent.maximum, registered
        )

    def lies_at(self, out: Path) -> bool:
        """Whether ``out`` is a bundle of this very record, with every file as it was released.

        Raises
        ------
        OutputError
            It is the bundle's record, beside files that are missing or not as they were released.
        """
        try:
            if files.read(out / RECORD_FILE, maximum=MAX_BYTES, error=GatewayError) != self.envelope:
                return False
        except GatewayError:
            return False
        for subject in self.record.subjects:
            try:
                content = files.read(out / subject.name, maximum=_LARGEST, error=GatewayError)
            except GatewayError:
                content = b""
            if hashlib.sha256(content).hexdigest() != subject.sha256:
                raise OutputError(f"{out}: {subject.name} there is not as it was released; choose another place")
        return True

    def issue(self, out: Path, workspace: Workspace) -> bool:
        """Put the bundle at ``out`` as it was written then, byte for byte; False where it is no longer held.

        Raises
        ------
        OutputError
            ``out`` is taken, or cannot be written.
        """
        if self.lies_at(out):
            return True
        check_output(out)
        held = self.folder / BUNDLE
        try:
            content = {name: files.read(held / name, maximum=_LARGEST, error=GatewayError) for name in self._names()}
        except GatewayError:
            return False
        if content[RECORD_FILE] != self.envelope or any(
            hashlib.sha256(content[subject.name]).hexdigest() != subject.sha256 for subject in self.record.subjects
        ):
            return False
        with staging(workspace.staging) as stage:
            put(content, stage)
            publish(stage, out)
        return True

    def _names(self) -> tuple[str, ...]:
        stamped = (self.folder / BUNDLE / TIMESTAMP_FILE).is_file()
        more = (TIMESTAMP_FILE,) if stamped else ()
        return (*(subject.name for subject in self.record.subjects), RECORD_FILE, PROOF_FILE, *more)


def request_body(case: Case, rows: int) -> dict[str, Any]:
    """What is asked, as the ledger keeps it; ``request`` is the digest by which the very same is known again.

    The ledger names policy and dictionary by their bytes. The very same is asked where they say the same, whatever
    their comments, their layout and the sources of the policy's numbers: an edit that holds the release to nothing else
    is no new look. The policy's name and purpose count, and all descriptions in the dictionary, since a bundle shows
    them. Who asks makes no difference, unless approvals are demanded, which neither requester nor operator may give.
    A request that was digested otherwise, by a version before, is not known again and counts as a new one.
    """
    body = {
        "commitment": case.commitment,
        "policyDigest": case.policy_digest,
        "dictionaryDigest": case.dictionary_digest,
        "settings": dict(case.settings),
        "rows": rows,
    }
    terms, policy = case.oversight, case.policy
    asked = {
        **{name: body[name] for name in ("commitment", "settings", "rows")},
        "policy": {"id": policy.id, "purpose": policy.purpose, "heldTo": held_to(policy)},
        "dictionary": case.dictionary.model_dump_json(exclude_none=True),  # as text: the order of columns counts
        "people": [terms.requester, terms.operator] if terms.count else None,
    }
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return {**body, "request": hashlib.sha256(text.encode()).hexdigest()}


def find_answer(workspace: Workspace, case: Case, request: str, now: datetime) -> Answer | None:
    """The newest decision on ``request``, unless it has ended since: expired, revoked or superseded by somebody.

    A refusal for want of attempts is an answer as long as they are wanting.

    Raises
    ------
    GatewayError
        The record of that decision is missing or is by no gate key of this workspace; or a person has refused it.
    LedgerError
        The ledger's chain is broken.
    LogError
        The log does not hold: nothing shows then what people have said; or an act on the release was cut short.
    RecordError
        An act that stands in the log may have been altered or taken away.
    """
    events = workspace.ledger.events()
    decided = (e for e in reversed(events) if e["kind"] == "decision" and e.get("request") == request)
    event = next(decided, None)
    if event is None:
        return None
    digest = event["recordDigest"]
    path = workspace.records / f"{event['logIndex']:08d}-{digest[:12]}.dsse.json"
    envelope = files.read(path, maximum=MAX_BYTES, error=GatewayError)
    if hashlib.sha256(envelope).hexdigest() != digest:
        raise GatewayError(f"{path.name}: is not the record of the decision; restore it from a backup")
    record = workspace.open_record(envelope)
    said = _said_of(record, envelope, workspace, now)
    if record.expired(now) or any(each.action in _ENDING for each in said):
        return None
    if record.allowed and standing(record, said).refused:
        raise GatewayError(
            f"{path.name}: this very release was made before, and a person has refused it; it is not handed out again "
            "(gateway audit show says who and why)"
        )
    if event["attemptSequence"] == 0:
        used = workspace.ledger.looks(case.dictionary.name, case.commitment)
        if used < case.policy.attempts.max:
            return None
    folder = workspace.folder / "evidence" / Path(event["evidence"]).name
    evidence = _evidence(folder, record.evidence_sha256)
    decision = None if evidence is None else _decision(evidence["decision"])
    written_to = "" if evidence is None else str(evidence.get("writtenTo") or "")
    reworded = (record.policy.sha256, record.dictionary.sha256) != (case.policy_digest, case.dictionary_digest)
    return Answer(record, envelope, event, folder, decision, written_to, reworded)


def _said_of(record: ReleaseRecord, envelope: bytes, workspace: Workspace, now: datetime) -> tuple[ReleaseAction, ...]:
    """What people have said of the record, in the log's order, as far as it counts: a void act changes no answer."""
    key = load_public_key(workspace.log_public_key)
    log = read_log(workspace.folder / "log", workspace.log_origin(), key, seen=workspace.seen_checkpoint())
    begun = () if log.pending is None else (log.pending[1],)  # it stands, but only the log's key can prove it
    acts, _ = logged_acts(workspace, (*log.entries, *begun))
    about = acts.get(hashlib.sha256(envelope).hexdigest(), [])
    places = sorted(log.entries.index(entry) for entry in map(entry_of, about) if entry in log.entries)
    if len(places) < len(about):
        raise LogError(
            "an act on this very release was cut short before the log had all of it; run its command again (gateway "
            "approve, refuse, override, revoke or supersede), then this one"
        )
    by_entry = {entry_of(each): each for each in about}
    logged = [Logged(by_entry[log.entries[place]], log.prove(place)) for place in places]
    heard = actions_on(record, envelope, logged, workspace_trust(workspace, now), now)
    return heard.actions


def _evidence(folder: Path, sha256: str) -> dict[str, Any] | None:
    try:
        content = files.read(folder / "evidence.json", maximum=_LARGEST, error=GatewayError)
    except GatewayError:
        return None
    if hashlib.sha256(content).hexdigest() != sha256:
        return None
    evidence: dict[str, Any] = json.loads(content)
    return evidence


def _decision(values: Mapping[str, Any]) -> Decision:
    return Decision(values["policy"], tuple(_finding(each) for each in values["findings"]))


def _finding(values: Mapping[str, Any]) -> Finding:
    value, lower, upper = (
        math.nan if values[name] is None else float(values[name]) for name in ("value", "lower", "upper")
    )
    limit = Limit.model_validate(values["limit"])
    known = values["status"], values["met"], values["reason"], values.get("undecided", False)
    return Finding(values["measure"], limit, value, lower, upper, *known)
