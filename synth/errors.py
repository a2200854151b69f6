"""What can be wrong with a request for synthetic rows."""

from __future__ import annotations


class SynthesisError(ValueError):
    """The table, the dictionary or an option cannot be used for synthesis."""
