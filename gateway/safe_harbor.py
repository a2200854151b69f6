"""How many released columns hold what the HIPAA Safe Harbor method removes, as far as a dictionary can tell?

45 CFR 164.514(b)(2)(i) lists eighteen kinds of identifiers, (A) to (R). Released rows hold only what their dictionary
allows, so that its types, bounds, categories and column names can be counted without looking at a row. A name is read
as its words in a row, since few words tell by themselves: ``device_id`` tells, ``device_type`` does not. A kind that
shows in none of these, such as a surname among the categories, is not found; columns of type ``text`` and
``identifier`` are never released in the first place.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from policies import Column, Dictionary, Measurement

OLDEST = 90  # (C): ages over 89 "may be aggregated into a single category of age 90 or older"
ZIP_DIGITS = 3  # (B): "the initial three digits of a zip code", where more than 20,000 people live

_ZIP_NAME = re.compile(r"\b(zip( ?code)?|postal|post ?code)\b")
_PLACE = re.compile(
    r"\b("
    r"street|(?<!mail )(?<!ip )(?<!web )(?<!mac )address|home ?town|city|town(ship)?|county|precinct|parish|borough"
    r"|municipality|village|hamlet|suburb|neighbou?rhood|locality|commune|district(?! nurse)|census (tract|block)"
    r"|geo ?(code|hash|location)|gps|latitude|longitude|fips|lsoa|msoa"
    r")\b|^(lat|lon|lng)$"
)
_KEY = r"(ids?|identifiers?|nbr|nr|number(?! of\b)|(no|num)$)"  # "no" and "num" go on: a no-show, a count
_NAMED = "patient|person|first|last|full|family|given|middle|maiden"
_KIN = "mother|father|parent|spouse|partner|guardian|relative|sibling|child|kin|employer|contact"
_NUMBER = re.compile(
    r"\b("
    rf"({_NAMED}|legal|{_KIN}) ?names?|(sur|fore|nick) ?name|names? ({_NAMED})|initials|next of kin"  # (A)
    r"|(tele|cell)?phone|mobile|(tele)?fax|pager|tel( ?no)?|contact ?(no|number)$"  # (D), (E)
    r"|e?mail"  # (F)
    r"|ssn|social security$"  # (G)
    rf"|(social|national|personal|tax|(social|national) (security|insurance)) ?{_KEY}|nino"
    r"|mrn|(medical|health|patient|hospital) ?(record|chart|file)s?$|hospital ?number$"  # (H)
    rf"|(record|chart|file|case|registration|patient|person|subject|participant|medical) ?{_KEY}"
    rf"|id (patient|person|subject|participant|member|record|case|device)"
    rf"|beneficiary|(insurance|insured|policy|member|subscriber|medicare|medicaid|nhs) ?{_KEY}"  # (I)
    rf"|(health|insurance|medical|dental) ?(plan|card|fund) ?{_KEY}|health ?(id|number)"
    r"|account|iban|(bank|credit|debit) ?card"  # (J)
    r"|certificate|licen[cs]e|passport"  # (K)
    rf"|vin|vehicle ?{_KEY}|(number|vehicle|registration|car) ?plate|plate ?{_KEY}"  # (L)
    rf"|serial( ?{_KEY}|$)|device serial|(device|implant|pacemaker|defibrillator) ?{_KEY}"  # (M)
    r"|url|web ?(site|page|address)|home ?page"  # (N)
    r"|ip|mac address"  # (O)
    r"|(finger|voice|palm|thumb) ?prints?|(iris|retina|face) ?scan"  # (P)
    rf"|biometrics?( ?({_KEY}|template|hash|data)|$)"
    r")\b|^names?$|^plate$"
)
_IDENTIFIER = re.compile(
    r"[^\s@]+@[^\s@]+\.[a-z]{2,}"  # (F) electronic mail
    r"|(https?://|www\.)\S+"  # (N) web addresses
    r"|\d{1,3}(\.\d{1,3}){3}"  # (O) internet protocol addresses
    r"|\d{3}-\d{2}-\d{4}"  # (G) social security numbers
    r"|(\+?1[ .-]?)?(\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}",  # (D), (E) telephone and fax numbers
    re.IGNORECASE,
)
_ZIP = re.compile(r"\d{5}(-\d{4})?")
_AMOUNT = re.compile(r"\d+(?:\.\d+)?")
_AGES = frozenset({"age", "ages"})
_YEARS = frozenset({"year", "years", "yr", "yrs", "a"})


def safe_harbor(dictionary: Dictionary) -> tuple[Measurement, ...]:
    """One exact count of offending released columns per group of paragraph (b)(2)(i)."""
    released = [(name, dictionary.columns[name]) for name in dictionary.released]
    return tuple(
        Measurement.exact(
            name,
            sum(offends(_in_words(column_name), column) for column_name, column in released),
            n=len(released),
            method=f"released columns, by the dictionary: {what}; 45 CFR 164.514(b)(2)(i){paragraphs}",
        )
        for name, paragraphs, what, offends in _GROUPS
    )


def _is_date(_: str, column: Column) -> bool:
    return column.type in ("date", "datetime")


def _is_old_age(name: str, column: Column) -> bool:
    if _AGES.isdisjoint(name.split()) and (column.unit or "").casefold() not in _YEARS:
        return False
    if isinstance(column.maximum, float):
        return column.maximum > OLDEST
    return any(float(number) > OLDEST for spelling in column.categories or () for number in _AMOUNT.findall(spelling))


def _is_place(name: str, column: Column) -> bool:
    if _PLACE.search(name):
        return True
    if _ZIP_NAME.search(name):
        if column.categories is None:
            return not isinstance(column.maximum, float) or column.maximum >= 10**ZIP_DIGITS
        return any(len(spelling.strip()) > ZIP_DIGITS for spelling in column.categories)
    return any(_ZIP.fullmatch(spelling) for spelling in column.categories or ())


def _is_number(name: str, column: Column) -> bool:
    """A boolean tells of a phone or a fingerprint that there is one, and names nobody."""
    named = column.type != "boolean" and bool(_NUMBER.search(name))
    return named or any(_IDENTIFIER.search(spelling) for spelling in column.categories or ())


def _in_words(name: str) -> str:
    """The words of a column's name in a row: ``ZipCode_home`` is ``zip code home``."""
    return " ".join(part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name))


_GROUPS: tuple[tuple[str, str, str, Callable[[str, Column], bool]], ...] = (
    ("safe_harbor_dates", "(C)", "dates finer than a year", _is_date),
    ("safe_harbor_ages", "(C)", f"ages that may exceed {OLDEST}", _is_old_age),
    ("safe_harbor_places", "(B)", "places smaller than a state, or more than three digits of a ZIP code", _is_place),
    ("safe_harbor_numbers", "(A), (D) to (P)", "names, contact data and identifying numbers", _is_number),
)
NAMES = tuple(name for name, *_ in _GROUPS)
