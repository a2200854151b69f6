"""What is wrong with a table at the door? Told by column, rule and count, never by a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_TOLD = 25
_MAX_NAME = 60


@dataclass(frozen=True)
class Problem:
    """One rule a table breaks: where, which, in how many rows, and what to do about it.

    ``rule`` and ``advice`` are words of this program or names from the dictionary, never text from a cell.
    """

    rule: str
    advice: str
    column: str | None = None
    rows: int | None = None

    def __str__(self) -> str:
        where = "" if self.column is None else f"column {shown(self.column)}: "
        count = "" if self.rows is None else f" in {self.rows} row{'' if self.rows == 1 else 's'}"
        return f"{where}{self.rule}{count}; {self.advice}"


class IntakeError(ValueError):
    """The table cannot be taken in. Holds every problem found; the message tells the first of them, in words.

    ``source`` is the name of the file, where there is one.
    """

    def __init__(self, problems: Sequence[Problem] | Problem, source: str | None = None) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        prefix = "" if source is None else f"{shown(source)}: "
        told = [f"{prefix}{problem}" for problem in self.problems[:MAX_TOLD]]
        left = len(self.problems) - len(told)
        if left:
            told.append(f"and {left} more problems")
        super().__init__("\n".join(told))


def refuse(rule: str, advice: str, *, column: str | None = None, rows: int | None = None) -> IntakeError:
    """An error of one problem."""
    return IntakeError(Problem(rule, advice, column, rows))


def shown(name: str) -> str:
    """A column name that is safe to print: one line, no control characters, not endless."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)
    return printable if len(printable) <= _MAX_NAME else printable[:_MAX_NAME] + "..."
