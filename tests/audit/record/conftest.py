"""Keys, records and small bundles that the record tests share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.record import envelope
from audit.record.claim import Accountant, CrossCheck, DatasetBudget, Mechanism, PrivacyClaim
from audit.record.log import ReleaseLog
from audit.record.statement import (
    PROOF_FILE,
    RECORD_FILE,
    Attempt,
    CoarseFinding,
    DictionaryUsed,
    LogPosition,
    PolicyUsed,
    ReleaseRecord,
    Software,
    SourceCommitment,
    Subject,
)

ORIGIN = "hospital.example/releases"
ALLOWED_FILES = {"data.csv": b"age,sex\n61,f\n58,m\n", "report.html": b"<p>allowed</p>\n"}
DENIED_FILES = {"report.html": b"<p>denied</p>\n"}
CLAIM = PrivacyClaim(
    max_rows_per_patient=5,
    epsilon=0.998,
    delta=1e-6,
    mechanisms=(
        Mechanism("gaussian", "one-way tables", count=12, drawn=12, sigma=61.5, sensitivity=5.0),
        Mechanism("exponential", "which table next", count=9, drawn=7, epsilon=0.04),
        Mechanism("sampled_gaussian", "cvae", noise_multiplier=4.5, sampling_rate=0.01, steps=300),
        Mechanism("pure", "head count", epsilon=0.02),
        Mechanism("envelope", "planned by the noisy head count", epsilon=0.5, delta=1e-7),
    ),
    accountant=Accountant("pld", "dp-accounting 0.6.0", (CrossCheck("rdp", 1.09), CrossCheck("zcdp", 1.12)), 0.0081),
    budget=DatasetBudget(3.0, 1e-5, 1.75, 1.25, 0.031),
    composition="These releases in this order, parameters fixed before each.",
    not_covered=("The audit's own look at real rows.",),
)


@pytest.fixture(scope="session")
def gate_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="session")
def log_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


@pytest.fixture(scope="session")
def other_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))


@pytest.fixture(scope="session")
def make_record(log_key: Ed25519PrivateKey) -> Callable[..., ReleaseRecord]:
    """A complete, allowed record; keyword arguments replace its fields."""
    log_public = log_key.public_key().public_bytes_raw()

    def make(**changes: Any) -> ReleaseRecord:
        values: dict[str, Any] = {
            "subjects": (Subject("data.csv", "a" * 64), Subject("report.html", "b" * 64)),
            "decision": "allowed",
            "reason": "every limit of the policy was met",
            "findings": (CoarseFinding("k_anonymity", True), CoarseFinding("nnaa_privacy_loss", True)),
            "policy": PolicyUsed("research-extract", "1" * 64),
            "dictionary": DictionaryUsed("heart-disease", "2" * 64),
            "source": SourceCommitment("hmac-sha256:" + "3" * 64, "source-2021"),
            "released_rows": 2,
            "software": Software("sluice-gate", "0.1.0", "4" * 64, "5" * 64),
            "synthesizer": {"components": ["gmm", "noise"], "weights": {"gmm": 0.75, "noise": 0.25}},
            "differential_privacy": CLAIM,
            "attempt": Attempt(1, 3),
            "ledger_head": "6" * 64,
            "log": LogPosition(2, ORIGIN, log_public),
            "evidence_sha256": "7" * 64,
            "registered_at": datetime(2021, 5, 1, 12, 0, 0, tzinfo=UTC),
            "decided_at": datetime(2021, 5, 1, 12, 30, 0, tzinfo=UTC),
            "expires_at": datetime(2099, 5, 1, tzinfo=UTC),
            "not_covered": ("What the recipient combines the rows with.",),
        }
        return ReleaseRecord(**(values | changes))

    return make


@pytest.fixture
def make_bundle(
    tmp_path: Path, gate_key: Ed25519PrivateKey, log_key: Ed25519PrivateKey, make_record: Callable[..., ReleaseRecord]
) -> Callable[..., Path]:
    """A bundle as the gate writes it: entry 2 of a log of 3."""

    def make(name: str = "bundle", *, files: dict[str, bytes] = ALLOWED_FILES, **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_bytes(content)
        subjects = tuple(Subject(file, hashlib.sha256(content).hexdigest()) for file, content in files.items())
        log = ReleaseLog.create(tmp_path / f"{name}-log", ORIGIN, log_key)
        log.append(b"an earlier record")
        log.append(b"another earlier record")
        with log.writer() as writer:
            position = LogPosition(writer.next_index, ORIGIN, log.public_key.public_bytes_raw())
            record = make_record(**({"subjects": subjects, "log": position} | changes))
            signed = envelope.sign(record.to_payload(), envelope.IN_TOTO, gate_key)
            proof = writer.append(signed)
        (folder / RECORD_FILE).write_bytes(signed)
        (folder / PROOF_FILE).write_bytes(proof.to_bytes())
        return folder

    return make
