"""Which spellings may stand for a cell that is missing? English words and signs; only a suspicion, told as one."""

from __future__ import annotations

import re

ALWAYS_MISSING = frozenset({"", "?"})

# What readers of CSV take for missing unless told otherwise: pandas 3 (``read_csv``, ``na_values``), R's ``NA``, SQL
READ_AS_MISSING = frozenset(
    {"None", "NA", "N/A", "n/a", "na", "NULL", "null", "Null", "NaN", "nan", "-NaN", "-nan", "<NA>", "#N/A", "#N/A N/A"}
    | {"#NA", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}
)

_SIGNS = re.compile(r"[?.*_–—-]+")
_UNKNOWN = re.compile(
    r"(un(known|kn?|specified|available|recorded|reported|documented|stated|defined)|missing|invalid|blank|empty"
    r"|not[ _-]?(known|available|specified|recorded|reported|documented|stated|given|mapped|provided|entered|defined)"
    r"|no[ _-]?(data|information|info|record))"
)
_LONGEST = 60  # characters; longer is a remark
_BETWEEN = re.compile(r"\s*(?:[/,;|]|\bor\b)\s*")


def is_blank(text: str) -> bool:
    """Whether nothing, or the usual question mark, stands in the cell."""
    return text in ALWAYS_MISSING or not text.strip()


def says_unknown(text: str) -> bool:
    """Whether words or signs say that nothing is known: ``Unknown/Invalid``, ``(not recorded)``, ``--``."""
    if not 0 < len(text) <= _LONGEST:
        return False
    if _SIGNS.fullmatch(text.strip()):
        return True
    plain = text.casefold().strip("()[]<>. ")
    return all(_UNKNOWN.fullmatch(part) for part in _BETWEEN.split(plain))


def may_be_missing(text: str) -> bool:
    """Whether among numbers or dates a cell of this spelling is one without a value."""
    return is_blank(text) or text in READ_AS_MISSING or text == "none" or says_unknown(text)
