"""Which base64 and hexadecimal text stands for some bytes? Exactly one spelling of each (RFC 4648, section 4)."""

from __future__ import annotations

import base64
import binascii
import re

from audit.record.errors import RecordError

_SHA256 = re.compile(r"[0-9a-f]{64}")


def to_base64(data: bytes) -> str:
    """Standard alphabet, padded."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: object, what: str) -> bytes:
    """The bytes, if ``text`` is exactly what ``to_base64`` writes for them.

    Raises
    ------
    RecordError
        Not text, another alphabet, white space, wrong padding, or padding bits that are not zero.
    """
    if not isinstance(text, str):
        raise RecordError(f"{what} is not text")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise RecordError(f"{what} is not base64") from None
    if to_base64(data) != text:
        raise RecordError(f"{what} is not the canonical base64 of its bytes")
    return data


def check_sha256(text: object, what: str) -> str:
    """``text``, if it is a SHA-256 in 64 lower-case hexadecimal digits.

    Raises
    ------
    RecordError
        Anything else.
    """
    if not isinstance(text, str) or _SHA256.fullmatch(text) is None:
        raise RecordError(f"{what} must be a SHA-256 in 64 lower-case hexadecimal digits")
    return text
