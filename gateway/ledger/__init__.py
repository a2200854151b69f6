"""What has been asked of each dataset, and what has it spent? One hash chain, in SQLite or in PostgreSQL."""

from gateway.ledger.entries import Attempt, Charge, Spending
from gateway.ledger.ledger import Ledger
from gateway.ledger.unit import Unit, UnitError

__all__ = ["Attempt", "Charge", "Ledger", "Spending", "Unit", "UnitError"]
