"""What can be wrong around a release, beyond its policy, dictionary, table and model."""

from __future__ import annotations


class GatewayError(ValueError):
    """Something the caller can mend before trying again."""


class WorkspaceError(GatewayError):
    """The workspace is missing, has wrong permissions, or does not agree with itself."""


class LedgerError(WorkspaceError):
    """The ledger is broken, older than the records that cite it, or cannot be written."""


class AttemptsExhaustedError(GatewayError):
    """The policy's attempts on this dataset are used up; a refusal, not a fault."""


class OutputError(GatewayError):
    """The place for the bundle exists already or cannot be written."""
