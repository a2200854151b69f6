"""Cells that are missing by place keep their rates there."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
import pytest

from policies import Column, Dictionary
from synth import HybridSynthesizer
from synth.absence import Absence, Apart, Small, absences

SITES = ("north", "south", "west")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def table_of(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """West never measures a and b, which go missing together; north always does; five small classes of the target."""
    site = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    gone = (site == 2) | ((site == 1) & (rng.random(n) < 0.3))
    a = np.where(gone, np.nan, rng.normal(size=n).round(2))
    return pd.DataFrame(
        {
            "site": pd.Categorical.from_codes(site, list(SITES)),
            "a": a,
            "b": np.where(gone, np.nan, (2.0 * a + rng.normal(size=n)).round(2)),
            "c": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n).round(2)),
            "y": pd.Categorical.from_codes(rng.choice(5, n, p=[0.4, 0.3, 0.1, 0.1, 0.1]), list("01234"), ordered=True),
        }
    )


def points(frame: pd.DataFrame) -> Apart:
    """Rows as points by their numbers, missing ones in the middle, as the encoding has them."""

    def apart(without: Collection[str]) -> Small:
        names = [name for name in "abc" if name not in without]
        return frame[names].fillna(0.0).to_numpy(dtype=np.float32)

    return apart


def dictionary() -> Dictionary:
    number = {"type": "number", "minimum": -20.0, "maximum": 20.0, "decimals": 2, "nullable": True}
    columns = {
        "site": Column.model_validate({"type": "category", "categories": SITES}),
        **{name: Column.model_validate(number) for name in "abc"},
        "y": Column.model_validate({"type": "ordinal", "categories": tuple("01234")}),
    }
    return Dictionary(version=1, name="sites", target="y", columns=columns)


def test_what_hangs_on_the_site_is_found_and_chance_is_not(rng: np.random.Generator) -> None:
    """Column c is missing by chance: at a level of 1e-3, two-sided, three sites and five classes alarm once in 60."""
    table = table_of(600, rng)
    (found, *others) = absences(table, ["a", "b", "c"], ["site", "y"], minimum_people=11)
    assert found.columns == ("a", "b")
    assert found.source == "site"
    assert dict(found.shares)[0] == 0.0
    assert dict(found.shares)[2] == 1.0
    assert not others


def test_a_level_of_few_people_settles_nothing(rng: np.random.Generator) -> None:
    table = table_of(600, rng)
    people = np.where(table["site"].cat.codes.to_numpy() == 2, 0, np.arange(600))
    (found,) = absences(table, ["a"], ["site"], minimum_people=11, people=people)
    assert 2 not in dict(found.shares)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_drawn_rows_get_the_share_and_columns_stay_together(share: float, rng: np.random.Generator) -> None:
    drawn = table_of(400, rng)
    settled = Absence(("a", "b"), "site", ((1, share),)).settled(drawn, points(drawn), rng)
    south = settled["site"] == "south"
    assert abs(settled.loc[south, "a"].isna().sum() - share * south.sum()) < 1.0
    assert (settled["a"].isna() == settled["b"].isna()).all()
    pairs = set(zip(drawn["a"], drawn["b"], strict=True))
    present = settled.loc[settled["a"].notna(), ["a", "b"]]
    assert set(zip(present["a"], present["b"], strict=True)) <= pairs
    pd.testing.assert_frame_equal(settled[~south], drawn[~south])
    pd.testing.assert_frame_equal(settled[["site", "c", "y"]], drawn[["site", "c", "y"]])


def test_a_level_without_a_filled_row_borrows_from_others(rng: np.random.Generator) -> None:
    drawn = table_of(400, rng)
    settled = Absence(("a", "b"), "site", ((2, 0.0),)).settled(drawn, points(drawn), rng)
    assert settled.loc[settled["site"] == "west", "a"].notna().all()


def test_filled_cells_come_from_rows_alike(rng: np.random.Generator) -> None:
    """Cells that follow c keep following it; cells of any row would not: a correlation near 0."""
    drawn = table_of(2_000, rng)
    drawn["c"] = rng.normal(size=2_000)
    drawn["a"] = drawn["c"].mask(drawn["site"] == "west")
    settled = Absence(("a",), "site", ((2, 0.0),)).settled(drawn, points(drawn), rng)
    west = settled["site"] == "west"
    assert settled.loc[west, "a"].corr(drawn.loc[west, "c"]) > 0.95
    assert settled.loc[west, "a"].std() == pytest.approx(1.0, abs=0.25)


def test_rows_without_anything_to_tell_them_apart_are_filled_too(rng: np.random.Generator) -> None:
    drawn = table_of(50, rng)
    nothing: Apart = lambda _: np.empty((50, 0), dtype=np.float32)  # noqa: E731
    settled = Absence(("a", "b"), "site", ((2, 0.0),)).settled(drawn, nothing, rng)
    assert settled.loc[settled["site"] == "west", "a"].notna().all()


@pytest.mark.slow
def test_a_hybrid_of_small_classes_keeps_what_no_site_measures(rng: np.random.Generator) -> None:
    table = table_of(400, rng)
    made = (
        HybridSynthesizer(dictionary(), components=("copula", "noise"), selection="uniform")
        .fit(table, rng)
        .sample(800, rng)
    )
    rates = made["a"].isna().groupby(made["site"], observed=True).mean()
    assert rates["north"] == 0.0
    assert rates["west"] == 1.0
