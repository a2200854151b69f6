"""Which dictionary could this table have? A TOML draft for the custodian to correct and confirm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gateway.intake import names
from gateway.intake.cells import moments, numbers, with_point
from gateway.intake.delimited import PLAIN
from gateway.intake.errors import refuse
from gateway.intake.guess import Proposal, propose
from gateway.intake.raw import Cells, RawTable
from gateway.intake.relations import determined, gives_away, ordered
from gateway.intake.steady import steady
from gateway.intake.traps import Remark, column_traps, gaps_that_follow, one_to_one, repeated_rows
from policies import Source, source_to_toml

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_RULE_NAME = re.compile(r"(?!.*\sand\s)[^<>=!]+")
_TOGETHER = (
    "one patient has several rows; to keep such rows together in a release, under fresh keys, write:  surrogate = true"
    "  (under differential privacy only if it is publicly known that patients repeat)"
)
_WIDTH = 118
_TOLD = 10
_ORDER = (
    "type", "minimum", "maximum", "decimals", "categories", "unit", "role", "nullable", "missing", "per_patient",
    "from_data",
)  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """A proposed dictionary: what is proposed of each column, and the lines of TOML that say it, part after part.

    ``table`` is as it was read, ``people`` one code per row. ``remarks`` are each column's reasons and traps, which
    stand as comments in its lines. ``relations`` are sections behind comment signs, a blank line before each.
    """

    table: RawTable
    proposals: Mapping[str, Proposal]
    people: NDArray[np.int64]
    remarks: Mapping[str, tuple[Remark, ...]]
    head: tuple[str, ...]
    source: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    relations: tuple[str, ...]

    @property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """Its lines in the order of the file: head, source, one part per column, relations."""
        return (self.head, self.source, *self.columns.values(), self.relations)

    @property
    def toml(self) -> str:
        """The whole file."""
        return "\n".join(line for part in self.parts for line in part) + "\n"


def draft_dictionary(raw: RawTable, name: str, source: Source = PLAIN, how: Sequence[str] = ()) -> str:
    """The TOML text of a proposed dictionary; it loads, and it types the table it was drafted from.

    Raises
    ------
    IntakeError
        No column could be proposed for release.
    """
    return propose_dictionary(raw, name, source, how).toml


def propose_dictionary(raw: RawTable, name: str, source: Source = PLAIN, how: Sequence[str] = ()) -> Draft:
    """A dictionary the table could have, with a reason for every line.

    ``source`` is how the table was read, and ``how`` why that was thought.

    Every fact read off the data stands under ``from_data`` of its column, where DP mode refuses it until the
    custodian has confirmed it as public knowledge (I-3). Reasons and traps are comments. Rare categories are listed,
    so that the journey goes on, and counted in a comment: whether one may be published is the custodian's to say.

    Raises
    ------
    IntakeError
        No column could be proposed for release.
    """
    table = raw
    if source.decimal == ",":
        raw = replace(raw, columns={column: _pointed(column, cells) for column, cells in raw.columns.items()})
    proposals = {column: propose(column, cells) for column, cells in raw.columns.items()}
    released = [column for column, proposal in proposals.items() if proposal.type not in ("identifier", "text")]
    if not released:
        raise refuse("no column could be proposed for release", "write the dictionary by hand")
    if 2 * int(numbers(released)[1].sum()) > len(released):  # the released file's header would be taken for a row
        raise refuse("most columns that could be released are named by numbers", "give the columns names first")
    patient = _patient(raw, proposals)
    people = np.arange(raw.row_count) if patient is None else raw.columns[patient].codes.astype(np.int64)
    leaving = {column: raw.columns[column] for column in released}
    for column in steady(leaving, people, np.random.default_rng(0)):
        proposals[column].learn("per_patient", True)
        proposals[column].reasons.append("the same in all rows of 99 % or more of the patients with several")
    head = _head(raw, name, proposals, released, patient)
    remarks = {
        column: (*map(Remark, proposal.reasons), *column_traps(column, raw.columns[column], proposal, people))
        for column, proposal in proposals.items()
    }
    columns = {}
    for column, proposal in proposals.items():
        facts = {**proposal.facts, "from_data": tuple(proposal.from_data)}
        columns[column] = (
            "",
            f"[columns.{_key(column)}]",
            *(f"# {_plain(remark.text)}" for remark in remarks[column]),
            *(f"{fact} = {_value(fact, facts[fact])}" for fact in _ORDER if fact in facts),
        )
    outcomes = _outcomes(released, proposals)[:1]
    relations = _rules(raw, proposals)
    relations += _relations({column: raw.columns[column] for column in released}, proposals, outcomes)
    return Draft(table, proposals, people, remarks, tuple(head), tuple(_source(source, how)), columns, tuple(relations))


def _head(
    raw: RawTable, name: str, proposals: dict[str, Proposal], released: list[str], patient: str | None
) -> list[str]:
    lines = [
        f"# Drafted from a table of {raw.row_count} rows and {len(raw.columns)} columns. What from_data names was",
        "# read off that table. Correct it to what is publicly true of any such table, then delete its from_data mark.",
        "# The counts in these comments come from the data: delete the comments before this file leaves you.",
    ]
    if repeats := repeated_rows({column: raw.columns[column] for column in released}):
        lines.append(
            f"# TRAP {repeats} rows repeat an earlier row in every released column: real twins, or an export slip?"
        )
    columns = {column: raw.columns[column] for column in released}
    lines += [f"# TRAP {_text(a)} and {_text(b)} determine each other: drop one" for a, b in one_to_one(columns)]
    gaps = {column: _gaps(cells, proposals[column]) for column, cells in columns.items()}
    pairs = gaps_that_follow(columns, {column: gap for column, gap in gaps.items() if gap.any()})
    lines += [f"# TRAP whether {_text(a)} is missing follows {_text(b)}: not at random" for a, b in pairs[:_TOLD]]
    lines += ["version = 1", f"name = {_text(_slug(name))}"]
    outcomes = _outcomes(released, proposals)
    candidates = f", perhaps {', '.join(map(_text, outcomes))}" if outcomes else ""
    lines.append(f"# target = ...   the outcome whose class balance is kept, if there is one{candidates}")
    numeric = frozenset(column for column in released if proposals[column].type in ("integer", "number"))
    for outcome in outcomes[:1]:
        rest = {column: cells for column, cells in columns.items() if column != outcome}
        lines += [
            f"# TRAP {_text(column)} alone nearly gives {_text(outcome)} away: is it known only once the outcome is?"
            for column in gives_away(rest, numeric, columns[outcome])
        ]
    if patient is None:
        lines.append("# patient = ...  the column that names the person; without it one row is one person")
    else:
        most = int(raw.columns[patient].counts.max())
        lines.append(f"patient = {_text(patient)}")
        lines.append(f"# max_rows_per_patient = {most}   the most one patient has here. DP mode needs a bound that was")
        lines.append("#                             not read off the data; its noise grows with it")
    lines.append('missing = [""]')
    lines.append(
        "# people = ...   about how many patients it holds, if that is publicly known: DP mode plans noise by it"
    )
    return lines


def _outcomes(released: list[str], proposals: dict[str, Proposal]) -> list[str]:
    """Columns that may be the target, the likeliest first."""
    classes = [column for column in released if proposals[column].type in ("boolean", "category", "ordinal")]
    named = [column for column in classes if names.is_outcome(column)]
    return named or [column for column in classes if column == released[-1]]  # outcomes often stand last


def _pointed(column: str, cells: Cells) -> Cells:
    """The cells with points where that makes them numbers, as they are read later; others as they are."""
    pointed = replace(cells, spellings=tuple(with_point(text) for text in cells.spellings))
    return pointed if propose(column, pointed).type in ("integer", "number") else cells


def _source(source: Source, how: Sequence[str]) -> list[str]:
    lines = [*(f"# {_plain(reason)}" for reason in how), *source_to_toml(source)]
    return ["", *lines] if lines else []


def _patient(raw: RawTable, proposals: dict[str, Proposal]) -> str | None:
    for column, proposal in proposals.items():
        if proposal.type == "identifier" and names.is_person_key(column):
            if "nullable" not in proposal.facts:
                if raw.columns[column].counts.max(initial=0) > 1:
                    proposal.reasons.append(_TOGETHER)
                return column
            proposal.reasons.append("TRAP not taken as the patient column, because some cells are missing")
    for column, proposal in proposals.items():
        cells = raw.columns[column]
        if proposal.type == "identifier" and "nullable" not in proposal.facts and cells.counts.max() > 1:
            proposal.reasons.append("repeats: if it names the person, set patient to it")
    return None


def _rules(raw: RawTable, proposals: dict[str, Proposal]) -> list[str]:
    lines: list[str] = []
    for kind in ("date", "datetime"):
        dates = [column for column, proposal in proposals.items() if proposal.type == kind]
        typed = {
            column: raw.columns[column].spread(
                moments(raw.columns[column].spellings, with_time=kind == "datetime"), np.datetime64("NaT")
            )
            for column in dates[:20]
        }
        for a, b in combinations(typed, 2):
            for first, last in ((a, b), (b, a)):
                known = ~(np.isnat(typed[first]) | np.isnat(typed[last]))
                if (
                    known.any()
                    and (typed[first] <= typed[last])[known].all()
                    and (typed[first] != typed[last])[known].any()
                ):
                    lines += [f"# held in every row: {_text(first + ' <= ' + last)}; make it a rule if it must hold:"]
                    lines += ["# [[rules]]", f"# check = {_text(first + ' <= ' + last)}"]
    return ["", *lines] if lines else []


def _relations(columns: dict[str, Cells], proposals: dict[str, Proposal], outcomes: list[str]) -> list[str]:
    """Dependencies and orders that hold in every row, as sections to be uncommented where they must hold.

    None determines the column held out as target: a target is drawn first, and that it is given away is a trap.
    """
    numeric = {name: cells for name, cells in columns.items() if proposals[name].type in ("integer", "number")}
    others = {
        name: cells for name, cells in columns.items() if proposals[name].type in ("boolean", "category", "ordinal")
    }
    lines = []
    pairs = [(a, b) for a, b in determined(others) if b not in outcomes]
    for a, b in pairs[:_TOLD]:
        lines += ["", f"# {_text(a)} determined {_text(b)} in every row; make it a dependency if it must:"]
        lines += ["# [[dependencies]]", f"# source = {_text(a)}", f"# determines = {_text(b)}"]
    for a, sign, b in ordered(numeric, np.random.default_rng(0))[:_TOLD]:
        if _RULE_NAME.fullmatch(a) and _RULE_NAME.fullmatch(b):
            lines += ["", f"# held in every row: {_text(f'{a} {sign} {b}')}; make it a rule if it must hold:"]
            lines += ["# [[rules]]", f"# check = {_text(f'{a} {sign} {b}')}"]
    return lines


def _gaps(cells: Cells, proposal: Proposal) -> NDArray[np.bool_]:
    return cells.spread(np.array([text in proposal.missing for text in cells.spellings], dtype=np.bool_), True)


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9_.-]+", "-", name.lower()).strip("-_.")[:64]
    return slug or "table"


def _value(fact: str, value: str | tuple[str, ...] | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        items = [_text(item) for item in value]
        line = f"[{', '.join(items)}]"
        return (
            line if len(line) + len(fact) + 3 <= _WIDTH else "[\n" + "".join(f"    {item},\n" for item in items) + "]"
        )
    return value if fact in ("minimum", "maximum", "decimals") else _text(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """A TOML basic string; also what makes a name safe within a comment, which one line end would leave."""
    return f'"{_plain(text, quote=True)}"'


def _plain(text: str, *, quote: bool = False) -> str:
    escaped = []
    for c in text:
        if c in _ESCAPES and (quote or c not in '"\\'):
            escaped.append(_ESCAPES[c])
        elif ord(c) < 0x20 or ord(c) == 0x7F:
            escaped.append(f"\\u{ord(c):04X}")
        else:
            escaped.append(c)
    return "".join(escaped)
