"""What can be wrong with a release record, its keys or its log."""

from __future__ import annotations


class RecordError(ValueError):
    """A release record cannot be made from what was given."""


class VerificationError(RecordError):
    """The evidence does not hold: nothing it says, and no file beside it, may be relied on.

    ``why`` names the step that failed: ``envelope``, ``statement``, ``clock``, ``trust``, ``log``, ``witness``,
    ``timestamp``, ``oversight`` or ``files``; or is empty.
    """

    def __init__(self, message: str, *, why: str = "") -> None:
        super().__init__(message)
        self.why = why


class KeyFileError(RecordError):
    """A key file cannot be written, or cannot be used as it stands."""


class LogError(RecordError):
    """The transparency log cannot be opened or extended without contradicting what it has already signed."""


class TimestampError(RecordError):
    """No usable timestamp can be had from the authority; the record itself stands as it is."""
