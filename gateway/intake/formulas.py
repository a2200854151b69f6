"""Would a spreadsheet run this cell? Guards text that looks like a formula, and takes the guard off again.

After OWASP, "CSV Injection": a text that begins with = + - @, their full-width forms, TAB, CR or LF gets a leading
apostrophe. So that the guard can be taken off exactly, a text of apostrophes before such a sign gets one more.
Numbers are not text: ``-1`` stays.
"""

from __future__ import annotations

import re
from dataclasses import replace

from gateway.intake.cells import NUMBER
from gateway.intake.raw import RawTable
from policies import Dictionary

_FORMULA = re.compile(r"'*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
_NUMBER = re.compile(NUMBER, re.ASCII)


def guard(text: str) -> str:
    """A text as it may stand in a CSV cell."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguard(text: str) -> str:
    """The text that ``guard`` made this cell from; any other text as it is."""
    return text[1:] if text.startswith("'") and guard(text[1:]) == text else text


def restore(raw: RawTable, dictionary: Dictionary) -> RawTable:
    """A table read from a released CSV with the guards off, in names and cells the dictionary knows.

    A text that is no guarded form of a declared name, category or missing spelling stays as it is, so a file
    written without guards reads the same.
    """
    columns = {}
    for name, cells in raw.columns.items():
        plain = unguard(name)
        known = plain if plain in dictionary.columns and plain not in raw.columns else name
        column = dictionary.columns.get(known)
        if column is not None:
            words = {*(column.categories or ()), *column.missing, *dictionary.missing}
            spellings = tuple(bare if (bare := unguard(text)) in words else text for text in cells.spellings)
            cells = replace(cells, spellings=spellings)
        columns[known] = cells
    return RawTable(columns, raw.row_count)
