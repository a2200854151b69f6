"""What does somebody need to check a whole log, or that it has only grown, without having its folder?

Two files, each canonical JSON and checked against the log's public key, which the reader must already hold:

* an archive: the checkpoint, the SHA-256 of every entry, and what witnesses have cosigned;
* a growth: the consistency proof (RFC 6962, section 2.1.2) between two sizes, with both tree hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import canonical, fields, merkle
from audit.record.cosignature import MAX_WITNESSES, Cosigned, Sighting
from audit.record.encoding import check_sha256, from_base64, to_base64
from audit.record.errors import LogError, RecordError, VerificationError
from audit.record.note import MAX_NOTE, Checkpoint, check_origin
from audit.record.proof import hashes_of

MAX_BYTES = 128 * 1024 * 1024  # a million entries, with room
ARCHIVE = "sluice-log-archive"
GROWTH = "sluice-log-growth"


@dataclass(frozen=True)
class LogArchive:
    """A whole log: ``entries`` are SHA-256 of envelopes, ``checkpoint`` the note over all of them."""

    origin: str
    entries: tuple[bytes, ...]
    checkpoint: bytes
    witnessed: tuple[Cosigned, ...] = ()

    def to_bytes(self) -> bytes:
        """The archive file."""
        return canonical.encode(
            {
                "kind": ARCHIVE,
                "version": 1,
                "origin": self.origin,
                "entries": [entry.hex() for entry in self.entries],
                "checkpoint": self.checkpoint.decode("utf-8"),
                "witnessed": [each.to_dict() for each in self.witnessed],
            }
        )

    def open(self, key: Ed25519PublicKey) -> tuple[Checkpoint, tuple[Sighting, ...]]:
        """The checkpoint and what witnesses say, if the log's key signed exactly these entries.

        Raises
        ------
        VerificationError
            Another key, entries altered, or a cosigned checkpoint that is not the beginning of this log.
        """
        checkpoint = Checkpoint.open(self.checkpoint, self.origin, key)
        if checkpoint.size != len(self.entries) or _root(self.entries) != checkpoint.root:
            raise VerificationError("log archive: the entries are not those the checkpoint was signed over")
        sightings = tuple(each.open(self.origin, key) for each in self.witnessed)
        for seen in (each.checkpoint for each in sightings):
            if seen.size > checkpoint.size or _root(self.entries[: seen.size]) != seen.root:
                raise VerificationError("log archive: does not begin with a checkpoint that a witness has cosigned")
        return checkpoint, sightings

    def growth(self, old_size: int, new_size: int) -> LogGrowth:
        """The consistency proof between two sizes; it carries the checkpoint where the new size is the whole log.

        Raises
        ------
        LogError
            The sizes are not in order, or larger than the log.
        """
        if not 0 <= old_size <= new_size <= len(self.entries):
            raise LogError(f"sizes {old_size} and {new_size}: expected 0 <= from <= to <= {len(self.entries)}")
        leaves = [merkle.leaf_hash(entry) for entry in self.entries[:new_size]]
        return LogGrowth(
            self.origin,
            (old_size, merkle.root(leaves[:old_size])),
            (new_size, merkle.root(leaves)),
            merkle.consistency_proof(leaves, old_size),
            self.checkpoint if new_size == len(self.entries) else None,
        )


@dataclass(frozen=True)
class LogGrowth:
    """``old`` and ``new`` are size and tree hash; ``checkpoint`` is the note of the new one, where there is one."""

    origin: str
    old: tuple[int, bytes]
    new: tuple[int, bytes]
    hashes: tuple[bytes, ...]
    checkpoint: bytes | None

    def to_bytes(self) -> bytes:
        """The growth file."""
        return canonical.encode(
            {
                "kind": GROWTH,
                "version": 1,
                "origin": self.origin,
                "oldSize": self.old[0],
                "oldRoot": to_base64(self.old[1]),
                "newSize": self.new[0],
                "newRoot": to_base64(self.new[1]),
                "hashes": [to_base64(each) for each in self.hashes],
                "checkpoint": None if self.checkpoint is None else self.checkpoint.decode("utf-8"),
            }
        )

    def open(self, key: Ed25519PublicKey) -> Checkpoint:
        """The new checkpoint, which the log has signed and to which the proof leads from the old tree.

        By that the old tree is the beginning of the new one; that it was ever shown alone, nothing here says.

        Raises
        ------
        VerificationError
            The new tree does not begin with the old one, the checkpoint is of another tree or key, or there is none:
            anybody can make up two trees of which one begins with the other.
        """
        merkle.verify_consistency(self.old[0], self.new[0], self.hashes, self.old[1], self.new[1])
        if self.checkpoint is None:
            raise VerificationError(
                "log growth: carries no signed checkpoint, so nobody vouches for its trees; ask for a proof up to the "
                "log's end"
            )
        checkpoint = Checkpoint.open(self.checkpoint, self.origin, key)
        if (checkpoint.size, checkpoint.root) != self.new:
            raise VerificationError("log growth: the checkpoint is of another tree than the proof leads to")
        return checkpoint


def parse(content: bytes) -> LogArchive | LogGrowth:
    """What the file holds; its truth is for ``open`` to say.

    Raises
    ------
    VerificationError
        Neither of the two, or not canonical.
    """
    document = canonical.parse(content, maximum=MAX_BYTES, what="log file")
    kind = document.get("kind") if isinstance(document, dict) else None
    try:
        if kind == ARCHIVE:
            return _archive(document)
        if kind == GROWTH:
            return _growth(document)
    except RecordError as cause:
        raise VerificationError(f"log file: {cause}") from None
    raise VerificationError("log file: is neither an archive nor a growth; make one with gateway log export")


def _archive(document: object) -> LogArchive:
    found = fields.members(document, "archive", ("kind", "version", "origin", "entries", "checkpoint", "witnessed"))
    _check_head(found)
    entries = tuple(
        bytes.fromhex(check_sha256(entry, "an entry")) for entry in fields.items(found["entries"], "entries")
    )
    witnessed = tuple(Cosigned.from_dict(each) for each in fields.items(found["witnessed"], "witnessed"))
    if len(witnessed) > MAX_WITNESSES:
        raise RecordError(f"{len(witnessed)} witnesses, expected at most {MAX_WITNESSES}")
    return LogArchive(found["origin"], entries, _note(found["checkpoint"]), witnessed)


def _growth(document: object) -> LogGrowth:
    names = ("kind", "version", "origin", "oldSize", "oldRoot", "newSize", "newRoot", "hashes", "checkpoint")
    found = fields.members(document, "growth", names)
    _check_head(found)
    sizes = found["oldSize"], found["newSize"]
    for size in sizes:
        fields.check_count(size, "a size", minimum=0)
    roots = from_base64(found["oldRoot"], "oldRoot"), from_base64(found["newRoot"], "newRoot")
    note = None if found["checkpoint"] is None else _note(found["checkpoint"])
    return LogGrowth(found["origin"], (sizes[0], roots[0]), (sizes[1], roots[1]), hashes_of(found["hashes"]), note)


def _check_head(found: Any) -> None:
    if type(found["version"]) is not int or found["version"] != 1:
        raise RecordError("expected version 1; use a newer verifier")
    check_origin(found["origin"])


def _note(value: object) -> bytes:
    if not isinstance(value, str) or len(value) > MAX_NOTE:
        raise RecordError("checkpoint must be a signed note")
    return value.encode("utf-8")


def _root(entries: tuple[bytes, ...]) -> bytes:
    return merkle.root([merkle.leaf_hash(entry) for entry in entries])
