"""What of a few people may the custodian's page tell? No value they hold, and no count of 1 to 10.

House rule after the cell size policy of CMS (ResDAC 2024): cells of 1 to 10 are neither shown nor derivable.
"""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.report.cells import MINIMUM_PEOPLE
from gateway.intake.cells import moments, numbers
from gateway.intake.raw import Cells
from policies import Column

FEW = f"fewer than {MINIMUM_PEOPLE}"
_NEAR = 0.05  # of the range
_SHARE_OF = re.compile(r"\b([0-9]+) of ([0-9]+)(?= (?:cells|values|rows)\b)")
_COUNT = re.compile(r"\b([0-9]+) (cell|row)s?\b")


def held_by_few(value: str, cells: Cells, people: NDArray[np.int64]) -> bool:
    """Whether one to ten people have a cell of this value, however it is spelled; ``people`` is one code per row."""
    spelled = cells.spellings
    equal = np.array([text == value for text in spelled], dtype=np.bool_)
    amount = numbers([value])[0][0]
    if np.isfinite(amount):
        # a decimal comma may stand where the value has a point
        for each in (spelled, [text.replace(",", ".") for text in spelled]):
            equal |= numbers(each)[0] == amount
    moment = moments([value], with_time="T" in value)[0]
    if not np.isnat(moment):
        equal |= moments(spelled, with_time="T" in value) == moment
    return 0 < len(np.unique(people[cells.spread(equal, False)])) < MINIMUM_PEOPLE


def end_of_few(column: Column, upper: bool, values: pd.Series, people: NDArray[np.int64]) -> bool:
    """Whether a bound read off the rows would tell of a few people: the value of some, or one that few come near.

    Near is the outermost twentieth of the range between the bounds; ``values`` is the column of the typed frame.
    """
    ends = [
        float(np.datetime64(end, "s").astype(np.int64)) if isinstance(end, dt.date) else float(end or 0.0)
        for end in (column.minimum, column.maximum)
    ]
    away = np.abs(_amounts(values) - ends[upper])
    at_it, near_it = (len(np.unique(people[away <= room])) for room in (0.0, (ends[1] - ends[0]) * _NEAR))
    return 0 < at_it < MINIMUM_PEOPLE or near_it < MINIMUM_PEOPLE


def share_missing(gone: NDArray[np.bool_], people: NDArray[np.int64]) -> float | str:
    """The share of rows where a cell is missing, or words where few people lie on one side."""
    if not gone.any():
        return "none"
    if len(np.unique(people[gone])) < MINIMUM_PEOPLE:
        return f"{FEW} people"
    return f"all but {FEW} people" if len(np.unique(people[~gone])) < MINIMUM_PEOPLE else float(gone.mean())


def without_small_counts(remark: str) -> str:
    """A remark without counts of 1 to 10 cells, rows or values, whether told or left over from a total."""
    return _COUNT.sub(_count, _SHARE_OF.sub(_share, remark)).replace("all but all but", "all but")


def _amounts(values: pd.Series) -> NDArray[np.float64]:
    """Numbers as they are, dates in seconds since 1970; missing is NaN."""
    if values.dtype.kind != "M":
        return values.to_numpy(dtype=np.float64)
    seconds = values.to_numpy(dtype="datetime64[s]")
    return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64).astype(np.float64))


def _share(found: re.Match[str]) -> str:
    part, whole = int(found[1]), int(found[2])
    if 0 < part < MINIMUM_PEOPLE:
        return f"{FEW} of {whole}"
    return f"all but {FEW} of {whole}" if 0 < whole - part < MINIMUM_PEOPLE else found[0]


def _count(found: re.Match[str]) -> str:
    return f"{FEW} {found[2]}s" if 0 < int(found[1]) < MINIMUM_PEOPLE else found[0]
