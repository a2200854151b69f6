"""Does this bundle hold what the custodian signed, wholly and unchanged?

Needs the standard library and ``cryptography`` alone (I-2), no network and no log: ``python -m audit.record.verify``.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import envelope, files, proof
from audit.record.errors import KeyFileError, RecordError, VerificationError
from audit.record.keys import Trusted, load_public_key
from audit.record.proof import LogProof
from audit.record.statement import MAX_SUBJECTS, PROOF_FILE, RECORD_FILE, ReleaseRecord, Subject

MAX_FILE = 64 * 1024**3  # bytes of one released file
_DO_NOT_USE = "do not use the bundle; ask the custodian for a fresh copy"


@dataclass(frozen=True)
class Verified:
    """What a bundle says, once all of it has been checked.

    ``signed_by`` are ids of trusted keys. ``expired`` is as of the time of the check: an expired record is genuine, but
    should not be relied on any longer.
    """

    record: ReleaseRecord
    signed_by: tuple[str, ...]
    expired: bool

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The released files; with the record and the log proof they are all the files there are."""
        return self.record.subjects

    @property
    def log_index(self) -> int:
        """Where in the log the record stands, from 0."""
        return self.record.log.index


def verify_bundle(folder: Path, trusted: Trusted, *, threshold: int = 1, now: datetime | None = None) -> Verified:
    """What the bundle in ``folder`` says, if every byte of it is vouched for by a trusted key.

    Checked, in this order: signature, statement, log proof, that the folder holds exactly the signed files (regular
    files, no links, no folders), and the SHA-256 of each.

    Parameters
    ----------
    trusted
        The custodian's public key, as an object or PEM bytes, or several; ``threshold`` of them must have signed.
    now
        An aware time at which to ask whether the record has expired; the present by default.

    Raises
    ------
    VerificationError
        Anything does not hold; the message says what to do.
    KeyFileError
        ``trusted`` holds no usable key.
    """
    record_bytes = files.read(folder / RECORD_FILE, maximum=envelope.MAX_BYTES, error=VerificationError)
    proof_bytes = files.read(folder / PROOF_FILE, maximum=proof.MAX_BYTES, error=VerificationError)
    verified = verify_record(record_bytes, proof_bytes, trusted, threshold=threshold, now=now)
    _check_names(folder, {subject.name for subject in verified.subjects} | {RECORD_FILE, PROOF_FILE})
    for subject in verified.subjects:
        _check_content(folder / subject.name, subject.sha256)
    return verified


def verify_record(
    record: bytes, log_proof: bytes, trusted: Trusted, *, threshold: int = 1, now: datetime | None = None
) -> Verified:
    """As ``verify_bundle``, for the bytes of the record and its log proof alone; released files are not looked at."""
    payload, signed_by = envelope.verify_signers(record, trusted, payload_type=envelope.IN_TOTO, threshold=threshold)
    statement = ReleaseRecord.from_payload(payload)
    log = statement.log
    try:
        key = Ed25519PublicKey.from_public_bytes(log.public_key)
        LogProof.from_bytes(log_proof).verify(record, index=log.index, origin=log.origin, key=key)
    except VerificationError as cause:
        raise VerificationError(f"{PROOF_FILE}: {cause}; {_DO_NOT_USE}") from None
    return Verified(statement, signed_by, statement.expired(now or datetime.now(UTC)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns 0 if the bundle is verified, 1 if not, 2 if it cannot be asked so."""
    options = _parser().parse_args(arguments)
    try:
        keys = [load_public_key(path) for path in options.key]
    except KeyFileError as cause:
        sys.stderr.write(f"cannot verify: {cause}\n")
        return 2
    if not options.bundle.is_dir():
        sys.stderr.write(f"cannot verify: {options.bundle.name}: is not a folder; give the one with {RECORD_FILE}\n")
        return 2
    try:
        verified = verify_bundle(options.bundle, keys)
    except RecordError as cause:
        sys.stderr.write(f"NOT VERIFIED: {cause}\n")
        if options.json:
            _print_json({"verified": False, "problem": str(cause)})
        return 1
    sys.stderr.write(summary(verified))
    if options.json:
        _print_json(to_dict(verified))
    return 0


def summary(verified: Verified) -> str:
    """What a person needs to know of a verified bundle, in a few lines."""
    record = verified.record
    lines = [
        f"VERIFIED: signed by {', '.join(verified.signed_by)}",
        f"decision  {record.decision.upper()} under policy {record.policy.id}"
        + (f": {record.reason}" if record.reason else ""),
        f"decided   {record.decided_at:%Y-%m-%d %H:%M:%S} UTC",
        f"attempt   {record.attempt.number} of {record.attempt.maximum}",
        f"log       entry {record.log.index} of {record.log.origin}",
    ]
    lines += [f"file      {subject.name}  sha256 {subject.sha256}" for subject in verified.subjects]
    lines += [f"beware    {sentence}" for sentence in record.not_covered]
    if record.expires_at is not None:
        lines.append(
            f"EXPIRED   {record.expires_at:%Y-%m-%d}: genuine, but no longer to be relied on; ask the custodian"
            if verified.expired
            else f"expires   {record.expires_at:%Y-%m-%d}"
        )
    return "\n".join(lines) + "\n"


def to_dict(verified: Verified) -> dict[str, Any]:
    """The shape ``--json`` prints: the verdict of the check, and the signed statement."""
    return {
        "verified": True,
        "expired": verified.expired,
        "signedBy": list(verified.signed_by),
        "statement": verified.record.to_dict(),
    }


def _check_names(folder: Path, expected: set[str]) -> None:
    found: set[str] = set()
    try:
        for path in folder.iterdir():
            found.add(path.name)
            if len(found) > MAX_SUBJECTS + 2:
                break
    except OSError as cause:
        raise VerificationError(f"{folder.name}: cannot be listed ({cause.strerror}); check path and rights") from None
    missing, extra = expected - found, found - expected
    if missing:
        raise VerificationError(f"{len(missing)} signed files are missing: {', '.join(sorted(missing))}; {_DO_NOT_USE}")
    if extra:
        # escaped and cut short: a name nobody signed may try to steer the terminal
        shown = ", ".join(ascii(name[:60]) for name in sorted(extra)[:3])
        raise VerificationError(
            f"{len(extra)} files are not among the {len(expected)} signed ones, such as {shown}; remove them if you "
            "put them there, else ask the custodian for a fresh copy"
        )


def _check_content(path: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with files.open_regular(path, VerificationError) as descriptor:
        for chunk in files.chunks(descriptor, path, maximum=MAX_FILE, error=VerificationError):
            digest.update(chunk)
    if not hmac.compare_digest(digest.hexdigest(), sha256):
        raise VerificationError(f"{path.name}: is not the file that was signed (SHA-256 differs); {_DO_NOT_USE}")


def _print_json(content: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(content, indent=2, allow_nan=False, default=dict) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m audit.record.verify",
        description="Check a release bundle against the custodian's public key. No network is used.",
        epilog="Exit codes: 0 verified, 1 not verified, 2 cannot be asked so.\n"
        "Example: python -m audit.record.verify release-0007/ --key custodian.pub",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help=f"the folder that holds {RECORD_FILE}")
    parser.add_argument(
        "--key", type=Path, action="append", required=True, help="a trusted public key (PEM); repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print the verdict and the signed statement to stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())
