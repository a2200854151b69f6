"""How do the ledger's entries hang together? Each head is a SHA-256 over the head before it and the entry's fields."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from gateway.errors import LedgerError

Kind = Literal["attempt", "unusable", "charge", "decision", "replay"]


@dataclass(frozen=True)
class Entry:
    """One row of the chain. ``body`` is canonical JSON text, kept as written so that it hashes the same for ever."""

    sequence: int
    previous: str
    head: str
    at: str
    kind: str
    dataset: str
    policy: str
    attempt: int
    body: str

    @classmethod
    def after(
        cls, sequence: int, previous: str, *, at: str, kind: Kind, dataset: str, policy: str, attempt: int,
        body: dict[str, Any],
    ) -> Entry:  # fmt: skip
        """The entry that follows number ``sequence``, whose head is ``previous``."""
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
        fields = (sequence + 1, at, kind, dataset, policy, attempt, text)
        return cls(sequence + 1, previous, _hash(previous, *fields), at, kind, dataset, policy, attempt, text)

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content

    def to_dict(self) -> dict[str, Any]:
        """The entry as plain values, the body's among them."""
        return {
            "sequence": self.sequence, "head": self.head, "at": self.at, "kind": self.kind, "dataset": self.dataset,
            "policy": self.policy, "attempt": self.attempt, **self.content,
        }  # fmt: skip

    def follows(self, sequence: int, previous: str) -> bool:
        """Whether this is the whole and unedited successor of entry ``sequence`` with head ``previous``."""
        fields = (self.sequence, self.at, self.kind, self.dataset, self.policy, self.attempt, self.body)
        return (self.sequence, self.previous, self.head) == (sequence + 1, previous, _hash(previous, *fields))


def origin(identity: str) -> str:
    """The head of an empty ledger: it depends on the ledger's identity, so no entry fits into another ledger."""
    return _hash("sluice ledger", identity)


def check_chain(entries: Iterable[Entry], identity: str) -> set[str]:
    """Walk the chain from its origin; return every head it has had, the origin's included.

    Raises
    ------
    LedgerError
        An entry does not hash to what the chain says, or one is missing from the middle.
    """
    sequence, head = 0, origin(identity)
    heads = {head}
    for entry in entries:
        if not entry.follows(sequence, head):
            raise LedgerError(f"ledger event {sequence + 1} does not fit its chain: it was edited or removed")
        sequence, head = entry.sequence, entry.head
        heads.add(head)
    return heads


def _hash(*fields: object) -> str:
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
