"""What shows that a record's envelope is in the log?

The proof file: canonical JSON with the entry's index, the size of the tree, the sibling hashes (RFC 6962, base64) and
the signed checkpoint. It stands on its own: nobody needs the log to check it. Version 2 adds ``witnessed``: the last
checkpoint that each witness has cosigned, and the hashes that show the log to have gone on from there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import canonical, fields, merkle
from audit.record.cosignature import MAX_WITNESSES, Cosigned, Sighting
from audit.record.encoding import from_base64, to_base64
from audit.record.errors import RecordError, VerificationError
from audit.record.note import MAX_NOTE, Checkpoint

MAX_BYTES = 128 * 1024
MAX_HASHES = 64
_FIELDS = {"version", "index", "treeSize", "hashes", "checkpoint"}


def entry_of(envelope: bytes) -> bytes:
    """What the log keeps of an envelope: the SHA-256 of its bytes. It reveals nothing of the record."""
    return hashlib.sha256(envelope).digest()


@dataclass(frozen=True)
class Witnessed:
    """A cosigned checkpoint no larger than the proof's, and the consistency proof from the one to the other."""

    cosigned: Cosigned
    hashes: tuple[bytes, ...]


@dataclass(frozen=True)
class LogProof:
    """Entry ``index`` of a tree of ``size`` leaves, its sibling hashes, and the log's signed checkpoint (a note).

    ``witnessed`` is in the order of the witnesses' verifier keys, each at most once.
    """

    index: int
    size: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    witnessed: tuple[Witnessed, ...] = ()

    def to_bytes(self) -> bytes:
        """The proof file."""
        document: dict[str, Any] = {
            "version": 2 if self.witnessed else 1,
            "index": self.index,
            "treeSize": self.size,
            "hashes": [to_base64(each) for each in self.hashes],
            "checkpoint": self.checkpoint.decode("utf-8"),
        }
        if self.witnessed:
            document["witnessed"] = [
                {**each.cosigned.to_dict(), "hashes": [to_base64(hash_) for hash_ in each.hashes]}
                for each in self.witnessed
            ]
        return canonical.encode(document)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The proof in a proof file; its truth is for ``verify`` to say.

        Raises
        ------
        VerificationError
            Not a canonical proof file of these versions.
        """
        document = canonical.parse(content, maximum=MAX_BYTES, what="log proof")
        try:
            return cls(*_arguments(document))
        except RecordError as cause:
            raise VerificationError(f"log proof: {cause}") from None

    def verify(self, envelope: bytes, *, index: int, origin: str, key: Ed25519PublicKey) -> Checkpoint:
        """The checkpoint, if it shows ``envelope`` to be entry ``index`` of the log of that origin and key.

        Raises
        ------
        VerificationError
            Another index, a checkpoint the log did not sign, an envelope that is not that entry, or a cosignature that
            does not hold.
        """
        if self.index != index:
            raise VerificationError(f"log proof: is for entry {self.index}, the record says entry {index}")
        checkpoint = Checkpoint.open(self.checkpoint, origin, key)
        if checkpoint.size != self.size:
            raise VerificationError(f"log proof: is for a tree of {self.size}, the checkpoint for {checkpoint.size}")
        leaf = merkle.leaf_hash(entry_of(envelope))
        merkle.verify_inclusion(leaf, self.index, self.size, self.hashes, checkpoint.root)
        self.sightings(checkpoint, key)
        return checkpoint

    def sightings(self, checkpoint: Checkpoint, key: Ed25519PublicKey) -> tuple[Sighting, ...]:
        """What the witnesses say, each held against the proof's own opened ``checkpoint``; whom to believe is open.

        A sighting of more than ``index`` entries covers the entry: that tree has it at that place, because the larger
        one has it there and begins with the smaller one.

        Raises
        ------
        VerificationError
            A cosignature does not hold, or the log did not go on from the checkpoint that was cosigned.
        """
        found = tuple(each.cosigned.open(checkpoint.origin, key) for each in self.witnessed)
        for sighting, each in zip(found, self.witnessed, strict=True):
            seen = sighting.checkpoint
            merkle.verify_consistency(seen.size, checkpoint.size, each.hashes, seen.root, checkpoint.root)
        return found


def hashes_of(value: object) -> tuple[bytes, ...]:
    """The hashes of a proof, from a list of base64.

    Raises
    ------
    RecordError
        Not a list, more than any log has, or not of 32 bytes each.
    """
    listed = fields.items(value, "hashes")
    if len(listed) > MAX_HASHES:
        raise RecordError("more hashes than any log has")
    hashes = tuple(from_base64(each, "a hash") for each in listed)
    if any(len(each) != 32 for each in hashes):
        raise RecordError("every hash must have 32 bytes")
    return hashes


def _arguments(document: object) -> tuple[int, int, tuple[bytes, ...], bytes, tuple[Witnessed, ...]]:
    version = document.get("version") if isinstance(document, dict) else None
    if type(version) is not int or version not in (1, 2):
        raise RecordError("expected an object with version 1 or 2; use a newer verifier")
    found = fields.members(document, "proof", _FIELDS if version == 1 else _FIELDS | {"witnessed"})
    index, size, note = found["index"], found["treeSize"], found["checkpoint"]
    if type(index) is not int or type(size) is not int or type(note) is not str:
        raise RecordError("index and treeSize must be integers, checkpoint text")
    if len(note) > MAX_NOTE:
        raise RecordError("a longer checkpoint than any log has")
    witnessed = () if version == 1 else tuple(map(_witnessed, fields.items(found["witnessed"], "witnessed")))
    if version == 2 and not 1 <= len(witnessed) <= MAX_WITNESSES:
        raise RecordError(f"{len(witnessed)} cosigned checkpoints, expected 1 to {MAX_WITNESSES}")
    vkeys = [each.cosigned.witness.vkey for each in witnessed]
    if sorted(set(vkeys)) != vkeys:
        raise RecordError("cosigned checkpoints must be in the order of their witnesses' keys, each once")
    return index, size, hashes_of(found["hashes"]), note.encode("utf-8"), witnessed


def _witnessed(value: object) -> Witnessed:
    found = dict(fields.members(value, "cosigned checkpoint", ("checkpoint", "witness", "hashes")))
    hashes = hashes_of(found.pop("hashes"))
    return Witnessed(Cosigned.from_dict(found), hashes)
