"""Is this entry in the tree, and does the larger tree begin with the smaller one?

Merkle tree hashing of RFC 6962, section 2.1, unchanged in RFC 9162, sections 2.1.1 to 2.1.4. Functions take *leaf
hashes* (32 bytes, from ``leaf_hash``), sizes count leaves, an index starts at 0.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from audit.record.errors import LogError, VerificationError

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of one entry; the prefix keeps an entry from passing for a node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Merkle tree hash of all leaves, 32 bytes; of none, the hash of nothing."""
    return _subtree(leaves, 0, len(leaves)) if leaves else EMPTY_ROOT


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Sibling hashes from leaf ``index`` up to the root.

    Raises
    ------
    LogError
        No such leaf.
    """
    if not 0 <= index < len(leaves):
        raise LogError(f"no entry {index} in a log of {len(leaves)}")
    path: list[bytes] = []
    start, end = 0, len(leaves)
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(leaves, middle, end))
            end = middle
        else:
            path.append(_subtree(leaves, start, middle))
            start = middle
    return tuple(reversed(path))


class Tree:
    """All inner nodes of the tree of ``leaves``, hashed once: any number of inclusion proofs, each of log n steps.

    On every level neighbours are paired and an odd last node goes up as it is, which is the tree of RFC 6962.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.size = len(leaves)
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            paired = [node_hash(*below[place : place + 2]) for place in range(0, len(below) - 1, 2)]
            self._levels.append(paired + below[len(below) & ~1 :])

    def inclusion_proof(self, index: int) -> tuple[bytes, ...]:
        """As ``inclusion_proof`` of the leaves."""
        if not 0 <= index < self.size:
            raise LogError(f"no entry {index} in a log of {self.size}")
        path = []
        for level in self._levels:
            if index ^ 1 < len(level):
                path.append(level[index ^ 1])
            index >>= 1
        return tuple(path)


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Hashes that show the tree of all leaves to begin with its first ``old_size`` leaves.

    Raises
    ------
    LogError
        The old tree is larger than this one, or of negative size.
    """
    if not 0 <= old_size <= len(leaves):
        raise LogError(f"no tree of size {old_size} in a log of {len(leaves)}")
    if old_size in (0, len(leaves)):
        return ()
    path: list[bytes] = []
    start, end, whole = 0, len(leaves), True  # whole: the subtree at start is the old tree itself, known to the reader
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(_subtree(leaves, middle, end))
            end = middle
        else:
            path.append(_subtree(leaves, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(_subtree(leaves, start, end))
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Return if ``leaf`` is entry ``index`` of the tree of ``size`` leaves (RFC 9162, section 2.1.3.2).

    Raises
    ------
    VerificationError
        It is not, or the proof does not show it.
    """
    if not 0 <= index < size:
        raise VerificationError(f"inclusion proof: entry {index} cannot be in a log of {size}")
    position, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise VerificationError("inclusion proof: more hashes than the tree is high")
        if position & 1 or position == last:
            found = node_hash(sibling, found)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        position, last = position >> 1, last >> 1
    if last != 0 or not hmac.compare_digest(found, expected_root):
        raise VerificationError("inclusion proof: does not lead from the entry to the signed root")


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Return if the new tree begins with the old one (RFC 9162, section 2.1.4.2).

    Raises
    ------
    VerificationError
        It does not, or the proof does not show it.
    """
    if not 0 <= old_size <= new_size:
        raise VerificationError(f"consistency proof: size {old_size} cannot come before size {new_size}")
    if old_size in (0, new_size):
        known = EMPTY_ROOT if old_size == 0 else new_root
        if proof or not hmac.compare_digest(old_root, known):
            raise VerificationError("consistency proof: the smaller tree has another root")
        return
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)  # a full old tree is a node of the new one, and left out of the proof
    if not hashes:
        raise VerificationError("consistency proof: is empty")
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise VerificationError("consistency proof: more hashes than the tree is high")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    if last != 0 or not hmac.compare_digest(old, old_root) or not hmac.compare_digest(new, new_root):
        raise VerificationError("consistency proof: the larger tree does not begin with the smaller one")


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(leaves: Sequence[bytes], start: int, end: int) -> bytes:
    if end - start == 1:
        return leaves[start]
    middle = start + _split(end - start)
    return node_hash(_subtree(leaves, start, middle), _subtree(leaves, middle, end))
