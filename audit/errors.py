"""What can be wrong with tables that are put to an audit."""

from __future__ import annotations


class AuditError(ValueError):
    """The tables cannot be audited as given. A release that leaks is a measurement, not an error."""
