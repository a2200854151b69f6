"""How many released columns hold what the HIPAA Safe Harbor method removes, as far as a dictionary can tell?

45 CFR 164.514(b)(2)(i) lists eighteen kinds of identifiers, (A) to (R). Released rows hold only what their dictionary
allows, so that its types, bounds, categories and column names can be counted without looking at a row. A kind that
shows in none of these, such as a surname among the categories, is not found; columns of type ``text`` and
``identifier`` are never released in the first place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from policies import Column, Dictionary, Measurement

OLDEST = 90  # (C): ages over 89 "may be aggregated into a single category of age 90 or older"
ZIP_DIGITS = 3  # (B): "the initial three digits of a zip code", where more than 20,000 people live

_PLACE_WORDS = frozenset({
    "zip", "zipcode", "postal", "postcode", "street", "address", "city", "town", "county", "precinct", "parish",
    "geocode", "latitude", "longitude",
})  # fmt: skip
_ZIP_WORDS = frozenset({"zip", "zipcode", "postal", "postcode"})
_NUMBER_WORDS = frozenset({
    "phone", "telephone", "mobile", "fax", "email", "mail", "ssn", "mrn", "beneficiary", "account", "certificate",
    "license", "licence", "plate", "vin", "serial", "url", "website", "ip", "surname", "forename", "firstname",
    "lastname",
})  # fmt: skip
_IDENTIFIER = re.compile(
    r"[^\s@]+@[^\s@]+\.[a-z]{2,}"  # (F) electronic mail
    r"|(https?://|www\.)\S+"  # (N) web addresses
    r"|\d{1,3}(\.\d{1,3}){3}"  # (O) internet protocol addresses
    r"|\d{3}-\d{2}-\d{4}"  # (G) social security numbers
    r"|(\+?1[ .-]?)?(\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}",  # (D), (E) telephone and fax numbers
    re.IGNORECASE,
)
_ZIP = re.compile(r"\d{5}(-\d{4})?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def safe_harbor(dictionary: Dictionary) -> tuple[Measurement, ...]:
    """One exact count of offending released columns per group of paragraph (b)(2)(i)."""
    released = [(name, dictionary.columns[name]) for name in dictionary.released]
    return tuple(
        Measurement.exact(
            name,
            sum(offends(_words(column_name), column) for column_name, column in released),
            n=len(released),
            method=f"released columns, by the dictionary: {what}; 45 CFR 164.514(b)(2)(i){paragraphs}",
        )
        for name, paragraphs, what, offends in _GROUPS
    )


def _is_date(_: frozenset[str], column: Column) -> bool:
    return column.type in ("date", "datetime")


def _is_old_age(words: frozenset[str], column: Column) -> bool:
    if not words & {"age", "ages"} and (column.unit or "").casefold() not in ("year", "years", "a", "yr", "yrs"):
        return False
    if isinstance(column.maximum, float):
        return column.maximum > OLDEST
    return any(float(number) > OLDEST for spelling in column.categories or () for number in _NUMBER.findall(spelling))


def _is_place(words: frozenset[str], column: Column) -> bool:
    if words & (_PLACE_WORDS - _ZIP_WORDS):
        return True
    if words & _ZIP_WORDS:
        if column.categories is None:
            return not isinstance(column.maximum, float) or column.maximum >= 10**ZIP_DIGITS
        return any(len(spelling.strip()) > ZIP_DIGITS for spelling in column.categories)
    return any(_ZIP.fullmatch(spelling) for spelling in column.categories or ())


def _is_number(words: frozenset[str], column: Column) -> bool:
    return bool(words & _NUMBER_WORDS) or any(_IDENTIFIER.search(spelling) for spelling in column.categories or ())


def _words(name: str) -> frozenset[str]:
    """The words of a column's name: ``ZipCode_home`` has zip, code, home and zipcode."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    lower = [part.lower() for part in parts]
    return frozenset((*lower, *(a + b for a, b in pairwise(lower))))


_GROUPS: tuple[tuple[str, str, str, Callable[[frozenset[str], Column], bool]], ...] = (
    ("safe_harbor_dates", "(C)", "dates finer than a year", _is_date),
    ("safe_harbor_ages", "(C)", f"ages that may exceed {OLDEST}", _is_old_age),
    ("safe_harbor_places", "(B)", "places smaller than a state, or more than three digits of a ZIP code", _is_place),
    ("safe_harbor_numbers", "(A), (D) to (O)", "names, contact data and identifying numbers", _is_number),
)
NAMES = tuple(name for name, *_ in _GROUPS)
