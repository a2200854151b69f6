"""What does a drafted dictionary propose, and on what grounds? A page for the custodian beside the TOML file.

It sums up real rows and stays with the custodian. Even so no value held by fewer than 11 people is drawn or spelled,
and no count of 1 to 10 is told (CMS cell size policy, ResDAC 2024), so that a glance over a shoulder shows nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.report.cells import MINIMUM_PEOPLE, column_cells
from audit.report.page import render
from audit.report.plots import column_plot, percent
from gateway.intake import Draft, TypedTable, type_table
from gateway.intake.raw import Cells
from gateway.intake.traps import Remark
from gateway.small_cells import FEW, end_of_few, held_by_few, share_missing, without_small_counts
from policies import Column, Dictionary, parse_dictionary

MAX_DRAWN = 200  # plots; each is some 10 kB of page
_LARGEST = re.compile(r"(max_rows_per_patient = )[0-9]+")
_TYPES = {"integer": "whole number", "ordinal": "ordered category", "datetime": "date and time"}


def render_draft_page(draft: Draft) -> str:
    """One HTML file that needs nothing else: each column's proposal, grounds, traps, plot and lines in the TOML.

    Raises
    ------
    IntakeError
        The table does not fit its own draft.
    """
    dictionary = parse_dictionary(draft.toml.encode())
    typed = type_table(draft.table, dictionary)
    lines = _first_lines(draft)
    keys = {name: f"column-{place}" for place, name in enumerate(draft.proposals)}
    released = [
        _released(draft, dictionary, typed, name, keys[name], lines[name], drawn=place < MAX_DRAWN)
        for place, name in enumerate(dictionary.released)
    ]
    kept = [
        {"name": name, "key": keys[name], "type": dictionary.columns[name].type, "line": lines[name],
         "why": "; ".join(without_small_counts(said) for said in _said(draft, name, typed.people, lines[name]))}
        for name in dictionary.columns if name not in dictionary.released
    ]  # fmt: skip
    table = [_remark(line.removeprefix("# ")) for line in draft.head if line.startswith("# TRAP ")]
    source_remarks = [_remark(line.removeprefix("# ")) for line in draft.source if line.startswith("# ")]
    source_lines = [
        _numbered(number, line)
        for number, line in enumerate(draft.source, _height(draft.head) + 1)
        if line and not line.startswith("# ")
    ]
    overview = [
        _overview(dictionary.columns[name], name, keys[name], lines[name], draft, typed) for name in dictionary.columns
    ]
    traps = sum(trap for trap, _ in (*table, *source_remarks)) + sum(row["traps"] for row in overview)
    after_head = _height(draft.head)
    after_columns = after_head + sum(_height(part) for part in draft.parts[1:-1])
    return render(
        "draft.html.j2",
        {
            "name": dictionary.name,
            "columns": len(dictionary.columns),
            "rows": f"{draft.table.row_count:,}",
            "people": f"{typed.people_count:,}" if dictionary.patient else "one per row",
            "traps": traps,
            "minimum": MINIMUM_PEOPLE,
            "table": table or [(False, "Nothing was noticed about the table as a whole.")],
            "open_questions": _questions(draft.head),
            "source": source_lines,
            "source_remarks": source_remarks,
            "overview": overview,
            "released": released,
            "drawn": MAX_DRAWN,
            "undrawn": len(released) > MAX_DRAWN,
            "kept": kept,
            "relations": _relations(draft.relations, after_columns),
        },
    )


def _released(
    draft: Draft, dictionary: Dictionary, typed: TypedTable, name: str, key: str, line: int, *, drawn: bool
) -> dict[str, Any]:
    column = dictionary.columns[name]
    shown = column_cells(column, typed.frame[name], typed.people) if drawn else None
    plot, notes = None, []
    if shown is not None:
        dates = column.type in ("date", "datetime")
        plot = column_plot(shown, key=f"{key}-plot", name=name, unit=column.unit or "", dates=dates)
        notes = list(shown.notes)
    elif drawn:
        notes = [f"not drawn: {FEW} people"]
    return {
        "name": name,
        "key": key,
        "unit": column.unit,
        "facts": _facts(draft, column, name, typed, line),
        "remarks": [_remark(said) for said in _said(draft, name, typed.people, line)],
        "place": _place(line, _height(draft.columns[name]) - 1),
        "unconfirmed": ", ".join(column.from_data),
        "plot": plot,
        "notes": notes,
    }


def _facts(draft: Draft, column: Column, name: str, typed: TypedTable, line: int) -> list[tuple[str, str]]:
    proposed = draft.proposals[name].facts
    facts = [("Type", _TYPES.get(column.type, column.type)), ("Role", _role(column))]
    for fact, end in (("Smallest", "minimum"), ("Largest", "maximum")):
        if end in proposed:
            told = not end_of_few(column, end == "maximum", typed.frame[name], typed.people)
            there = line + _depth(draft.columns[name], f"{end} = ") - 2
            facts.append((fact, str(proposed[end]) if told else f"see line {there}"))
    if column.decimals is not None:
        facts.append(("Decimals", str(column.decimals)))
    if column.categories is not None:
        facts.append(("Categories", f"{len(column.categories):,}"))
    if own := [spelling for spelling in column.missing or () if spelling.strip()]:
        common = [each for each in own if not held_by_few(each, draft.table.columns[name], typed.people)]
        rest = [] if common == own else [f"see line {line + _depth(draft.columns[name], 'missing = ') - 2}"]
        facts.append(("Spelled missing", ", ".join((*common, *rest))))
    facts.append(("Missing", _missing(name, typed)))
    return facts


def _overview(column: Column, name: str, key: str, line: int, draft: Draft, typed: TypedTable) -> dict[str, Any]:
    return {
        "name": name,
        "key": key,
        "type": _TYPES.get(column.type, column.type),
        "role": _role(column),
        "missing": _missing(name, typed) if name in typed.frame else "not released",
        "traps": sum(remark.text.startswith("TRAP ") for remark in draft.remarks[name]),
        "line": line,
    }


def _role(column: Column) -> str:
    return column.role.replace("_", "-") if column.role else "none"


def _missing(name: str, typed: TypedTable) -> str:
    share = share_missing(typed.frame[name].isna().to_numpy(dtype=np.bool_), typed.people)
    return share if isinstance(share, str) else percent(share)


def _said(draft: Draft, name: str, people: NDArray[np.int64], line: int) -> list[str]:
    """What is remarked on a column whose section begins on this line; the remarks follow, a line each."""
    cells = draft.table.columns[name]
    return [_unless_of_few(remark, cells, people, line + i) for i, remark in enumerate(draft.remarks[name], 1)]


def _unless_of_few(remark: Remark, cells: Cells, people: NDArray[np.int64], line: int) -> str:
    """A remark; of one that spells a value few people hold, where it stands."""
    if any(held_by_few(value, cells, people) for value in remark.spelled):
        return f"what to add if they are missing stands on line {line}"
    return remark.text


def _remark(remark: str) -> tuple[bool, str]:
    """Whether it is a trap, and what it says."""
    trap = remark.startswith("TRAP ")
    said = without_small_counts(remark.removeprefix("TRAP "))
    return trap, said[:1].upper() + said[1:]


def _questions(head: Sequence[str]) -> list[str]:
    """The suggestions among the first lines, each with the comment lines that go on with it."""
    found: list[str] = []
    for number, line in enumerate(head, 1):
        goes_on = found and re.match(r"# {5,}\S", line)
        if goes_on or re.match(r"# [a-z_]+ = ", line):
            found.append(_numbered(number, _LARGEST.sub(r"\1...", line)))
    return found


def _relations(lines: Sequence[str], before: int) -> list[tuple[str, str, list[str]]]:
    """Where it stands, what is said of it, and the lines to be uncommented, one per rule or dependency."""
    found: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(lines, before + 1):
        if line.endswith(("must hold:", "if it must:")):
            found.append((number, line.removeprefix("# "), []))
        elif line and found:
            found[-1][2].append(_numbered(number, line))
    return [
        (_place(number, 1 + len(block)), said[:1].upper() + said[1:].rstrip(":") + ".", block)
        for number, said, block in found
    ]


def _numbered(number: int, line: str) -> str:
    return f"{number:>5}  {line}"


def _first_lines(draft: Draft) -> dict[str, int]:
    """The line of the file on which each column's section begins."""
    at = _height(draft.head) + _height(draft.source)
    first = {}
    for name, part in draft.columns.items():
        first[name] = at + 2  # a blank line stands before it
        at += _height(part)
    return first


def _depth(lines: Sequence[str], beginning: str) -> int:
    """On which line of a section, counted from 1, something begins."""
    place = next(i for i, line in enumerate(lines) if line.startswith(beginning))
    return _height(lines[:place]) + 1


def _height(lines: Sequence[str]) -> int:
    """How many lines of the file these are; a long list is one entry of several lines."""
    return sum(1 + line.count("\n") for line in lines)


def _place(first: int, count: int) -> str:
    return f"line {first}" if count <= 1 else f"lines {first} to {first + count - 1}"
