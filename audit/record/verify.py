"""Does this bundle hold what the custodian signed, wholly and unchanged?

Needs the standard library and ``cryptography`` alone (I-2), no network and no log: ``python -m audit.record.verify``.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import envelope, files, oversight, proof, standing, timestamp, trust
from audit.record.clock import CLOCK_TOLERANCE, check_not_ahead
from audit.record.cosignature import demand
from audit.record.errors import KeyFileError, RecordError, VerificationError
from audit.record.keys import Trusted, load_public_key, load_verifying_key
from audit.record.note import Checkpoint
from audit.record.proof import LogProof
from audit.record.statement import ACTIONS_FILE, MAX_SUBJECTS, PROOF_FILE, RECORD_FILE, ReleaseRecord
from audit.record.timestamp import TIMESTAMP_FILE, Authorities
from audit.record.trust import TrustFile
from audit.record.verdict import Verified, refusal, summary, to_dict

__all__ = ["Verified", "load_trusted", "main", "refusal", "summary", "to_dict", "verify_bundle", "verify_record"]

MAX_FILE = 64 * 1024**3  # bytes of one released file
_DO_NOT_USE = "do not use the bundle; ask the custodian for a fresh copy"


def verify_bundle(
    folder: Path,
    trusted: Trusted | TrustFile,
    *,
    threshold: int = 1,
    now: datetime | None = None,
    witnesses: Sequence[Ed25519PublicKey] = (),
    authorities: Authorities | None = None,
) -> Verified:
    """What the bundle in ``folder`` says, if every byte of it is vouched for by a trusted key.

    Checked, in this order: signature, statement, that it was not decided in the future, log proof, timestamp, what
    people have said, that the folder holds exactly the signed files (regular files, no links, no folders), and the
    SHA-256 of each. Two files more may lie there: ``record.tsr``, a timestamp, which vouches for a date alone, and
    for that where ``authorities`` are given; and ``actions.json``, what people have said about the record since, which
    only a trust file can judge.

    Parameters
    ----------
    trusted
        The custodian's public key, as an object or PEM bytes, or several; ``threshold`` of them must have signed. Or
        the custodian's trust file: then ``threshold`` gate keys in it must have, each while it was valid, and the key
        of the log must be one that the trust file lists as such.
    now
        An aware time at which to ask whether the record has expired, or bears a date that has not come yet; the present
        by default.
    witnesses
        Keys of second parties; each must have cosigned a state of the log that has the record in it.

    Raises
    ------
    VerificationError
        Anything does not hold; the message says what to do.
    KeyFileError
        ``trusted`` holds no usable key.
    """
    with _step("files"):
        record_bytes = files.read(folder / RECORD_FILE, maximum=envelope.MAX_BYTES, error=VerificationError)
        proof_bytes = files.read(folder / PROOF_FILE, maximum=proof.MAX_BYTES, error=VerificationError)
        token = timestamp.read(folder)
        actions = oversight.read(folder)
    verified = verify_record(
        record_bytes,
        proof_bytes,
        trusted,
        threshold=threshold,
        now=now,
        witnesses=witnesses,
        token=token,
        authorities=authorities,
        actions=actions,
    )
    with _step("files"):
        _check_names(folder, {subject.name for subject in verified.subjects} | {RECORD_FILE, PROOF_FILE})
        for subject in verified.subjects:
            _check_content(folder / subject.name, subject.sha256)
    return verified


def verify_record(
    record: bytes,
    log_proof: bytes,
    trusted: Trusted | TrustFile,
    *,
    threshold: int = 1,
    now: datetime | None = None,
    witnesses: Sequence[Ed25519PublicKey] = (),
    token: bytes | None = None,
    authorities: Authorities | None = None,
    actions: bytes | None = None,
) -> Verified:
    """As ``verify_bundle``, for the bytes of the record and its log proof alone; released files are not looked at."""
    held = trusted if isinstance(trusted, TrustFile) else None
    now = now or datetime.now(UTC)
    with _step("envelope"):
        if isinstance(trusted, TrustFile):  # roles are for later: whose signature it is, is told apart from none
            payload, signed_by = envelope.verify_signers(record, trusted.public_keys, payload_type=envelope.IN_TOTO)
        else:
            payload, signed_by = envelope.verify_signers(
                record, trusted, payload_type=envelope.IN_TOTO, threshold=threshold
            )
    with _step("statement"):
        statement = ReleaseRecord.from_payload(payload)
    check_not_ahead("the record", statement.decided_at, now)
    log = statement.log
    log_keys = [Ed25519PublicKey.from_public_bytes(log.public_key)]
    if held is not None:
        check_not_ahead("the trust file", held.issued_at, now)
        with _step("trust"):
            gates = standing.gate_keys(held, statement, signed_by, threshold=threshold)
            signed_by = tuple(each.id for each in gates)
            log_keys = standing.log_keys(held, statement)
    with _step("log", f"{PROOF_FILE}: ", f"; {_DO_NOT_USE}"):
        proven = LogProof.from_bytes(log_proof)
        key, checkpoint = _prove(proven, record, statement, log_keys)
        sightings = proven.sightings(checkpoint, key)
    with _step("witness", f"{PROOF_FILE}: "):
        witnessed = demand(sightings, witnesses, size=log.index + 1)
        for seen in witnessed:
            _check_seen(statement, "witness", seen.at)
            check_not_ahead(f"the cosignature by {seen.witness.name}", seen.at, now)
    with _step("timestamp"):
        if token is not None:
            timestamp.check(token, record)
        stamped = timestamp.verify(token, record, authorities) if token is not None and authorities else None
        if stamped is not None:
            _check_seen(statement, "timestamp authority", stamped)
            check_not_ahead("the timestamp", stamped, now)
    if held is not None:
        with _step("trust"):
            outside = [each.at for each in witnessed] + [stamped] * (stamped is not None)
            standing.check_dates(held, gates, key, min(filter(None, outside), default=None))
    with _step("oversight"):
        overseen = oversight.check(statement, record, actions, held, now)
    return Verified(
        record=statement,
        signed_by=signed_by,
        expired=statement.expired(now),
        witnessed=witnessed,
        trust=held,
        timestamp=stamped,
        unread_timestamp=token is not None and stamped is None,
        overseen=overseen,
    )


def load_trusted(keys: Sequence[Path], trust_file: Path | None, root: Path | None) -> Trusted | TrustFile:
    """What to verify with: public key files, or a trust file and the root key it must be signed by.

    Raises
    ------
    KeyFileError
        Neither or both were given, or a key file cannot be used.
    VerificationError
        The trust file does not hold.
    """
    if bool(keys) == (trust_file is not None) or (trust_file is None) != (root is None):
        raise KeyFileError("give either the custodian's public key, or a trust file and the root key that signed it")
    if trust_file is None or root is None:
        return [load_verifying_key(path) for path in keys]
    root_key = load_verifying_key(root)
    with _step("trust"):
        content = files.read(trust_file, maximum=2 * trust.MAX_BYTES, error=VerificationError)
        return TrustFile.open(content, root_key)


def _check_seen(record: ReleaseRecord, who: str, at: datetime) -> None:
    """Nobody has seen a record before it was decided: then its date is false, which keys and expiry are judged by."""
    if at < record.decided_at - CLOCK_TOLERANCE:
        raise VerificationError(
            f"a {who} saw the record at {at:%Y-%m-%d %H:%M:%S} UTC, and it says that it was decided only at "
            f"{record.decided_at:%Y-%m-%d %H:%M:%S} UTC; {_DO_NOT_USE}"
        )


def _prove(
    proven: LogProof, record: bytes, statement: ReleaseRecord, keys: Sequence[Ed25519PublicKey]
) -> tuple[Ed25519PublicKey, Checkpoint]:
    """The log key that signed the proof, and its checkpoint; the first of ``keys`` is the one the record names."""
    problem: VerificationError | None = None
    for key in keys:
        try:
            return key, proven.verify(record, index=statement.log.index, origin=statement.log.origin, key=key)
        except VerificationError as cause:
            problem = problem or cause
    raise problem or VerificationError("no log key was given")


@contextlib.contextmanager
def _step(why: str, before: str = "", after: str = "") -> Iterator[None]:
    """Name the step of the check in which a refusal came up; the bytes that fail first are the ones that are named."""
    try:
        yield
    except VerificationError as cause:
        if cause.why:
            raise
        raise VerificationError(f"{before}{cause}{after}", why=why) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns 0 if the bundle is verified, 1 if not, 2 if it cannot be asked so."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.key) == bool(options.trust) or bool(options.trust) != bool(options.root):
        parser.error("give --key, or --trust and --root")
    try:
        trusted = load_trusted(options.key, options.trust, options.root)
        authorities = Authorities.load(options.timestamp_authority) if options.timestamp_authority else None
        witnesses = [load_public_key(path) for path in options.witness]
    except KeyFileError as cause:
        sys.stderr.write(f"cannot verify: {cause}\n")
        return 2
    except VerificationError as cause:
        return _refuse(cause, as_json=options.json)
    if not options.bundle.is_dir():
        sys.stderr.write(f"cannot verify: {options.bundle.name}: is not a folder; give the one with {RECORD_FILE}\n")
        return 2
    try:
        verified = verify_bundle(options.bundle, trusted, witnesses=witnesses, authorities=authorities)
    except RecordError as cause:
        return _refuse(cause, as_json=options.json)
    sys.stderr.write(summary(verified))
    if options.json:
        _print_json(to_dict(verified))
    return 0


def _refuse(cause: RecordError, *, as_json: bool) -> int:
    sys.stderr.write(f"NOT VERIFIED: {cause}\n")
    if as_json:
        _print_json(refusal(cause))
    return 1


def _check_names(folder: Path, expected: set[str]) -> None:
    found: set[str] = set()
    try:
        for path in folder.iterdir():
            found.add(path.name)
            if len(found) > MAX_SUBJECTS + 4:
                break
    except OSError as cause:
        raise VerificationError(f"{folder.name}: cannot be listed ({cause.strerror}); check path and rights") from None
    missing, extra = expected - found, found - expected - {TIMESTAMP_FILE, ACTIONS_FILE}
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
        "Example: python -m audit.record.verify release-0007/ --key custodian.pub\n"
        "         python -m audit.record.verify release-0007/ --trust trust.dsse.json --root root.pub.pem",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help=f"the folder that holds {RECORD_FILE}")
    parser.add_argument("--key", type=Path, action="append", default=[], help="a trusted public key (PEM); repeatable")
    parser.add_argument(
        "--trust", type=Path, help="in place of --key: the custodian's trust file, with every key, past ones included"
    )
    parser.add_argument("--root", type=Path, help="the root public key (PEM) that must have signed the trust file")
    parser.add_argument(
        "--timestamp-authority",
        type=Path,
        help=f"certificate (PEM) of the timestamp authority: checks {TIMESTAMP_FILE} where there is one",
    )
    parser.add_argument(
        "--witness",
        type=Path,
        action="append",
        default=[],
        help="public key (PEM) of a witness that must have seen the record in the log; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print the verdict and the signed statement to stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())
