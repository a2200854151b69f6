"""How do a few files become one, so that the same files are always the same bytes, and nothing can hide in between?

POSIX ustar, uncompressed, without owners and dates. Read in memory, never onto a disk; what does not pack to the very
same bytes again is refused, so links, sparse files, extended headers and trailing bytes are too.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping

from audit.record.errors import VerificationError

MAX_MEMBERS = 100_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,89}(/[A-Za-z0-9][A-Za-z0-9._-]{0,89})?")
_ALTERED = "the archive was altered or cut short; ask for a fresh copy"


def is_name(name: str) -> bool:
    """Whether a file of the archive can have this name: plain ASCII, in one folder at most."""
    return len(name) <= 99 and _NAME.fullmatch(name) is not None


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive; files in the order given, nothing else about them than name and content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def unpack(content: bytes, *, maximum: int) -> dict[str, bytes]:
    """Files by name, in their order.

    Raises
    ------
    VerificationError
        Compressed, cut short, altered in any byte that ``pack`` would have written otherwise, or holding links.
    """
    if len(content) > maximum:
        raise VerificationError(f"{len(content)} bytes, expected at most {maximum}; export a shorter period")
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar:
                # a sparse member may claim any size: only what lies in these bytes is read
                plain = member.type == tarfile.REGTYPE and not member.issparse() and member.size <= len(content)
                stream = tar.extractfile(member) if plain else None
                if stream is None or member.name in found or not is_name(member.name) or len(found) >= MAX_MEMBERS:
                    raise VerificationError(f"holds links, folders, or names that an audit archive has not; {_ALTERED}")
                found[member.name] = stream.read()
    except (tarfile.TarError, ValueError, OSError) as cause:
        if isinstance(cause, VerificationError):
            raise
        raise VerificationError("is no tar archive, or is cut short; ask for a fresh copy") from None
    try:
        same = pack(found) == content
    except (ValueError, OSError):
        same = False
    if not same:
        raise VerificationError(f"is not packed as an audit archive is; {_ALTERED}")
    return found
