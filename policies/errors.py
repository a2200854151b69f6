"""What can be wrong with a custodian's statement (policy or dictionary)."""

from __future__ import annotations


class PolicyError(ValueError):
    """The policy file itself cannot be used. A release that breaks a policy is a Decision, not an error."""


class DictionaryError(ValueError):
    """The data dictionary itself cannot be used. A table that breaks a dictionary is an intake error."""
