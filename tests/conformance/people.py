"""Releases on which people have had their say: approved, refused, revoked, superseded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from audit.record import canonical
from audit.record.approval import Action, ReleaseAction
from audit.record.oversight import Logged, to_bytes
from audit.record.parts import NO_OVERSIGHT, Oversight
from audit.record.proof import entry_of
from audit.record.statement import ACTIONS_FILE, PROOF_FILE, RECORD_FILE
from audit.record.trust import Revocation, TrustedKey
from tests.conformance.parts import (
    AHEAD,
    APPROVER,
    BEFORE,
    DATA,
    DECIDED,
    EXPIRES,
    GATE,
    LOG,
    OFFICER,
    OTHER,
    PAST,
    Case,
    Files,
    Key,
    key,
    listed,
    prove,
    record,
    signed,
    trust,
)

TERMS = Oversight("Rosa Requester", "Otto Operator", 2, ("approver", "officer"))
ADA, OLGA, ROSA, JOSE = "Dr Ada Example", "Olga Officer", "Rosa Requester", "Jos\u00e9 Example"
PEOPLE: dict[str, tuple[Any, Key]] = {
    ADA: ("approver", APPROVER),
    OLGA: ("officer", OFFICER),
    ROSA: ("approver", OTHER),
    JOSE: ("approver", OTHER),
}
Word = tuple[Action, str]


def oversight() -> Iterator[Case]:
    people = [
        TrustedKey(role, name, key.public_key(), PAST, EXPIRES) for name, (role, key) in PEOPLE.items() if name != JOSE
    ]
    held = trust(listed("gate", GATE), listed("log", LOG), *people)
    approved: list[Word] = [("approve", ADA), ("approve", OLGA)]

    def case(name: str, about: str, said: Sequence[Word], why: str | None = "oversight", **changes: Any) -> Case:
        return Case(name, about, released(said, **changes), why, keys=(), trust=held)

    yield case("oversight-approved", "Two people who had no part in it approve.", approved, None)
    yield case(
        "oversight-superseded", "Genuine, and another has taken its place.", [*approved, ("supersede", OLGA)], None
    )
    overridden: list[Word] = [("approve", ADA), ("refuse", OLGA), ("override", OLGA), ("approve", OLGA)]
    yield case("oversight-overridden", "A refusal was overridden by an officer.", overridden, None)
    yield case("oversight-none", "Two approvals are demanded; there is none.", [])
    yield case("oversight-one", "Two approvals are demanded; there is one.", approved[:1])
    yield case("oversight-own", "The requester's own approval does not count.", [("approve", ADA), ("approve", ROSA)])
    full_width = replace(TERMS, requester="\uff32osa Requester")
    yield case(
        "oversight-own-compatible",
        "The requester's own approval does not count, though the record spells the name in a full-width letter.",
        [("approve", ADA), ("approve", ROSA)],
        terms=full_width,
    )
    document = record(DATA, oversight=TERMS).to_dict()
    document["predicate"]["oversight"]["requester"] = "Jose\u0301 Example"  # two characters for one letter
    spelled = [*people[:-1], TrustedKey("approver", JOSE, OTHER.public_key(), PAST, EXPIRES)]
    yield Case(
        "oversight-own-decomposed",
        "The requester approves, and the record spells the name with a combining accent, as no trust file does.",
        released([("approve", ADA), ("approve", JOSE)], payload=canonical.encode(document)),
        "statement",
        keys=(),
        trust=trust(listed("gate", GATE), listed("log", LOG), *spelled),
    )
    yield case("oversight-twice", "One person's two approvals count once.", [("approve", ADA), ("approve", ADA)])
    yield case("oversight-refused", "Somebody refuses.", [*approved, ("refuse", ADA)])
    yield case("oversight-revoked", "Approved, then revoked.", [*approved, ("revoke", OLGA)])
    yield case(
        "oversight-revoked-anyway", "Revoked; no approvals were demanded.", [("revoke", OLGA)], terms=NO_OVERSIGHT
    )
    good = released(approved)
    cut = {**good, ACTIONS_FILE: good[ACTIONS_FILE][:-2]}
    yield Case("oversight-truncated", "The end of the actions is missing.", cut, "oversight", keys=(), trust=held)
    other = {**good, ACTIONS_FILE: released(approved, released_rows=1)[ACTIONS_FILE]}
    yield Case("oversight-of-another", "Approvals of another record.", other, "oversight", keys=(), trust=held)
    yield Case("oversight-untrusted", "Approvals, and no trust file to say whose word counts.", good, "oversight")
    forged = released([("approve", ADA)], signer=OTHER)
    yield Case("oversight-forged", "An approval in another's name.", forged, "oversight", keys=(), trust=held)
    by_nobody = released([*approved, ("approve", JOSE)], terms=NO_OVERSIGHT, signer=key(9))
    yield Case(
        "oversight-unlisted", "Acts by a key that nobody has listed.", by_nobody, "oversight", keys=(), trust=held
    )
    yield case("oversight-dated-ahead", "The second approval bears the year 9998.", approved, dates={1: AHEAD})
    refused = released([*approved, ("refuse", ROSA)])
    gone = Revocation(DECIDED + timedelta(days=1), "stolen", True, len(BEFORE) + 3)
    stolen = [replace(each, revocation=gone) if each.holder == ROSA else each for each in people]
    yield Case(
        "oversight-void",
        "Two people approve, and a stolen key refuses: what it signed counts for nothing, and a verifier says so.",
        refused,
        keys=(),
        trust=trust(listed("gate", GATE), listed("log", LOG), *stolen),
    )
    void = [
        replace(each, revocation=replace(gone, from_log_index=0)) if each.holder == OLGA else each for each in people
    ]
    yield Case(
        "oversight-void-approval",
        "Two approvals are demanded, and the key of one was stolen before it signed.",
        good,
        "oversight",
        keys=(),
        trust=trust(listed("gate", GATE), listed("log", LOG), *void),
    )


def released(
    said: Sequence[Word],
    *,
    terms: Oversight = TERMS,
    signer: Key | None = None,
    payload: bytes | None = None,
    dates: Mapping[int, datetime] | None = None,
    **changes: Any,
) -> Files:
    """A bundle and what people said about it, a minute apart, all in one log; ``payload`` in place of a record's.

    ``dates`` are those of some of the acts, counted from 0, in place of the minute.
    """
    wrapped = signed(payload or record(DATA, oversight=terms, **changes).to_payload())
    envelopes = []
    for number, (action, name) in enumerate(said, start=1):
        role, key = PEOPLE[name]
        statement = ReleaseAction(
            action,
            entry_of(wrapped).hex(),
            name,
            role,
            "as discussed",
            (dates or {}).get(number - 1, DECIDED + timedelta(minutes=number)),
            superseded_by="b" * 64 if action == "supersede" else None,
        )
        envelopes.append(statement.sign(signer or key))
    actions = [
        Logged(each, prove(each, before=(*BEFORE, wrapped, *envelopes[:place]), after=envelopes[place + 1 :]))
        for place, each in enumerate(envelopes)
    ]
    files = {**DATA, RECORD_FILE: wrapped, PROOF_FILE: prove(wrapped, after=envelopes).to_bytes()}
    return files | ({ACTIONS_FILE: to_bytes(actions)} if actions else {})
