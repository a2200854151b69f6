"""What shows that a record's envelope is in the log?

The proof file: canonical JSON with the entry's index, the size of the tree, the sibling hashes (RFC 6962, base64) and
the signed checkpoint. It stands on its own: nobody needs the log to check it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import canonical, merkle
from audit.record.encoding import from_base64, to_base64
from audit.record.errors import RecordError, VerificationError
from audit.record.note import MAX_NOTE, Checkpoint

MAX_BYTES = 16 * 1024
VERSION = 1
_FIELDS = {"version", "index", "treeSize", "hashes", "checkpoint"}


def entry_of(envelope: bytes) -> bytes:
    """What the log keeps of an envelope: the SHA-256 of its bytes. It reveals nothing of the record."""
    return hashlib.sha256(envelope).digest()


@dataclass(frozen=True)
class LogProof:
    """Entry ``index`` of a tree of ``size`` leaves, its sibling hashes, and the log's signed checkpoint (a note)."""

    index: int
    size: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    def to_bytes(self) -> bytes:
        """The proof file."""
        return canonical.encode(
            {
                "version": VERSION,
                "index": self.index,
                "treeSize": self.size,
                "hashes": [to_base64(each) for each in self.hashes],
                "checkpoint": self.checkpoint.decode("utf-8"),
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The proof in a proof file; its truth is for ``verify`` to say.

        Raises
        ------
        VerificationError
            Not a canonical proof file of this version.
        """
        document = canonical.parse(content, maximum=MAX_BYTES, what="log proof")
        if not isinstance(document, dict) or document.keys() != _FIELDS:
            raise VerificationError(
                f"log proof: expected an object with exactly the fields {', '.join(sorted(_FIELDS))}"
            )
        index, size, listed, note = (document[name] for name in ("index", "treeSize", "hashes", "checkpoint"))
        if type(document["version"]) is not int or document["version"] != VERSION:
            raise VerificationError(f"log proof: expected version {VERSION}; use a newer verifier")
        if type(index) is not int or type(size) is not int or not isinstance(listed, list) or type(note) is not str:
            raise VerificationError("log proof: index and treeSize must be integers, hashes a list, checkpoint text")
        if len(listed) > 64 or len(note) > MAX_NOTE:
            raise VerificationError("log proof: more hashes, or a longer checkpoint, than any log has")
        try:
            hashes = tuple(from_base64(each, "a hash") for each in listed)
        except RecordError as cause:
            raise VerificationError(f"log proof: {cause}") from None
        if any(len(each) != 32 for each in hashes):
            raise VerificationError("log proof: every hash must have 32 bytes")
        return cls(index, size, hashes, note.encode("utf-8"))

    def verify(self, envelope: bytes, *, index: int, origin: str, key: Ed25519PublicKey) -> Checkpoint:
        """The checkpoint, if it shows ``envelope`` to be entry ``index`` of the log of that origin and key.

        Raises
        ------
        VerificationError
            Another index, a checkpoint the log did not sign, or an envelope that is not that entry.
        """
        if self.index != index:
            raise VerificationError(f"log proof: is for entry {self.index}, the record says entry {index}")
        checkpoint = Checkpoint.open(self.checkpoint, origin, key)
        if checkpoint.size != self.size:
            raise VerificationError(f"log proof: is for a tree of {self.size}, the checkpoint for {checkpoint.size}")
        leaf = merkle.leaf_hash(entry_of(envelope))
        merkle.verify_inclusion(leaf, self.index, self.size, self.hashes, checkpoint.root)
        return checkpoint
