"""Do the peers get the whole table, and come back with the columns that they were given?"""

from __future__ import annotations

import pandas as pd

from benchmarks.dp.peers.fit_dpmm import MISSING, with_gaps, without_gaps

SCHEMA = {
    "target": "ill",
    "columns": {
        "sex": {"levels": ["f", "m"], "nullable": True},
        "dose": {"min": 0.0, "max": 2.5, "decimals": 1, "nullable": True},
        "ill": {"levels": ["no", "yes"], "nullable": False},
    },
}
TABLE = pd.DataFrame(
    {"sex": pd.Series(["f", None, "m"], dtype=object), "dose": [0.5, None, 1.5], "ill": ["no", "yes", "yes"]}
)


def test_gaps_become_a_level_or_a_flag_within_the_public_domain():
    complete, domain = without_gaps(TABLE, SCHEMA)
    assert not complete.isna().to_numpy().any()
    assert complete["dose"].tolist() == [0.5, 1.0, 1.5]  # the median of 0.5 and 1.5
    assert domain["sex"] == {"categories": ["f", "m", MISSING]}
    assert domain["dose"] == {"lower": 0.0, "upper": 2.5}
    assert [name for name in complete if name not in TABLE] == ["dose__missing_flag"]


def test_gaps_come_back_and_numbers_are_rounded_to_the_schema():
    complete, _ = without_gaps(TABLE, SCHEMA)
    complete["dose"] = complete["dose"] + 0.0312
    restored = with_gaps(complete, SCHEMA)
    assert list(restored) == ["sex", "dose", "ill"]
    assert restored["dose"].isna().tolist() == [False, True, False]
    assert restored["dose"].dropna().tolist() == [0.5, 1.5]
    assert restored["sex"].isna().tolist() == [False, True, False]
    assert restored["ill"].tolist() == ["no", "yes", "yes"]
