"""Bundles that verify, and records that must not be believed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from audit.record import canonical, envelope
from audit.record.claim import Mechanism
from audit.record.statement import PROOF_FILE, RECORD_FILE, CoarseFinding
from tests.audit.record.conftest import CLAIM
from tests.conformance.parts import (
    DATA,
    DENIED,
    GATE,
    LOG,
    OTHER,
    PAST,
    PRESS,
    REGULATOR,
    WITNESS,
    Case,
    Files,
    bundle,
    prove,
    record,
    signed,
    statement,
)

REPORT = {"index.html": b"<p>denied</p>\n"}
DECIDED_PRIVATELY = replace(
    CLAIM,
    mechanisms=(*CLAIM.mechanisms, Mechanism("pure", "publication decision", epsilon=0.25)),
    not_covered=("Timing.",),
)
TOLD_PRIVATELY = tuple(
    CoarseFinding(name, True) for name in ("private_gate_votes", "people_told_privately", "dp_epsilon", "dp_delta")
)
REFUSED_PRIVATELY = (CoarseFinding("private_gate_votes", False), *TOLD_PRIVATELY[1:])


def valid() -> Iterator[Case]:
    yield Case("valid", "An allowed release.", bundle())
    yield Case(
        "valid-denied", "A refusal: no data, and as genuine as a release.", bundle(REPORT, **DENIED), decision="denied"
    )
    yield Case("valid-claim", "A release with a differential privacy claim.", bundle(differential_privacy=CLAIM))
    yield Case(
        "valid-claim-row",
        "A claim whose unit is one row, each counted as another patient.",
        bundle(differential_privacy=replace(CLAIM, unit="row", max_rows_per_patient=1)),
    )
    yield Case(
        "valid-claim-decision",
        "A claim that covers the decision: its findings tell of charged mechanisms alone.",
        bundle(differential_privacy=DECIDED_PRIVATELY, findings=TOLD_PRIVATELY),
    )
    yield Case(
        "valid-claim-decision-denied",
        "A refusal by the same mechanism, charged like a release.",
        bundle(REPORT, **{**DENIED, "findings": REFUSED_PRIVATELY}, differential_privacy=DECIDED_PRIVATELY),
        decision="denied",
    )
    yield Case(
        "valid-verdict-only",
        "The policy discloses the verdict alone; every field that may be null is.",
        bundle(findings=None, reason=None, expires_at=None),
    )
    yield Case(
        "valid-expired",
        "Genuine, but to be relied on no longer: a verifier says both.",
        bundle(registered_at=PAST, decided_at=PAST, expires_at=PAST + timedelta(days=365)),
        expired=True,
    )
    yield Case(
        "valid-two-signatures",
        "A second signature by an unknown key neither helps nor harms.",
        bundle(signers=(GATE, OTHER)),
    )
    yield Case("valid-two-keys", "The verifier trusts two keys, one has signed.", bundle(), keys=("other", "gate"))
    names = {"Übersicht 2021.html": b"<p>\n", "empty.txt": b""}
    yield Case("valid-names", "A name with a space and a letter beyond ASCII, and an empty file.", bundle(names))
    seen = bundle(witnesses={REGULATOR: (WITNESS, 3), PRESS: (OTHER, 1)})
    yield Case("valid-cosigned", "Cosigned by two witnesses; nobody asks for them.", seen)
    yield Case(
        "valid-witnessed", "A witness is asked for, and has seen this record in the log.", seen, witnesses=("witness",)
    )


def envelopes() -> Iterator[Case]:
    good = bundle()
    content = good[RECORD_FILE]
    document = json.loads(content)

    def refuse(name: str, about: str, changed: bytes) -> Case:
        # logged as it is, so that nothing but the envelope is wrong
        return Case(
            f"envelope-{name}", about, {**good, RECORD_FILE: changed, PROOF_FILE: prove(changed).to_bytes()}, "envelope"
        )

    def edited(**changes: object) -> bytes:
        return canonical.encode({**document, **changes})

    payload, signature = document["payload"], document["signatures"][0]
    flipped = base64.b64encode(bytes(byte ^ 1 for byte in base64.b64decode(signature["sig"]))).decode()
    other = base64.b64encode(record(DATA, released_rows=3).to_payload()).decode()
    yield refuse("other-key", "Signed by another key than the custodian's.", signed(record(DATA).to_payload(), OTHER))
    yield refuse("log-key", "Signed by the log's key, which signs no records.", signed(record(DATA).to_payload(), LOG))
    yield refuse("altered-payload", "One more row is claimed than was signed.", edited(payload=other))
    yield refuse(
        "altered-signature", "The signature's bits are turned over.", edited(signatures=[{**signature, "sig": flipped}])
    )
    yield refuse("no-signature", "The list of signatures is empty.", edited(signatures=[]))
    yield refuse(
        "wrong-payload-type",
        "Properly signed, as another kind of document.",
        signed(record(DATA).to_payload(), kind="text/plain"),
    )
    relabelled = signed(record(DATA).to_payload(), kind="text/plain").replace(b"text/plain", envelope.IN_TOTO.encode())
    yield refuse("relabelled", "Signed as plain text, then relabelled as a statement.", relabelled)
    yield refuse("unknown-field", "A field that no specification names.", edited(note="hello"))
    yield refuse(
        "duplicate-key",
        "payloadType is written twice.",
        content.replace(b'"payloadType":', b'"payloadType":"text/plain","payloadType":', 1),
    )
    yield refuse("white-space", "The same JSON value, laid out for people.", json.dumps(document, indent=1).encode())
    yield refuse("byte-order-mark", "Three bytes before the JSON text.", b"\xef\xbb\xbf" + content)
    yield refuse("trailing-newline", "One byte after the JSON text.", content + b"\n")
    yield refuse("truncated", "The second half is missing.", content[: len(content) // 2])
    yield refuse("empty", "No bytes at all.", b"")
    yield refuse("url-safe-base64", "The payload in the other alphabet.", edited(payload=payload + "-_-_"))
    yield refuse("loose-base64", "Line breaks inside the base64.", edited(payload=payload[:64] + "\n" + payload[64:]))
    yield refuse("not-json", "Another format.", b"payloadType: application/vnd.in-toto+json\n")


def statements() -> Iterator[Case]:
    def refuse(name: str, about: str, files: Files) -> Case:
        return Case(f"statement-{name}", f"Properly signed and logged, but: {about}", files, "statement")

    payload = record(DATA).to_payload()
    p = "predicate"
    yield refuse("unknown-field", "a field that the predicate does not have.", statement(p, "approvedBy", "me"))
    yield refuse("missing-field", "a field is missing.", statement(p, "ledgerHead", ...))
    yield refuse(
        "duplicate-key",
        "the decision is written twice.",
        bundle(payload=payload.replace(b'"decision":"allowed"', b'"decision":"denied","decision":"allowed"')),
    )
    yield refuse(
        "not-canonical",
        "the payload is not in canonical form.",
        bundle(payload=payload.replace(b'"releasedRows":2', b'"releasedRows": 2')),
    )
    yield refuse("not-a-number", "NaN.", bundle(payload=payload.replace(b'"releasedRows":2', b'"releasedRows":NaN')))
    yield refuse(
        "exponent",
        "a number in another spelling.",
        bundle(payload=payload.replace(b'"releasedRows":2', b'"releasedRows":2e0')),
    )
    yield refuse("other-type", "not an in-toto Statement v1.", statement("_type", "https://in-toto.io/Statement/v0.1"))
    yield refuse("other-predicate", "another predicate.", statement("predicateType", "https://slsa.dev/provenance/v1"))
    private: dict[str, Any] = {"differential_privacy": DECIDED_PRIVATELY, "findings": TOLD_PRIVATELY}
    last = len(DECIDED_PRIVATELY.mechanisms) - 1
    vote = (p, "differentialPrivacy", "mechanisms", last)
    once = DECIDED_PRIVATELY.mechanisms[last].to_dict()
    yield refuse(
        "claim-row-of-several",
        "the claim's unit is one row, and it bounds the rows of a patient by five.",
        statement(p, "differentialPrivacy", "unit", "row", differential_privacy=CLAIM),
    )
    yield refuse(
        "claim-other-unit",
        "the claim's unit is neither a patient nor a row.",
        statement(p, "differentialPrivacy", "unit", "household", differential_privacy=CLAIM),
    )
    yield refuse(
        "claim-decision-and-limits",
        "the claim covers the decision, and a finding tells of a limit, which nothing charged told.",
        statement(p, "findings", 0, "measure", "k_anonymity", **private),
    )
    yield refuse(
        "claim-decision-not-drawn",
        "the vote that should have decided was charged and not drawn.",
        statement(*vote, "drawn", 0, **private),
    )
    yield refuse(
        "claim-decision-twice",
        "the vote that decided was drawn twice: the better of two is no mechanism of that epsilon.",
        statement(p, "differentialPrivacy", "mechanisms", last, {**once, "count": 2, "drawn": 2}, **private),
    )
    yield refuse("true-for-one", "a truth value where a number belongs.", statement(p, "attempt", "number", True))
    yield refuse("other-decision", "neither allowed nor denied.", statement(p, "decision", "maybe"))
    yield refuse(
        "allowed-unmet",
        "allowed with an unmet finding.",
        statement(p, "findings", [{"measure": "k_anonymity", "met": False}]),
    )
    yield refuse("allowed-nothing-measured", "allowed, and no finding at all.", statement(p, "findings", []))
    yield refuse(
        "measure-twice",
        "two findings about one measure.",
        statement(p, "findings", [{"measure": "k_anonymity", "met": True}] * 2),
    )
    yield refuse(
        "denied-with-rows", "a denial that releases rows.", statement(p, "releasedRows", 2, files=REPORT, **DENIED)
    )
    changes = {**DENIED, "findings": (CoarseFinding("k_anonymity", False),)}
    denied = json.loads(record(REPORT, **changes).to_payload())
    denied["subject"] = record(DATA).to_dict()["subject"]
    yield refuse("denied-with-data", "a denial over a data file.", bundle(payload=canonical.encode(denied)))
    yield refuse("path", "a subject outside the folder.", statement("subject", 0, "name", "../data.csv"))
    yield refuse("absolute-path", "a subject anywhere.", statement("subject", 0, "name", "/etc/passwd"))
    yield refuse("backslash", "a path on another system.", statement("subject", 0, "name", "a\\data.csv"))
    yield refuse(
        "control-character", "a name that steers a terminal.", statement("subject", 0, "name", "data\u001b[2J.csv")
    )
    yield refuse("bidirectional", "a name that reads backwards.", statement("subject", 0, "name", "data\u202evsc.exe"))
    yield refuse(
        "decomposed-name", "a name not in Unicode normal form C.", statement("subject", 0, "name", "data\u0301.csv")
    )
    yield refuse("same-name", "two names that are one on some systems.", statement("subject", 0, "name", "INDEX.html"))
    yield refuse("own-name", "the record as its own subject.", statement("subject", 0, "name", RECORD_FILE))
    yield refuse("no-subject", "no subject.", statement("subject", []))
    yield refuse("upper-case-digest", "a digest in capitals.", statement(p, "ledgerHead", "A" * 64))
    yield refuse("short-digest", "a digest of another length.", statement("subject", 0, "digest", "sha256", "a" * 40))
    yield refuse(
        "other-digest",
        "a digest by another algorithm beside SHA-256.",
        statement("subject", 0, "digest", "md5", "a" * 32),
    )
    yield refuse("local-time", "a time with an offset.", statement(p, "decidedAt", "2021-05-01T12:30:00+00:00"))
    yield refuse("no-such-day", "a day that does not exist.", statement(p, "decidedAt", "2021-02-30T12:30:00Z"))
    yield refuse(
        "decided-early", "decided before it was registered.", statement(p, "decidedAt", "2021-05-01T11:59:59Z")
    )
    yield refuse("born-expired", "expired when it was decided.", statement(p, "expiresAt", "2021-05-01T12:30:00Z"))
    yield refuse("too-many-attempts", "attempt 4 of 3.", statement(p, "attempt", "number", 4))
