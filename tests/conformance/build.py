"""Writes the conformance folder anew: ``python -m tests.conformance.build``.

Keys are fixed and everybody's, times are fixed, Ed25519 signs deterministically: the same sources give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from audit.record import envelope, merkle
from audit.record.keys import key_id, public_pem
from audit.record.note import COSIGNATURE, key_hash
from audit.record.proof import LogProof, entry_of
from audit.record.statement import PROOF_FILE, RECORD_FILE
from tests.conformance import people, records, stamps, surroundings
from tests.conformance.parts import APPROVER, GATE, LOG, OFFICER, OTHER, REGULATOR, ROOT, WITNESS, Case, bundle

FOLDER = Path(__file__).parent
PUBLIC = {
    "gate": GATE,
    "log": LOG,
    "root": ROOT,
    "witness": WITNESS,
    "approver": APPROVER,
    "other": OTHER,
    "officer": OFFICER,
}


def build(folder: Path) -> None:
    """Write ``index.json``, ``golden.json``, ``keys``, ``trust`` and ``cases`` into ``folder``, in place of the old."""
    for name in ("cases", "keys", "trust"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    for name, key in PUBLIC.items():
        (folder / "keys" / f"{name}.pub.pem").write_bytes(public_pem(key.public_key()))
    (folder / "keys" / "authority.pem").write_bytes(stamps.root_pem())
    cases = all_cases()
    for case in cases:
        place = folder / "cases" / case.name
        place.mkdir()
        for name, content in case.files.items():
            (place / name).write_bytes(content)
        if case.trust is not None:
            (folder / "trust" / f"{case.name}.dsse.json").write_bytes(case.trust)
    _write(folder / "index.json", {"version": 1, "cases": [_entry(case) for case in cases]})
    _write(folder / "golden.json", golden())


def all_cases() -> list[Case]:
    """In the order of the index."""
    return [
        *records.valid(),
        *records.envelopes(),
        *records.statements(),
        *surroundings.logs(),
        *surroundings.witnesses(),
        *surroundings.clocks(),
        *stamps.timestamps(),
        *surroundings.folders(),
        *surroundings.trust_files(),
        *people.oversight(),
    ]


def golden() -> dict[str, Any]:
    """Every step from a record to its place in the log, so that a new verifier can see where it differs."""
    files = bundle(witnesses={REGULATOR: (WITNESS, 3)})
    wrapped, proof = files[RECORD_FILE], LogProof.from_bytes(files[PROOF_FILE])
    document = json.loads(wrapped)
    payload = base64.b64decode(document["payload"])
    [witnessed] = proof.witnessed
    text = proof.checkpoint.decode().partition("\n\n")[0] + "\n"
    return {
        "gatePublicKey": GATE.public_key().public_bytes_raw().hex(),
        "gateKeyId": key_id(GATE.public_key()),
        "payload": payload.decode(),
        "preAuthenticationEncodingSha256": hashlib.sha256(envelope.pae(envelope.IN_TOTO, payload)).hexdigest(),
        "signature": base64.b64decode(document["signatures"][0]["sig"]).hex(),
        "envelopeSha256": entry_of(wrapped).hex(),
        "leafHash": merkle.leaf_hash(entry_of(wrapped)).hex(),
        "index": proof.index,
        "treeSize": proof.size,
        "inclusionProof": [each.hex() for each in proof.hashes],
        "root": base64.b64decode(text.splitlines()[2]).hex(),
        "logPublicKey": LOG.public_key().public_bytes_raw().hex(),
        "checkpointText": text,
        "checkpoint": proof.checkpoint.decode(),
        "witnessKey": witnessed.cosigned.witness.vkey,
        "witnessKeyHash": key_hash(REGULATOR, WITNESS.public_key(), COSIGNATURE).hex(),
        "cosignedCheckpoint": witnessed.cosigned.to_dict()["checkpoint"],
        "consistencyProof": [each.hex() for each in witnessed.hashes],
    }


def _entry(case: Case) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": case.name, "about": case.about, "bundle": f"cases/{case.name}"}
    if case.trust is None:
        entry["keys"] = [f"keys/{name}.pub.pem" for name in case.keys]
    else:
        entry |= {"trust": f"trust/{case.name}.dsse.json", "root": f"keys/{case.root}.pub.pem"}
    if case.witnesses:
        entry["witnesses"] = [f"keys/{name}.pub.pem" for name in case.witnesses]
    if case.authority is not None:
        entry["timestampAuthority"] = f"keys/{case.authority}.pem"
    if case.prepare:
        entry["prepare"] = list(case.prepare)
    if case.why is None:
        return {**entry, "answer": "verified", "decision": case.decision, "expired": case.expired}
    return {**entry, "answer": "refused", "why": case.why}


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
