"""Do the people who had to agree to a release stand behind it, and has anybody withdrawn it?

``actions.json`` beside the record holds what was said about it (``approval``), each statement with the proof of its
place in the log. Whose word counts is for the trust file to say: without one, a release that needs approvals, and a
bundle that holds actions, are refused. Read in the order of the log:

* one person's later word replaces their earlier one, and one person counts once, however many keys they hold;
* who asked for a release or ran it cannot approve it, nor overrule those who refuse it;
* one refusal stands until its author approves after all or an officer overrides it, and then approvals still count; as
  requester and operator can do neither, only somebody else, an officer, can end a refusal of theirs;
* what was signed by a stolen key holds only below the place in the log from which on the trust file voids that key;
* a revocation is final.

An act is *void* where its signer, or the log key that shows its place, may not have signed it then and there: it counts
neither for the release nor against it, and everybody is told. So nobody blocks a release with a stolen or expired key.
What is not in the log, is signed by no listed key or is about something else is not void but foreign: the custodian's
software never writes it, so the file was altered (or the trust file is too old to know), and the bundle is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import canonical, envelope, fields, files
from audit.record.approval import ReleaseAction, same_person
from audit.record.clock import check_not_ahead
from audit.record.encoding import from_base64, to_base64
from audit.record.errors import RecordError, VerificationError
from audit.record.proof import LogProof, entry_of
from audit.record.statement import ACTIONS_FILE, ReleaseRecord
from audit.record.trust import TrustedKey, TrustFile

MAX_ACTIONS = 256
MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Logged:
    """One action's envelope, and the proof of its place in the log."""

    envelope: bytes
    proof: LogProof


def to_bytes(actions: Iterable[Logged]) -> bytes:
    """The actions file, in the order of the log."""
    ordered = sorted(actions, key=lambda each: each.proof.index)
    listed = [{"envelope": to_base64(each.envelope), "proof": to_base64(each.proof.to_bytes())} for each in ordered]
    return canonical.encode({"version": 1, "actions": listed})


def read(folder: Path) -> bytes | None:
    """The actions file of a bundle; ``None`` where there is none."""
    path = folder / ACTIONS_FILE
    return files.read(path, maximum=MAX_BYTES, error=VerificationError) if os.path.lexists(path) else None


def parse(content: bytes) -> tuple[Logged, ...]:
    """The actions in a file; their truth is for ``actions_on`` to say.

    Raises
    ------
    VerificationError
        Not a canonical actions file, or not in the order of the log.
    """
    document = canonical.parse(content, maximum=MAX_BYTES, what=ACTIONS_FILE)
    try:
        found = tuple(_logged(each) for each in _listed(document))
    except RecordError as cause:
        raise VerificationError(f"{ACTIONS_FILE}: {cause}") from None
    places = [each.proof.index for each in found]
    if not 1 <= len(found) <= MAX_ACTIONS or sorted(set(places)) != places:
        raise VerificationError(f"{ACTIONS_FILE}: expected 1 to {MAX_ACTIONS} actions in the order of the log")
    return found


@dataclass(frozen=True)
class VoidAct:
    """An act that counts for nothing, where it stands in the log, and why."""

    action: ReleaseAction
    log_index: int
    problem: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**self.action.to_dict()["predicate"], "logIndex": self.log_index, "problem": self.problem}

    def __str__(self) -> str:
        said = self.action
        return f"{said.action} by {said.by} ({said.role}) in log entry {self.log_index} is void: {self.problem}"


@dataclass(frozen=True)
class Heard:
    """The acts on one record that count and those that are void, both in the order of the log."""

    actions: tuple[ReleaseAction, ...]
    void: tuple[VoidAct, ...] = ()


def check(
    record: ReleaseRecord, wrapped: bytes, content: bytes | None, trust: TrustFile | None, now: datetime
) -> Overseen:
    """What was said about a record, if it may be relied on; ``wrapped`` is its envelope, ``content`` the actions file.

    Raises
    ------
    VerificationError
        Approvals are missing, somebody refuses, it was revoked, the file was altered, or there is no trust file to tell
        whose word counts.
    """
    demanded = record.oversight.count if record.allowed else 0
    if trust is None:
        if content is not None or demanded:
            needed = f"{_counted(demanded, 'approval is', 'approvals are')} demanded"
            what = needed if demanded else f"there is {ACTIONS_FILE}"
            raise VerificationError(
                f"{what}, and whose word counts is in the custodian's trust file; verify with --trust and --root"
            )
        return NOTHING_SAID
    heard = Heard(()) if content is None else actions_on(record, wrapped, parse(content), trust, now)
    return evaluate(record, heard.actions, heard.void)


def actions_on(
    record: ReleaseRecord, wrapped: bytes, logged: Iterable[Logged], trust: TrustFile, now: datetime
) -> Heard:
    """The acts about this record, each in the same log after it, by whether they count.

    One that is dated ahead of ``now`` (an aware time) does not count for the release; against it, it does.

    Raises
    ------
    VerificationError
        One of them is not in the log, is signed by no listed key, or is about something else.
    """
    counted, void = [], []
    for each in logged:
        action, problem = _judged(record, wrapped, each, trust, now)
        if problem:
            void.append(VoidAct(action, each.proof.index, problem))
        else:
            counted.append(action)
    return Heard(tuple(counted), tuple(void))


@dataclass(frozen=True)
class Overseen:
    """All that was said, in the order of the log; ``approved`` is whose approval counts, ``overridden`` who was.

    ``void`` are acts that count for nothing; they are in none of the others.
    """

    actions: tuple[ReleaseAction, ...]
    approved: tuple[ReleaseAction, ...] = ()
    overridden: tuple[ReleaseAction, ...] = ()
    void: tuple[VoidAct, ...] = ()

    @property
    def superseded_by(self) -> str | None:
        """SHA-256 of the envelope of the record that has taken this one's place."""
        return next((each.superseded_by for each in reversed(self.actions) if each.superseded_by), None)


NOTHING_SAID = Overseen(())


def evaluate(record: ReleaseRecord, actions: tuple[ReleaseAction, ...], void: tuple[VoidAct, ...] = ()) -> Overseen:
    """What the actions amount to, in the order of the log; those that are ``void`` are only told of.

    Raises
    ------
    VerificationError
        Revoked; or, of an allowed release: refused by somebody, or fewer approvals than the policy demands.
    """
    terms, found = record.oversight, standing(record, actions)
    for each in actions:
        if each.action == "revoke":
            raise VerificationError(
                f"revoked by {each.by} ({each.role}) on {each.at:%Y-%m-%d %H:%M:%S} UTC: {each.reason}; do not use it"
            )
    if record.allowed and found.refused:
        first = found.refused[0]
        raise VerificationError(
            f"{_counted(len(found.refused), 'person refuses', 'people refuse')} this release, such as {first.by} "
            f"({first.role}): {first.reason}; do not use it"
        )
    if record.allowed and len(found.approved) < terms.count:
        raise VerificationError(
            f"{len(found.approved)} of {terms.count} approvals that the policy demands ({' or '.join(terms.roles)}, "
            "neither requester nor operator); do not use it before the custodian has them"
            + "".join(f"; {each}" for each in void)
        )
    return Overseen(actions, found.approved, found.overridden, void)


@dataclass(frozen=True)
class Standing:
    """Whose approval counts and who still refuses after all that was said; ``overridden`` are refusals overruled."""

    approved: tuple[ReleaseAction, ...]
    refused: tuple[ReleaseAction, ...]
    overridden: tuple[ReleaseAction, ...]


def standing(record: ReleaseRecord, actions: Iterable[ReleaseAction]) -> Standing:
    """Each person's last word, from actions in the order of the log; revocations are for the caller to see."""
    terms = record.oversight
    involved = {same_person(name) for name in (terms.requester, terms.operator) if name is not None}
    approved: dict[str, ReleaseAction] = {}
    refused: dict[str, ReleaseAction] = {}
    overridden: list[ReleaseAction] = []
    for each in actions:
        if each.action == "refuse":
            approved.pop(each.person, None)
            refused[each.person] = each
        elif each.person in involved:
            continue  # their own release
        elif each.action == "approve":
            refused.pop(each.person, None)
            if each.role in terms.roles:
                approved[each.person] = each
        elif each.action == "override":
            overridden += refused.values()
            refused.clear()
    return Standing(tuple(approved.values()), tuple(refused.values()), tuple(overridden))


def _judged(
    record: ReleaseRecord, wrapped: bytes, logged: Logged, trust: TrustFile, now: datetime
) -> tuple[ReleaseAction, str]:
    """The act, and why it is void; an empty reason where it counts."""
    index = logged.proof.index
    try:
        payload, signed_by = envelope.verify_signers(logged.envelope, trust.public_keys, payload_type=envelope.IN_TOTO)
        action = ReleaseAction.from_payload(payload)
        log = _log_key(record, logged, trust)
        _check_subject(action, wrapped)
    except VerificationError as cause:
        raise VerificationError(
            f"{ACTIONS_FILE}: log entry {index}: {cause}; get the newest trust file, else do not use the bundle"
        ) from None
    try:
        _check_later(action, record, index, now)
        signer = _signer(action, [entry for entry in map(trust.find, signed_by) if entry], index)
        if log.revocation is not None or log.valid_from <= action.at:  # else: a fresh proof by a later key
            log.check("log", action.at, log_index=index)
        _check_not_both_stolen(signer, log)
    except VerificationError as cause:
        return action, str(cause)
    return action, ""


def _check_subject(action: ReleaseAction, wrapped: bytes) -> None:
    if bytes.fromhex(action.record_sha256) != entry_of(wrapped):
        raise VerificationError("is about another record")


def _check_later(action: ReleaseAction, record: ReleaseRecord, index: int, now: datetime) -> None:
    against = action.action in ("refuse", "revoke")  # heard whatever a clock says: the log shows that it came later
    if index <= record.log.index or (action.at < record.decided_at and not against):
        raise VerificationError("was made before the record it is about")
    if not against:
        check_not_ahead("it", action.at, now)


def _signer(action: ReleaseAction, signers: Iterable[TrustedKey], index: int) -> TrustedKey:
    for entry in signers:
        if (entry.holder, entry.role) == (action.by, action.role):
            entry.check(action.role, action.at, log_index=index)
            return entry
    raise VerificationError(f"is not signed by the {action.role} key of whom it names")


def _log_key(record: ReleaseRecord, logged: Logged, trust: TrustFile) -> TrustedKey:
    """The log key by which the proof shows the act's place; whether that key may do so is asked later."""
    problem = VerificationError("no log key is in the trust file")
    for entry in trust.keys:
        if entry.role != "log" or not isinstance(entry.public_key, Ed25519PublicKey):
            continue
        try:
            logged.proof.verify(
                logged.envelope, index=logged.proof.index, origin=record.log.origin, key=entry.public_key
            )
        except VerificationError as cause:
            problem = cause
        else:
            return entry
    raise problem


def _check_not_both_stolen(signer: TrustedKey, log: TrustedKey) -> None:
    """Else neither the action's date nor its place in the log shows that it is older than the theft."""
    if signer.compromised and log.compromised:
        raise VerificationError(
            f"the {signer.role} key {signer.id[:16]} and the log key {log.id[:16]} were both stolen, and nothing shows "
            "that it is older than that; ask the custodian for a log proof by the new log key"
        )


def _counted(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _listed(document: Any) -> list[Any]:
    found = fields.members(document, "actions", ("version", "actions"))
    if type(found["version"]) is not int or found["version"] != 1:
        raise RecordError("expected version 1; use a newer verifier")
    return fields.items(found["actions"], "actions")


def _logged(value: object) -> Logged:
    found = fields.members(value, "action", ("envelope", "proof"))
    proof = LogProof.from_bytes(from_base64(found["proof"], "proof"))
    return Logged(from_base64(found["envelope"], "envelope"), proof)
