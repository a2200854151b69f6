"""How many people hold each of several cells?"""

from __future__ import annotations

import numpy as np

from synth.holders import holders

SLOTS = np.array([0, 0, 0, 2, 2])


def test_a_person_with_several_rows_in_a_cell_counts_once() -> None:
    assert holders(SLOTS, 4, np.array([7, 7, 1, 7, 1])).tolist() == [2, 0, 2, 0]


def test_without_person_codes_every_row_is_another_person() -> None:
    assert holders(SLOTS, 4, None).tolist() == [3, 0, 2, 0]
