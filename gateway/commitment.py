"""Is this the very file? A keyed commitment, so that a small table cannot be guessed from its record."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # keys are handled without the libraries that tables need
    from gateway.intake import Snapshot


def commitment_of(table: Snapshot, key: bytes) -> str:
    """HMAC-SHA256 of everything a table depends on (of a file: its bytes), in hexadecimal."""
    commitment = hmac.new(key, digestmod=hashlib.sha256)
    table.feed(commitment.update)
    return commitment.hexdigest()


def commitment_id(key: bytes) -> str:
    """Names a commitment key without revealing it."""
    return hmac.new(key, b"sluice commitment key id", hashlib.sha256).hexdigest()[:16]
