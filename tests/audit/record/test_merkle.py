"""Merkle trees: published vectors, an independent naive implementation, and refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.record import merkle
from audit.record.errors import LogError, VerificationError

# inputs, roots and proofs of the Certificate Transparency reference tree
INPUTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
LEAVES = [merkle.leaf_hash(data) for data in INPUTS]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
    (
        6,
        7,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
]


def naive_tree_hash(data: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not data:
        return hashlib.sha256().digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = naive_split(len(data))
    return hashlib.sha256(b"\x01" + naive_tree_hash(data[:k]) + naive_tree_hash(data[k:])).digest()


def naive_path(m: int, data: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1, word for word."""
    if len(data) == 1:
        return []
    k = naive_split(len(data))
    if m < k:
        return [*naive_path(m, data[:k]), naive_tree_hash(data[k:])]
    return [*naive_path(m - k, data[k:]), naive_tree_hash(data[:k])]


def naive_subproof(m: int, data: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2, word for word."""
    if m == len(data):
        return [] if whole else [naive_tree_hash(data)]
    k = naive_split(len(data))
    if m <= k:
        return [*naive_subproof(m, data[:k], whole), naive_tree_hash(data[k:])]
    return [*naive_subproof(m - k, data[k:], False), naive_tree_hash(data[:k])]


def naive_split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def hexed(proof: Sequence[bytes]) -> list[str]:
    return [each.hex() for each in proof]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_published_for_the_reference_tree(size: int) -> None:
    assert merkle.root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size", "expected"), INCLUSION)
def test_inclusion_proofs_are_those_published(index: int, size: int, expected: list[str]) -> None:
    proof = merkle.inclusion_proof(LEAVES[:size], index)
    assert hexed(proof) == expected
    merkle.verify_inclusion(LEAVES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "expected"), CONSISTENCY)
def test_consistency_proofs_are_those_published(old: int, new: int, expected: list[str]) -> None:
    proof = merkle.consistency_proof(LEAVES[:new], old)
    assert hexed(proof) == expected
    merkle.verify_consistency(old, new, proof, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]))


def test_roots_and_proofs_of_all_trees_up_to_33_leaves_agree_with_the_definition() -> None:
    data = [bytes([number]) for number in range(33)]
    leaves = [merkle.leaf_hash(each) for each in data]
    for size in range(1, 34):
        root = merkle.root(leaves[:size])
        assert root == naive_tree_hash(data[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(leaves[:size], index)
            assert list(proof) == naive_path(index, data[:size])
            assert merkle.Tree(leaves[:size]).inclusion_proof(index) == proof
            merkle.verify_inclusion(leaves[index], index, size, proof, root)
        for old in range(1, size + 1):
            steps = merkle.consistency_proof(leaves[:size], old)
            assert list(steps) == naive_subproof(old, data[:size], True)
            merkle.verify_consistency(old, size, steps, merkle.root(leaves[:old]), root)


def test_a_tree_hashes_each_node_once_however_many_proofs_it_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    genuine = merkle.node_hash

    def counted(left: bytes, right: bytes) -> bytes:
        hashed.append(1)
        return genuine(left, right)

    monkeypatch.setattr(merkle, "node_hash", counted)
    tree = merkle.Tree([merkle.leaf_hash(bytes([number])) for number in range(100)])
    assert max(len(tree.inclusion_proof(index)) for index in range(100)) == 7
    assert len(hashed) == 99
    for index in (-1, 100):
        with pytest.raises(LogError, match="no entry"):
            tree.inclusion_proof(index)


trees = st.lists(st.binary(max_size=4), min_size=1, max_size=80)


@settings(deadline=None)
@given(trees, st.data())
def test_a_proof_of_inclusion_shows_one_leaf_in_one_place(data: list[bytes], draw: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(each) for each in data]
    size, root = len(leaves), merkle.root(leaves)
    index = draw.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(leaves, index)
    merkle.verify_inclusion(leaves[index], index, size, proof, root)
    stranger = merkle.leaf_hash(b"a stranger")
    for wrong in (
        (stranger, index, size, proof, root),
        (leaves[index], index, size, (*proof, stranger), root),
        (leaves[index], index, size, (stranger, *proof), root),
        (leaves[index], index, size, proof, stranger),
        (leaves[index], size, size, proof, root),
        (leaves[index], -1, size, proof, root),
        (leaves[index], index, 2 * size + 1, proof, root),
    ):
        with pytest.raises(VerificationError):
            merkle.verify_inclusion(*wrong)
    if proof:
        with pytest.raises(VerificationError):
            merkle.verify_inclusion(leaves[index], index, size, proof[:-1], root)
        changed = [*proof]
        changed[draw.draw(st.integers(0, len(proof) - 1))] = stranger
        with pytest.raises(VerificationError):
            merkle.verify_inclusion(leaves[index], index, size, changed, root)


@settings(deadline=None)
@given(trees, st.data())
def test_a_proof_of_consistency_shows_a_prefix_and_nothing_else(data: list[bytes], draw: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(each) for each in data]
    size, root = len(leaves), merkle.root(leaves)
    old = draw.draw(st.integers(0, size))
    old_root = merkle.root(leaves[:old])
    proof = merkle.consistency_proof(leaves, old)
    merkle.verify_consistency(old, size, proof, old_root, root)
    stranger = merkle.leaf_hash(b"a stranger")
    for wrong in (
        (old, size, (*proof, stranger), old_root, root),
        (old, size, (stranger, *proof), old_root, root),
        (old, size, proof, stranger, root),
        (size + 1, size, proof, old_root, root),
        (-1, size, proof, old_root, root),
    ):
        with pytest.raises(VerificationError):
            merkle.verify_consistency(*wrong)
    if proof:
        changed = [*proof]
        changed[draw.draw(st.integers(0, len(proof) - 1))] = stranger
        for wrong_proof in (proof[:-1], changed):
            with pytest.raises(VerificationError):
                merkle.verify_consistency(old, size, wrong_proof, old_root, root)
    if old > 0:
        with pytest.raises(VerificationError):
            merkle.verify_consistency(old, size, proof, old_root, stranger)


@settings(deadline=None)
@given(trees, st.data())
def test_a_changed_prefix_is_never_consistent(data: list[bytes], draw: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(each) for each in data]
    old = draw.draw(st.integers(1, len(leaves)))
    forked = [*leaves]
    forked[draw.draw(st.integers(0, old - 1))] = merkle.leaf_hash(b"a stranger")
    with pytest.raises(VerificationError):
        merkle.verify_consistency(
            old, len(leaves), merkle.consistency_proof(forked, old), merkle.root(leaves[:old]), merkle.root(forked)
        )


def test_an_entry_cannot_pass_for_an_inner_node() -> None:
    left, right = LEAVES[:2]
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)


def test_there_is_no_proof_of_what_is_not_in_the_tree() -> None:
    for index in (-1, 8):
        with pytest.raises(LogError, match="no entry"):
            merkle.inclusion_proof(LEAVES, index)
    for size in (-1, 9):
        with pytest.raises(LogError, match="no tree"):
            merkle.consistency_proof(LEAVES, size)
