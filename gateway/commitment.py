"""Is this the very file? A keyed commitment, so that a small table cannot be guessed from its record."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from gateway.errors import GatewayError


def commitment_of(path: Path, key: bytes) -> str:
    """HMAC-SHA256 of a file's bytes, in hexadecimal.

    Raises
    ------
    GatewayError
        The file cannot be read.
    """
    try:
        commitment = hmac.new(key, digestmod=hashlib.sha256)
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                commitment.update(chunk)
        return commitment.hexdigest()
    except OSError as cause:
        raise GatewayError(f"{path.name}: cannot be read ({cause.strerror}); check the path") from None


def commitment_id(key: bytes) -> str:
    """Names a commitment key without revealing it."""
    return hmac.new(key, b"sluice commitment key id", hashlib.sha256).hexdigest()[:16]
