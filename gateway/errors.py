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


class BudgetExhaustedError(GatewayError):
    """The dataset's lifetime budget cannot pay for a release; a refusal, not a fault.

    All figures are epsilons at ``delta``: ``spent`` by every charge so far, ``needed`` for those and the refused
    release together, ``remaining`` until ``lifetime``. What remains surely pays for a pure mechanism of that epsilon;
    other mechanisms compose more tightly: ``needed`` can be less than ``spent`` plus the release's own epsilon.
    """

    def __init__(self, message: str, *, spent: float, needed: float, lifetime: float, delta: float) -> None:
        super().__init__(message)
        self.spent, self.needed, self.lifetime, self.delta = spent, needed, lifetime, delta

    @property
    def remaining(self) -> float:
        return max(self.lifetime - self.spent, 0.0)


class OutputError(GatewayError):
    """The place for the bundle exists already or cannot be written."""
