"""How is a DER structure taken apart and put together (X.690)? As much of it as a timestamp token needs."""

from __future__ import annotations

INTEGER, OCTETS, NULL, OID, SEQUENCE, SET, CONTEXT_0, CONTEXT_1 = 0x02, 0x04, 0x05, 0x06, 0x30, 0x31, 0xA0, 0xA1


def items(content: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each element: one byte of tag, a definite length, nothing left over.

    Raises
    ------
    ValueError, IndexError
        Cut short.
    """
    found, at = [], 0
    while at < len(content):
        tag, length, at = content[at], content[at + 1], at + 2
        if length >= 0x80:
            ends = at + (length & 0x7F)
            length, at = int.from_bytes(content[at:ends], "big"), ends
        if at + length > len(content):
            raise ValueError("cut short")
        found.append((tag, content[at : at + length]))
        at += length
    return found


def of(found: list[tuple[int, bytes]], *tags: int) -> list[bytes]:
    """The contents, if these are the tags."""
    if [tag for tag, _ in found] != list(tags):
        raise ValueError("other elements")
    return [content for _, content in found]


def whole(content: bytes) -> list[bytes]:
    """Each element with its tag and length, in DER's own spelling."""
    return [node(tag, each) for tag, each in items(content)]


def node(tag: int, *parts: bytes) -> bytes:
    """An element in its one spelling."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
