"""Does a signed time lie in the future? Nobody honest can have signed it then."""

from __future__ import annotations

from datetime import datetime, timedelta

from audit.record.errors import VerificationError

CLOCK_TOLERANCE = timedelta(minutes=5)  # what two clocks that are kept right may differ by, with room; house


def check_not_ahead(what: str, at: datetime, now: datetime) -> None:
    """Return if ``at``, a signed time, does not lie in the future of the checker's clock (``now``, an aware time).

    A date ahead would let a record outlive its expiry, and a key sign in a window that has not begun.

    Raises
    ------
    VerificationError
        It is later than ``now`` by more than ``CLOCK_TOLERANCE``.
    """
    if at > now + CLOCK_TOLERANCE:
        raise VerificationError(
            f"{what} bears the date {at:%Y-%m-%d %H:%M:%S} UTC, and this computer's clock says {now:%Y-%m-%d %H:%M:%S} "
            "UTC: the date is false, or the clock is slow; set the clock, else do not use the bundle",
            why="clock",
        )
