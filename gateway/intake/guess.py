"""Which dictionary entry would describe this column? A proposal with its reasons, all of it read off the data."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.intake import names
from gateway.intake.absent import READ_AS_MISSING, is_blank, may_be_missing
from gateway.intake.cells import EXACT, moments, numbers, whole
from gateway.intake.identifying import kind_of_identifier
from gateway.intake.raw import Cells

RARE = 11  # people; fewer is the usual smallest cell of health statistics
_PAIRS = (("0", "1"), ("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"))
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]", re.ASCII)
_PLAIN_WHOLE = re.compile(r"-?[0-9]+(\.0+)?", re.ASCII)
_INTERVAL = re.compile(r"([<>]=?\s*|[\[(])?([0-9]+)(\s*(-|–|,|to)\s*[0-9]+\s*[\])]?|\+)?", re.ASCII)
_FOREIGN_DATE = re.compile(r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}.*", re.ASCII | re.DOTALL)
_MAX_CATEGORIES = 1000
_MAX_SPELLING = 200  # what a dictionary's category can hold


@dataclass
class Proposal:
    """A column as the draft will write it: TOML values as text in ``facts``, why in ``reasons``."""

    facts: dict[str, str | tuple[str, ...] | bool] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    from_data: list[str] = field(default_factory=lambda: ["type"])

    @property
    def type(self) -> str:
        return str(self.facts["type"])

    @property
    def missing(self) -> frozenset[str]:
        """Every spelling of missing the draft gives the column, the table-wide one included."""
        own = self.facts.get("missing")
        return frozenset(("", *(own if isinstance(own, tuple) else ())))

    def take(self, kind: str, reason: str = "") -> None:
        self.facts["type"] = kind
        if reason:
            self.reasons.append(reason)

    def learn(self, fact: str, value: str | tuple[str, ...] | bool) -> None:
        self.facts[fact] = value
        self.from_data.append(fact)


def propose(name: str, cells: Cells) -> Proposal:
    """The entry of one column; it types every cell of it."""
    proposal = Proposal()
    texts, counts = _without_missing(cells, proposal)
    if not texts:
        proposal.take("text", "every cell is missing, so it is not released; give its type if it is known")
    elif names.is_direct_identifier(name) or names.is_person_key(name):
        proposal.take("identifier", "its name is that of a direct identifier: never released")
    elif (kind := kind_of_identifier(texts)) is not None:
        proposal.take("identifier", f"its cells look like {kind}: never released")
    elif not _propose_number(name, texts, counts, proposal) and not _propose_date(texts, proposal):
        _propose_words(name, texts, counts, proposal)
    role = names.role_of(name, is_date=proposal.type in ("date", "datetime"))
    if role is not None and proposal.type not in ("identifier", "text"):
        proposal.facts["role"] = role[0]
        proposal.reasons.append(f"role by its name: {role[1]}")
    unit = names.unit_of(name)
    if unit is not None and proposal.type in ("integer", "number"):
        proposal.facts["unit"] = unit
        proposal.reasons.append("unit by its name")
    return proposal


def _without_missing(cells: Cells, proposal: Proposal) -> tuple[list[str], NDArray[np.int64]]:
    """The spellings that mean something, and their counts. Words for missing are taken out among numbers and dates
    only, where they can mean nothing else; among words they stay, and a trap tells of them."""
    texts, counts = list(cells.spellings), cells.counts
    gone = {text for text in texts if is_blank(text)}
    amounts = [text for text in texts if not may_be_missing(text)]
    if amounts and (numbers(amounts)[1].all() or _dates_in(amounts)):
        gone = set(texts) - set(amounts)
    elif not amounts:
        gone |= set(texts) & READ_AS_MISSING
    keep = np.array([text not in gone for text in texts], dtype=np.bool_)
    rows = int(counts[~keep].sum()) + cells.nulls
    if rows:
        proposal.learn("nullable", True)
        proposal.reasons.append(f"{rows} of {len(cells.codes)} cells are missing")
    if own := sorted(gone - {""}):
        proposal.learn("missing", tuple(own))
        spelled = int(counts[[text in own for text in texts]].sum())
        proposal.reasons.append(
            f"{spelled} cell{'' if spelled == 1 else 's'} among them spelled as listed under missing: "
            "strike there what is a value"
        )
    return [text for text, k in zip(texts, keep, strict=True) if k], counts[keep]


def _propose_number(name: str, texts: list[str], counts: NDArray[np.int64], proposal: Proposal) -> bool:
    values, is_number = numbers(texts)
    if not is_number.all() or not np.isfinite(values).all():
        return False
    if any(_LEADING_ZERO.match(text) for text in texts):
        proposal.reasons.append("numbers with leading zeros: codes, not amounts")
        return False
    is_whole = bool((values == np.rint(values)).all() and np.abs(values).max() <= EXACT)
    plain = all(_PLAIN_WHOLE.fullmatch(text) for text in texts)
    rows, distinct = int(counts.sum()), len(np.unique(values))
    if is_whole and plain and _is_code(name, texts, values, rows, distinct, proposal):
        return True
    if distinct == 1 and not (is_whole and plain):
        return False
    low, high = _outward(float(values.min()), float(values.max()), is_whole)
    if is_whole:
        proposal.take("integer")
        if distinct > rows / 2 and rows >= 1000:
            proposal.facts["role"] = "quasi_identifier"
            proposal.reasons.append(f"{distinct} distinct values in {rows} rows: nearly a key; coarsen or drop it")
    else:
        proposal.take("number")
        decimals = max(_decimals(text) for text in texts)
        if decimals <= 12:
            proposal.learn("decimals", str(decimals))
        fractional = int(counts[values != np.rint(values)].sum())
        if fractional < rows / 20:
            proposal.reasons.append(f"TRAP only {fractional} of {rows} values not whole: a slip, or filled in?")
    proposal.learn("minimum", low)
    proposal.learn("maximum", high)
    return True


def _is_code(
    name: str, texts: list[str], values: NDArray[np.float64], rows: int, distinct: int, proposal: Proposal
) -> bool:
    """Whole numbers that are keys, codes or few enough to be classes; true where that settled the type."""
    if distinct == rows and rows >= 10 and (names.is_key(name) or float(np.ptp(values)) == rows - 1 or rows >= 1000):
        proposal.take("identifier", "every value differs: a key or row number")
        return True
    if names.is_key(name) and distinct > 50 and distinct > rows / 10:
        proposal.take("identifier", f"named like a key, {distinct} distinct values in {rows} rows")
        return True
    spellings = tuple(sorted({whole(text) for text in texts}, key=lambda text: (float(text), text)))
    if names.is_key(name) or names.is_place_code(name):
        if distinct <= _MAX_CATEGORIES:
            proposal.take("category", "whole numbers, by the name codes")
            proposal.learn("categories", spellings)
        else:
            proposal.take("text", f"{distinct} codes are too many for categories: coarsen them to release the column")
        return True
    if spellings == _PAIRS[0]:
        proposal.take("boolean")
    elif distinct <= 2:
        proposal.take("category", "TRAP constant: it tells nothing" if distinct == 1 else "two whole numbers: codes?")
    elif distinct <= 10 and distinct <= rows / 5 and values.max() < 100 and not names.is_count(name):
        proposal.take("ordinal", "few whole numbers, taken in their order; write category if they are mere codes")
    else:
        return False
    proposal.learn("categories", spellings)
    return True


def _propose_date(texts: list[str], proposal: Proposal) -> bool:
    kind = _dates_in(texts)
    if kind is None:
        if sum(_FOREIGN_DATE.fullmatch(text) is not None for text in texts) > len(texts) / 2:
            proposal.take("text", "TRAP looks like dates that are not ISO 8601; convert them to release the column")
            return True
        return False
    first, last = min(texts)[:4], max(texts)[:4]
    midnight = "T00:00:00" if kind == "datetime" else ""
    proposal.take(kind)
    proposal.learn("minimum", f"{first}-01-01{midnight}")
    proposal.learn("maximum", f"{last}-12-31{'T23:59:59' if midnight else ''}")
    return True


def _propose_words(name: str, texts: list[str], counts: NDArray[np.int64], proposal: Proposal) -> None:
    rows, distinct = int(counts.sum()), len(texts)
    amounts = int(counts[numbers(texts)[1]].sum())
    if rows / 2 < amounts < rows:
        proposal.reasons.append(f"TRAP {rows - amounts} of {rows} cells are no numbers among numbers: limits, codes?")
    if distinct == rows and rows >= 10:
        proposal.take("identifier", "every value differs: a key or a name")
    elif max(map(len, texts)) > _MAX_SPELLING:
        proposal.take("text", "long free text: never released")
    elif distinct > _MAX_CATEGORIES or (distinct > 50 and distinct > rows / 10):
        kind = "identifier" if names.is_key(name) else "text"
        proposal.take(kind, f"{distinct} distinct texts in {rows} rows: not categories, so not released; coarsen them")
    else:
        folded = {text.casefold(): text for text in texts}
        pair = next((pair for pair in _PAIRS if distinct == 2 and folded.keys() == set(pair)), None)
        if pair is not None:
            proposal.take("boolean")
            spellings = tuple(folded[word] for word in pair)
        elif distinct > 2 and all(_interval_order(text) for text in texts):
            proposal.take("ordinal", "labels of intervals, in their order")
            spellings = tuple(sorted(texts, key=lambda text: (*(_interval_order(text) or ()), text)))
        else:
            proposal.take("category", "TRAP constant: it tells nothing" if distinct == 1 else "")
            spellings = tuple(sorted(texts))
        proposal.learn("categories", spellings)


def _dates_in(texts: list[str]) -> str | None:
    if not np.isnat(moments(texts, with_time=False)).any():
        return "date"
    return None if np.isnat(moments(texts, with_time=True)).any() else "datetime"


def _interval_order(text: str) -> tuple[int, int] | None:
    match = _INTERVAL.fullmatch(text.strip())
    if match is None or (match[1] is None and match[3] is None):
        return None
    side = -1 if (match[1] or "").startswith("<") else 1 if (match[1] or "").startswith(">") else 0
    return int(match[2]), side


def _decimals(text: str) -> int:
    exponent = Decimal(text).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _outward(low: float, high: float, is_whole: bool) -> tuple[str, str]:
    """Bounds rounded outward to about two digits of the larger, or to one digit of the range where that is finer."""
    largest = max(abs(low), abs(high)) or 1.0
    place = math.floor(math.log10(largest)) - 1
    if high > low:
        place = min(place, math.ceil(math.log10(high - low)))
    step = Decimal(1).scaleb(max(place, 0) if is_whole else place)
    below = (Decimal(repr(low)) / step).to_integral_value(ROUND_FLOOR) * step
    above = (Decimal(repr(high)) / step).to_integral_value(ROUND_CEILING) * step
    if float(below) == float(above):
        above += step
    bounds = [min(float(below), low), max(float(above), high)]
    # a step beyond the largest double is no bound
    bounds = [seen if math.isinf(bound) else bound for bound, seen in zip(bounds, (low, high), strict=True)]
    first, last = (str(int(bound)) if is_whole else repr(bound + 0.0) for bound in bounds)
    return first, last
