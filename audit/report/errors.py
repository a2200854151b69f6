"""What can be wrong with what a page is asked to show."""

from __future__ import annotations


class ReportError(ValueError):
    """The parts handed to a page do not fit each other. A denied release is a page, not an error."""
