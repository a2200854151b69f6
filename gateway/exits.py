"""What each exit status of ``gateway`` means."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """0 and 3 are decisions; 2 is the caller's to mend; 1 is all else, a bundle that fails verification included."""

    ALLOWED = 0
    UNEXPECTED = 1
    UNUSABLE = 2
    DENIED = 3
