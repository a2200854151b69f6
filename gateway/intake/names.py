"""What does a column's name suggest it holds? English words only, and only a suggestion; the custodian decides."""

from __future__ import annotations

import re
from typing import Literal

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_PERSON = frozenset({"patient", "patienten", "subject", "person", "participant", "pat", "mrn", "pid", "nhs"})
_KEY = frozenset({"id", "ids", "nr", "nbr", "no", "num", "number", "key", "code", "hash", "uid", "uuid", "pseudonym"})
# HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i): names, contact data, numbers of records and accounts
_DIRECT = frozenset(
    {"email", "mail", "phone", "telephone", "mobile", "fax", "ssn", "mrn", "iban", "url", "passport", "surname"}
    | {"firstname", "lastname", "fullname", "forename", "address", "street", "licence", "license", "plate", "ip"}
)
_NAME_OF = frozenset({"first", "last", "full", "family", "given", "middle", "maiden", "patient"})
_SEX = frozenset({"sex", "gender"})
_AGE = frozenset({"age", "birth", "birthdate", "birthday", "dob", "yob", "born"})
_PLACE = frozenset({"zip", "zipcode", "postcode", "postal", "plz", "city", "county", "country", "district", "region"})
_ORIGIN = frozenset({"race", "ethnicity", "ethnic", "nationality", "native", "religion", "language"})
_LIFE = frozenset({"marital", "occupation", "profession", "job", "education", "relationship"})
_EVENT_DATES = frozenset({"admission", "admitted", "discharge", "discharged", "death", "visit"})
_SENSITIVE = frozenset({"diag", "diagnosis", "icd", "hiv", "death", "died", "mortality", "disease", "psychiatric"})
_OUTCOME = frozenset({"target", "outcome", "label", "class", "death", "died", "mortality", "readmitted", "income"})
_COUNT = frozenset({"count", "counts", "n", "num", "number", "days", "years", "months", "times", "visits", "age"})

_SITE = frozenset({"site", "hospital", "clinic", "centre", "center", "facility", "practice"})

_UNITS = {
    "years": "years", "yrs": "years", "age": "years", "months": "months", "weeks": "weeks", "days": "days",
    "hours": "hours", "hrs": "hours", "minutes": "minutes", "kg": "kg", "lbs": "lb", "cm": "cm", "mm": "mm",
    "mg": "mg", "mcg": "ug", "ml": "mL", "dl": "dL", "mmhg": "mmHg", "bpm": "1/min", "mmol": "mmol", "percent": "%",
    "pct": "%", "celsius": "Cel", "usd": "USD", "eur": "EUR", "bmi": "kg/m2",
}  # fmt: skip

Suggestion = tuple[Literal["quasi_identifier", "sensitive"], str]


def words(name: str) -> frozenset[str]:
    """The words of a name in lower case: ``DEATH_EVENT``, ``deathEvent`` and ``death-event`` alike."""
    return frozenset(word.lower() for word in _WORD.findall(name))


def is_person_key(name: str) -> bool:
    """Whether the name is that of a patient's key (``patient_nbr``), not of a property (``patient_age``)."""
    found = words(name)
    return bool(found & _PERSON) and found <= _PERSON | _KEY


def is_key(name: str) -> bool:
    """Whether the name is that of a code or number of some record, such as ``encounter_id``."""
    return bool(words(name) & {"id", "ids", "uid", "uuid", "key", "hash", "pseudonym", "nbr", "code", "mrn"})


def is_direct_identifier(name: str) -> bool:
    """Whether the name is that of a name, contact or number that points at one person by itself."""
    found = words(name)
    return bool(found & _DIRECT) or found == {"name"} or ("name" in found and bool(found & _NAME_OF))


def is_place_code(name: str) -> bool:
    """Whether numbers under this name are codes of places."""
    return bool(words(name) & {"zip", "zipcode", "postcode", "postal", "plz"})


def is_site(name: str) -> bool:
    """Whether the name is that of a place where patients are treated."""
    return bool(words(name) & _SITE)


def is_count(name: str) -> bool:
    """Whether few distinct whole numbers under this name are amounts rather than codes."""
    found = words(name)
    return bool(found & _COUNT) and len(found) > 1


def is_outcome(name: str) -> bool:
    """Whether the name is one an outcome often has."""
    return bool(words(name) & _OUTCOME)


def unit_of(name: str) -> str | None:
    """The unit a number's name tells (``weight_kg``), as UCUM spells it where it can; None for a rate."""
    found = [_UNITS[word] for word in words(name) if word in _UNITS]
    return found[0] if len(set(found)) == 1 and "per" not in words(name) else None


def role_of(name: str, *, is_date: bool) -> Suggestion | None:
    """A role the name suggests, and why."""
    found = words(name)
    for hints, why in (
        (_AGE, "age and birth are known to neighbours and in registers"),
        (_SEX, "sex is known to anyone who knows the person"),
        (_PLACE, "places are known and in registers"),
        (_ORIGIN, "origin is known to acquaintances"),
        (_LIFE, "circumstances of life are known to acquaintances"),
    ):
        if found & hints:
            return "quasi_identifier", why
    if is_date and found & _EVENT_DATES:
        return "quasi_identifier", "dates of events are known to relatives and in the news"
    if found & _SENSITIVE:
        return "sensitive", "what an intruder would want to learn"
    return None
