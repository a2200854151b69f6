"""In which cells is a column counted? In its own, or in groups of them.

A view is known before the mechanism that counts it runs: it comes from the dictionary or from earlier noisy answers.
Grouping cells changes no patient's contribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class View:
    """Column ``column``, of which cell ``c`` counts in group ``groups[c]``; groups are numbered from 0 without gaps."""

    column: int
    groups: NDArray[np.intp]
