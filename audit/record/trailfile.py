"""How does an audit trail travel: one file, signed, that is checked without the custodian and without a network?

A tar archive (POSIX ustar, uncompressed) of plain files, always the same bytes for the same content:

* ``index.dsse.json``, first: who exported what, when and by which filter, and the SHA-256 of every other file; in a
  DSSE envelope by the log's or an officer's key;
* ``records/``, ``actions/``: envelopes as they were signed; ``proofs/``: each one's place in the log;
* ``log.json``: the whole log as hashes, with its checkpoint and its witnesses;
* ``keys/``: every key as PEM; the trust file and the root key where the custodian has them;
* ``VERIFY.md``: how to check it.

It is read in memory and never unpacked. The index also lists the keys with their roles and windows: a reader who trusts
the signer of the index needs nothing else, and a reader who holds the custodian's root key need not even do that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import archive, canonical, envelope, fields, plaintar
from audit.record.archive import LogArchive
from audit.record.clock import check_not_ahead
from audit.record.encoding import check_sha256
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import EnvelopeSigner, Trusted, public_keys, public_pem
from audit.record.note import Checkpoint, check_origin
from audit.record.proof import LogProof, entry_of
from audit.record.trail import Trail, prove, read_trail, tree_of
from audit.record.trust import TrustedKey, TrustFile

INDEX_FILE, LOG_FILE, VERIFY_FILE = "index.dsse.json", "log.json", "VERIFY.md"
TRUST_FILE, ROOT_FILE = "keys/trust.dsse.json", "keys/root.pub.pem"
INDEX_TYPE = "https://sluice.dev/audit-trail/v1"
PAYLOAD_TYPE = "application/vnd.sluice.audit-trail+json"
MAX_BYTES = 1024**3
_VERIFY = """# How to verify this audit trail

You need the public key of the log or of the officer who signed it, or the custodian's root key: obtained from the
custodian in person, and not from this archive. Do not unpack it first.

    pip install sluice-gate
    gateway audit verify ARCHIVE.tar --key officer.pub.pem
    gateway audit verify ARCHIVE.tar --root root.pub.pem

Nothing needs a network. `records/` holds each signed decision (in-toto Statements in DSSE envelopes), `actions/` what
people have signed about them, `proofs/` the place of each in the transparency log (RFC 6962), `log.json` that log as
hashes, `index.dsse.json` the SHA-256 of every file.
"""
_ALTERED = "the archive was altered or cut short; ask for a fresh copy"


@dataclass(frozen=True)
class Index:
    """What an archive holds and how it was chosen.

    ``chosen`` is the filter in words by its name, empty for everything. ``records`` counts those that were chosen,
    ``entries`` those of the whole log. ``problems`` is what did not hold when it was exported.
    """

    origin: str
    exported_at: datetime
    chosen: Mapping[str, str]
    records: int
    entries: int
    keys: tuple[TrustedKey, ...]
    files: Mapping[str, str]
    problems: tuple[str, ...] = ()

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed."""
        return canonical.encode(
            {
                "_type": INDEX_TYPE,
                "origin": self.origin,
                "exportedAt": fields.instant_text(self.exported_at),
                "chosen": dict(self.chosen),
                "records": self.records,
                "entries": self.entries,
                "keys": [each.to_dict() for each in self.keys],
                "files": dict(self.files),
                "problems": list(self.problems),
            }
        )

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """The index in a payload that has come out of its envelope.

        Raises
        ------
        VerificationError
            Not canonical, another type, a field missing, unknown or malformed.
        """
        document = canonical.parse(payload, maximum=envelope.MAX_BYTES, what="archive index")
        try:
            return cls(**_arguments(document))
        except RecordError as cause:
            raise VerificationError(f"archive index: {cause}") from None


@dataclass(frozen=True)
class Opened:
    """An archive all of whose bytes are vouched for. ``signed_by`` holds the entries of the keys that signed it.

    ``trust`` is the trust file that decided, ``None`` where the index did. ``not_shown`` counts the entries of the log
    whose envelope is not in the archive: because of the filter, or because its signer left them out.
    """

    index: Index
    trail: Trail
    checkpoint: Checkpoint
    signed_by: tuple[TrustedKey, ...]
    trust: TrustFile | None = None
    not_shown: int = 0


def pack(
    records: Mapping[str, bytes],
    actions: Mapping[str, bytes],
    log: LogArchive,
    keys: tuple[TrustedKey, ...],
    signer: EnvelopeSigner,
    *,
    exported_at: datetime,
    chosen: Mapping[str, str],
    trust: Mapping[str, bytes],
    problems: tuple[str, ...] = (),
) -> bytes:
    """The archive file. ``trust`` holds the trust file and the root key under their names, where there are any.

    Raises
    ------
    RecordError
        The index would exceed 4 MiB: choose a shorter period. Or a file has a name that Sluice does not give.
    """
    tree = tree_of(log)
    places = {entry.hex(): index for index, entry in enumerate(log.entries)}
    files: dict[str, bytes] = {VERIFY_FILE: _VERIFY.encode(), LOG_FILE: log.to_bytes(), **trust}
    files |= {f"keys/{each.role}-{each.id[:16]}.pub.pem": public_pem(each.public_key) for each in keys}
    for folder, envelopes in (("records", records), ("actions", actions)):
        for name, content in envelopes.items():
            files[f"{folder}/{name}"] = content
            place = places.get(hashlib.sha256(content).hexdigest())
            if place is not None:
                files[f"proofs/{name}"] = prove(log, place, tree).to_bytes()
    for name in files:
        if not plaintar.is_name(name):
            raise RecordError(f"{name!a}: is no name that Sluice gives; find out how it came into the workspace")
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    index = Index(log.origin, exported_at, chosen, len(records), len(log.entries), keys, digests, problems)
    head = envelope.sign(index.to_payload(), PAYLOAD_TYPE, signer)
    return plaintar.pack({INDEX_FILE: head, **{name: files[name] for name in digests}})


def unpack(
    content: bytes, trusted: Trusted | None = None, *, root: Trusted | None = None, own: TrustFile | None = None,
    now: datetime | None = None,
) -> Opened:  # fmt: skip
    """What an archive says, if every byte of it is vouched for.

    Parameters
    ----------
    trusted
        The public key that must have signed the index: the log's or an officer's. Roles and windows of all other keys
        are then as the index says.
    root
        In its place, the custodian's root key: then the trust file in the archive decides, for the index too.
    own
        With ``root``: a trust file that the reader holds already and that decides in place of the archive's.
    now
        An aware time: what bears a later date is false. The present by default.

    Raises
    ------
    VerificationError
        Another key, a file altered, missing or added, a log that is not the one its key signed, a proof that does not
        hold; or the archive carries a newer trust file than ``own``, or one that contradicts it. A *record* that does
        not hold is no such error: it is an entry of the trail with its problem. So is, unless a filter was set, an
        entry of the log whose envelope is not there.
    """
    now = now or datetime.now(UTC)
    files = plaintar.unpack(content, maximum=MAX_BYTES)
    head = files.pop(INDEX_FILE, None)
    if head is None:
        raise VerificationError(f"there is no {INDEX_FILE}; this is no audit archive")
    vouched = None if root is None else _trust_of(files, root, own)
    keys = vouched.public_keys if vouched is not None else public_keys(trusted or ())
    payload, signers = envelope.verify_signers(head, keys, payload_type=PAYLOAD_TYPE)
    _check_spelling(head, signers)
    index = Index.from_payload(payload)
    check_not_ahead(INDEX_FILE, index.exported_at, now)
    trust = vouched or TrustFile(1, index.exported_at, index.keys)
    signed_by = _check_signer(trust, signers, index)
    _check_files(files, index)
    log, checkpoint, key = _opened_log(files[LOG_FILE], index, trust)
    parts: dict[str, dict[str, bytes]] = {"records": {}, "actions": {}, "proofs": {}}
    for name, each in files.items():
        folder, _, file = name.partition("/")
        parts.get(folder, {})[file] = each
    _check_proofs(parts, log, key)
    trail = read_trail(parts["records"], parts["actions"], log, key, trust, whole=not index.chosen, now=now)
    held = {entry_of(each) for each in (*parts["records"].values(), *parts["actions"].values())}
    not_shown = sum(entry not in held for entry in log.entries)
    return Opened(index, trail, checkpoint, signed_by, vouched, not_shown)


def _trust_of(files: Mapping[str, bytes], root: Trusted, own: TrustFile | None) -> TrustFile:
    """The trust file that decides: the reader's own, unless the archive shows that to be out of date."""
    if TRUST_FILE not in files:
        if own is None:
            raise VerificationError("the archive holds no trust file; give your own, or the log's or an officer's key")
        return own
    carried = TrustFile.open(files[TRUST_FILE], root)
    if own is None:
        return carried
    if carried.version > own.version:
        raise VerificationError(
            f"trust file: the archive carries version {carried.version}, yours is version {own.version}; ask the "
            "custodian for the newest"
        )
    carried.check_successor(own)
    return own


def _check_spelling(head: bytes, signers: tuple[str, ...]) -> None:
    """One signature under its own key id: what no signature covers has one spelling too, so that no byte can change."""
    signatures = canonical.parse(head, maximum=envelope.MAX_BYTES, what="archive index")["signatures"]
    if [each.get("keyid") for each in signatures] != list(signers):
        raise VerificationError(f"{INDEX_FILE}: is not signed once, under the id of the key; {_ALTERED}")


def _check_signer(trust: TrustFile, signers: tuple[str, ...], index: Index) -> tuple[TrustedKey, ...]:
    problem = VerificationError("is signed by a key that it does not list; ask the custodian for the newest")
    passed = []
    for entry in filter(None, map(trust.find, signers)):
        try:
            entry.check("officer" if entry.role == "officer" else "log", index.exported_at)
            _check_not_stolen(entry)
            passed.append(entry)
        except VerificationError as cause:
            problem = cause
    if not passed:
        raise problem
    return tuple(passed)


def _check_not_stolen(entry: TrustedKey) -> None:
    """A thief sets the date of an archive at will, and a custodian can always make a fresh one."""
    if entry.compromised:
        raise VerificationError(f"the {entry.role} key {entry.id[:16]} was stolen; ask for a fresh archive")


def _check_files(files: Mapping[str, bytes], index: Index) -> None:
    if files.keys() != index.files.keys():
        missing, added = len(index.files.keys() - files.keys()), len(files.keys() - index.files.keys())
        raise VerificationError(f"{missing} files are missing and {added} were added; {_ALTERED}")
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != index.files[name]:
            raise VerificationError(f"{name}: is not the file that was signed; {_ALTERED}")
    if LOG_FILE not in files or sum(name.startswith("records/") for name in files) != index.records:
        raise VerificationError("the index does not count what the archive holds; ask for a fresh copy")


def _opened_log(content: bytes, index: Index, trust: TrustFile) -> tuple[LogArchive, Checkpoint, Ed25519PublicKey]:
    log = archive.parse(content)
    if not isinstance(log, LogArchive) or (log.origin, len(log.entries)) != (index.origin, index.entries):
        raise VerificationError(f"{LOG_FILE}: is not the log that the index names")
    problem = VerificationError(f"{LOG_FILE}: no log key is listed")
    for entry in reversed(trust.keys):
        if entry.role == "log" and isinstance(entry.public_key, Ed25519PublicKey):
            try:
                checkpoint = log.open(entry.public_key)[0]
                _check_not_stolen(entry)
            except VerificationError as cause:
                problem = cause
            else:
                return log, checkpoint, entry.public_key
    raise problem


def _check_proofs(parts: Mapping[str, Mapping[str, bytes]], log: LogArchive, key: Ed25519PublicKey) -> None:
    """Each proof is of an envelope beside it, so that the two can be taken out and checked alone."""
    for name, content in parts["proofs"].items():
        wrapped = parts["records"].get(name) or parts["actions"].get(name)
        if wrapped is None:
            raise VerificationError(f"proofs/{name}: is of no envelope in the archive")
        proof = LogProof.from_bytes(content)
        proof.verify(wrapped, index=proof.index, origin=log.origin, key=key)


def _arguments(document: object) -> dict[str, Any]:
    names = ("_type", "origin", "exportedAt", "chosen", "records", "entries", "keys", "files", "problems")
    found = fields.members(document, "index", names)
    if found["_type"] != INDEX_TYPE:
        raise RecordError(f"expected a {INDEX_TYPE}; this is another document")
    check_origin(found["origin"])
    for name in ("records", "entries"):
        fields.check_count(found[name], name, minimum=0)
    files, chosen = found["files"], found["chosen"]
    if not isinstance(files, dict) or not isinstance(chosen, dict):
        raise RecordError("files and chosen must be objects")
    for name, value in chosen.items():
        fields.check_line(name, "filter")
        fields.check_line(value, "filter")
    return {
        "origin": found["origin"],
        "exported_at": fields.instant(found["exportedAt"], "exportedAt"),
        "chosen": chosen,
        "records": found["records"],
        "entries": found["entries"],
        "keys": tuple(TrustedKey.from_dict(each) for each in fields.items(found["keys"], "keys")),
        "files": {name: check_sha256(sha256, "file digest") for name, sha256 in files.items()},
        "problems": tuple(
            fields.check_line(each, "problem", maximum=2000) for each in fields.items(found["problems"], "problems")
        ),
    }
