"""Row rules: comparisons that hold in every row, such as ``diastolic < systolic``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import StringConstraints, model_validator

from policies.model import Strict

if TYPE_CHECKING:
    import pandas as pd

Comparison = Literal["<=", ">=", "==", "!=", "<", ">"]
_UFUNCS = {
    "<=": np.less_equal, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal, "<": np.less, ">": np.greater,
}  # fmt: skip
_CLAUSE = re.compile(r"^\s*(?P<left>[^<>=!]+?)\s*(?P<op><=|>=|==|!=|<|>)\s*(?P<right>[^<>=!]+?)\s*$")
_NUMBER = re.compile(r"^[+-]?\d+(\.\d+)?$")


class RowRule(Strict):
    """Clauses joined by ``and``, each two columns or a column and a number around one comparison.

    No other syntax exists, so a rule cannot run code. A clause with a missing cell holds.
    """

    check: Annotated[str, StringConstraints(min_length=3, max_length=500)]

    @model_validator(mode="after")
    def _parses(self) -> Self:
        if not self.columns:
            raise ValueError("a rule must name at least one column")
        return self

    @property
    def clauses(self) -> tuple[tuple[str, Comparison, str], ...]:
        """(left, comparison, right) of each clause, as written."""
        parts = re.split(r"\s+and\s+", self.check)
        parsed = []
        for part in parts:
            match = _CLAUSE.match(part)
            if match is None:
                raise ValueError("a rule is 'column < column' or 'column >= number', joined by 'and'")
            parsed.append((match["left"], cast("Comparison", match["op"]), match["right"]))
        return tuple(parsed)

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns the rule reads."""
        sides = (side for left, _, right in self.clauses for side in (left, right))
        return frozenset(side for side in sides if not _NUMBER.match(side))

    def holds(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """One boolean per row of ``table``: whether the rule holds there."""
        result = np.ones(len(table), dtype=np.bool_)
        for left, comparison, right in self.clauses:
            a, b = _side(table, left), _side(table, right)
            known = ~(np.isnan(a) | np.isnan(b))
            with np.errstate(invalid="ignore"):
                result &= ~known | _compare(a, comparison, b)
        return result


def _side(table: pd.DataFrame, side: str) -> NDArray[np.float64]:
    if _NUMBER.match(side):
        return np.full(len(table), float(side))
    column = table[side]
    if column.dtype.kind == "M":
        seconds = column.to_numpy(dtype="datetime64[s]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64).astype(np.float64))
    return column.to_numpy(dtype=np.float64)


def _compare(a: NDArray[np.float64], comparison: Comparison, b: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(_UFUNCS[comparison](a, b), dtype=np.bool_)
