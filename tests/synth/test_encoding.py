"""Scores and back: what survives the round trip, and what no score or decoded cell may give away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from policies import Dictionary, parse_dictionary
from synth.dependencies import with_declared_values
from synth.encoding import Encoding, encode
from synth.encoding.derived import derived_columns
from synth.encoding.latents import draw_latents
from synth.encoding.levels import LevelCodec
from synth.encoding.order import Context, insertion
from synth.encoding.values import ValueCodec, interval_at, rank_intervals, snapped
from synth.errors import SynthesisError

Floats = NDArray[np.float64]


def dictionary_of(columns: str) -> Dictionary:
    return parse_dictionary(f'version = 1\nname = "t"\n{columns}'.encode())


def category(codes: NDArray[np.int64], levels: list[str], *, ordered: bool = False) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(levels, ordered=ordered))


def encoded(table: pd.DataFrame, dictionary: Dictionary, seed: int = 0) -> tuple[Encoding, Floats]:
    classes = np.zeros(len(table), dtype=np.int64)
    return encode(table, dictionary, list(table.columns), classes, np.random.default_rng(seed), minimum_people=11)


def value_codec(values: Floats, **options: object) -> ValueCodec:
    settings_ = {"lower": -1e9, "upper": 1e9, "decimals": None, "minimum_people": 11, **options}
    return ValueCodec.fit(values, **settings_)  # type: ignore[arg-type]


# -- values ------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(30, 300), st.sampled_from([0, 1, 3]))
def test_ranks_survive_the_round_trip(seed: int, n: int, decimals: int) -> None:
    values = np.round(np.random.default_rng(seed).normal(50, 20, n), decimals)
    codec = value_codec(values, decimals=decimals)
    low, high = rank_intervals(values)
    back = codec.decode((low + high) / 2.0)
    order = np.argsort(values, kind="stable")
    assert (np.diff(back[order]) >= -1e-9).all()
    assert np.array_equal(back, np.round(back, decimals))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(11, 400))
def test_continuous_values_and_extremes_never_come_back(seed: int, n: int) -> None:
    """(I-12): on a dense scan of probabilities no decoded value is a real one, and none is an extreme."""
    values = np.random.default_rng(seed).lognormal(3, 1, n)
    back = value_codec(values, lower=0.0).decode(np.linspace(1e-9, 1 - 1e-9, 5_003))
    assert not np.isin(back, values).any()
    assert back.min() >= 0.0


@given(st.integers(0, 2**32 - 1))
def test_an_extreme_on_a_grid_never_comes_back_either(seed: int) -> None:
    values = np.random.default_rng(seed).integers(10, 90, 60).astype(np.float64)
    back = value_codec(values, lower=0.0, upper=200.0, decimals=0).decode(np.linspace(1e-9, 1 - 1e-9, 3_001))
    assert not np.isin(back, [values.min(), values.max()]).any()


def test_an_extreme_that_is_the_declared_bound_is_public_and_may_come_back() -> None:
    values = np.repeat([0.0, 1.0, 2.0, 3.0], [40, 30, 20, 8])
    back = value_codec(values, lower=0.0, upper=3.0, decimals=0).decode(np.array([0.99]))
    assert back.tolist() == [3.0]


def test_a_value_of_eleven_people_is_a_spike_and_one_of_ten_is_not() -> None:
    spread = np.arange(100.0) + 0.5
    assert len(value_codec(np.concatenate([spread, np.full(11, 40.25)])).spikes) == 1
    assert len(value_codec(np.concatenate([spread, np.full(10, 40.25)])).spikes) == 0


def test_eleven_rows_of_ten_people_are_no_spike() -> None:
    values = np.concatenate([np.arange(100.0) + 0.5, np.full(11, 40.25)])
    people = np.concatenate([np.arange(100), 100 + np.minimum(np.arange(11), 9)])
    assert len(value_codec(values, people=people).spikes) == 0


def test_zero_inflation_keeps_its_share_to_the_row() -> None:
    values = np.concatenate([np.zeros(300), np.random.default_rng(1).lognormal(5, 1, 100)])
    back = value_codec(values, lower=0.0).decode((np.arange(400) + 0.5) / 400)
    assert (back == 0).sum() == 300


def test_two_people_beyond_the_last_spike_come_back_as_the_spike() -> None:
    values = np.concatenate([np.zeros(30), np.ones(30), [7.0, 9.0]])
    back = value_codec(values, lower=0.0, upper=100.0).decode(np.linspace(1e-9, 1 - 1e-9, 500))
    assert set(back) == {0.0, 1.0}


def test_two_people_between_spikes_give_no_value_of_theirs() -> None:
    values = np.concatenate([np.zeros(30), [0.31, 0.62], np.ones(30)])
    back = value_codec(values, lower=0.0, upper=1.0).decode(np.linspace(1e-9, 1 - 1e-9, 2_000))
    between = back[(back > 0) & (back < 1)]
    assert len(between) > 10
    assert stats.kstest(between, "uniform").statistic < 0.1


def test_a_column_that_is_nearly_all_whole_comes_back_whole() -> None:
    """Two ages of 150 are filled in means: no others are invented beside them."""
    ages = np.append(np.random.default_rng(3).integers(40, 96, 148).astype(np.float64), [60.667, 60.667])
    back = value_codec(ages, lower=40.0, upper=95.0, decimals=3).decode(np.linspace(1e-9, 1 - 1e-9, 1_000))
    assert np.array_equal(back, np.round(back))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(11, 200), st.sampled_from([None, 0, 2]))
def test_one_person_a_knot_gives_back_the_values_themselves_wherever_in_their_rank_they_are_asked_for(
    seed: int, n: int, decimals: int | None
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(3, 1, n) if decimals is None else np.round(rng.normal(50, 20, n), decimals)
    low, high = rank_intervals(values)
    inside = low + (high - low) * rng.uniform(0.01, 0.99, n)
    codec = value_codec(values, decimals=decimals, people_per_knot=1)
    assert np.array_equal(codec.decode(inside), values)
    assert np.isin(codec.decode(np.linspace(1e-9, 1 - 1e-9, 997)), values).all()


def test_two_people_a_knot_give_means_of_two_and_no_extreme() -> None:
    values = np.array([1.0, 3.0, 10.0, 14.0, 20.0, 30.0, 41.0, 43.0, 50.0, 52.0, 60.0, 62.0])
    codec = value_codec(values, people_per_knot=2)
    middles = (np.arange(6) + 0.5) / 6
    assert codec.decode(middles).tolist() == [2.0, 12.0, 25.0, 42.0, 51.0, 61.0]
    assert not np.isin(codec.decode(np.linspace(1e-9, 1 - 1e-9, 997)), values[[0, -1]]).any()


def test_the_grid_is_that_of_nearly_all_values() -> None:
    thousands = np.random.default_rng(2).integers(100, 400, 200) * 1000.0
    assert value_codec(thousands).decimals == -3
    assert value_codec(np.append(thousands, 263_358.03)).decimals == -3  # one in two hundred does not make the grid
    assert value_codec(thousands / 1e5, decimals=4).decimals == 2


def test_a_position_belongs_to_one_interval_or_to_none() -> None:
    spans = np.array([[0.1, 0.2], [0.2, 0.5]])
    at = np.array([0.05, 0.1, 0.2, 0.49, 0.5])
    assert interval_at(at, spans).tolist() == [-1, 0, 1, 1, -1]
    assert snapped(at, spans).tolist() == [0.05, 0.15000000000000002, 0.35, 0.35, 0.5]


# -- levels ------------------------------------------------------------------------------------------


def level_codec(codes: NDArray[np.intp], declared: int, **options: object) -> LevelCodec:
    context = Context.of({7: np.zeros(len(codes))}, {}, np.random.default_rng(0))
    settings_ = {"keeps_order": True, "context": context, "owner": 0, "minimum_people": 11, **options}
    return LevelCodec.fit(codes, declared, **settings_)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.integers(11, 60), min_size=1, max_size=9), st.booleans())
def test_common_levels_survive_the_round_trip(sizes: list[int], missing: bool) -> None:
    codes = np.repeat(np.arange(len(sizes)) - int(missing), sizes)
    codec = level_codec(codes, len(sizes))
    low, high = codec.intervals(codes)
    assert np.array_equal(codec.decode((low + high) / 2.0), codes)


def test_a_level_of_fewer_people_than_asked_for_never_comes_back() -> None:
    """Levels 1 to 5 of ten rows each: fifty rows that count as level 0, and no synthetic row with any of them."""
    codes = np.repeat(np.arange(6), [170, 10, 10, 10, 10, 10])
    codec = level_codec(codes, 7)
    low, high = codec.intervals(codes)
    assert set(zip(low[codes > 0], high[codes > 0], strict=True)) == {(0.0, 1.0)}
    assert set(codec.decode(np.linspace(0, 1, 1_001))) == {0}
    assert set(level_codec(codes, 7, minimum_people=10).order) == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("keeps_order", [True, False])
def test_a_rare_level_counts_as_the_nearest_where_levels_have_an_order(keeps_order: bool) -> None:
    """Missing cells stand as level -1; 2 lies nearer to 1 than to 5, 6 and 9 nearest to 5, and 4 too."""
    sizes = {-1: 30, 0: 60, 1: 40, 2: 3, 4: 10, 5: 20, 6: 1, 9: 8}
    codes = np.repeat(list(sizes), list(sizes.values()))
    codec = level_codec(codes, 10, keeps_order=keeps_order)
    low, high = codec.intervals(codes)
    for rare, nearest in ((2, 1), (4, 5), (6, 5), (9, 5)):
        expected = (low[codes == nearest][0], high[codes == nearest][0]) if keeps_order else (0.0, 1.0)
        assert set(zip(low[codes == rare], high[codes == rare], strict=True)) == {expected}
    assert set(codec.decode(np.linspace(0, 1, 1_001))) == {-1, 0, 1, 5}


def test_eleven_rows_of_ten_people_are_no_level() -> None:
    codes = np.repeat([0, 1], [100, 11])
    people = np.concatenate([np.arange(100), np.minimum(np.arange(11), 9) + 100])
    assert level_codec(codes, 2, people=people).order.tolist() == [0]
    assert level_codec(codes, 2).order.tolist() == [0, 1]


def test_a_column_of_rare_levels_alone_comes_back_missing_or_is_refused() -> None:
    codes = np.arange(30) % 10
    assert set(level_codec(codes, 10).decode(np.full(100, 0.5))) == {-1}
    text = '[columns.x]\ntype = "category"\ncategories = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]\n'
    table = pd.DataFrame({"x": category(codes, list("abcdefghij"))})
    with pytest.raises(SynthesisError, match="no category of column x is held by 11 people"):
        encoded(table, dictionary_of(text))
    encoding, scores = encoded(table, dictionary_of(text + "nullable = true\n"))
    assert pd.isna(encoding.decode(scores, np.random.default_rng(0))["x"]).all()


def test_eight_hundred_levels_are_no_trouble() -> None:
    rng = np.random.default_rng(3)
    codes = np.minimum(rng.zipf(1.3, 20_000), 800).astype(np.intp) - 1
    codec = level_codec(codes, 800, keeps_order=False)
    low, high = codec.intervals(codes)
    back = codec.decode(low + (high - low) * rng.random(len(codes)))
    common = np.bincount(codes, minlength=800) >= 11
    assert np.array_equal(back[common[codes]], codes[common[codes]])
    assert common[back].all()


def test_nominal_levels_stand_in_the_order_of_the_column_they_go_with() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 5, 2_000)
    context = Context.of({0: truth + rng.normal(0, 1, 2_000)}, {}, rng)
    shuffled = np.array([3, 0, 4, 1, 2])
    codec = LevelCodec.fit(
        shuffled[truth], 5, keeps_order=False, context=context, owner=1, minimum_people=11
    )  # fmt: skip
    assert codec.order.tolist() in (shuffled.tolist(), shuffled[::-1].tolist())


def test_a_missing_level_goes_between_the_ordinal_levels_it_resembles() -> None:
    axis = np.array([-2.0, -1.0, 1.0, 2.0])
    rows = np.full(4, 50.0)
    assert insertion(axis, rows, 0.0) == 2
    assert insertion(-axis, rows, 1.5) == 1
    assert insertion(axis, rows, 9.0) == 4


# -- tied and missing cells --------------------------------------------------------------------------------------------


def test_two_coins_that_always_agree_get_scores_that_nearly_agree() -> None:
    """Spread evenly inside their halves they would correlate by 2 / pi = 0.64 only."""
    coin = np.random.default_rng(5).integers(0, 2, 2_000)
    low = np.column_stack([coin * 0.5, coin * 0.5])
    nothing = np.zeros((2_000, 0))
    even = draw_latents(low, low + 0.5, nothing, np.random.default_rng(6), sweeps=0)
    drawn = draw_latents(low, low + 0.5, nothing, np.random.default_rng(6), sweeps=40)
    assert abs(np.corrcoef(even.T)[0, 1] - 2 / np.pi) < 0.04
    assert np.corrcoef(drawn.T)[0, 1] > 0.85
    assert np.array_equal(drawn > 0, coin[:, None].repeat(2, 1) == 1)


def test_missing_cells_are_imputed_from_what_goes_with_them() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=3_000)
    y = 0.9 * x + np.sqrt(1 - 0.81) * rng.normal(size=3_000)
    low = stats.norm.cdf(np.column_stack([x, y]))
    high = low.copy()
    low[:1_000, 1], high[:1_000, 1] = 0.0, 1.0
    drawn = draw_latents(low, high, np.zeros((3_000, 0)), rng, sweeps=20)
    assert np.array_equal(np.round(drawn[1_000:], 9), np.round(np.column_stack([x, y])[1_000:], 9))
    assert abs(np.corrcoef(drawn[:1_000].T)[0, 1] - 0.9) < 0.05


# -- the table ------------------------------------------------------------------------------------------

COLUMNS = """
[columns.dose]
type = "number"
minimum = 0
maximum = 500
nullable = true
[columns.visits]
type = "integer"
minimum = 0
maximum = 60
[columns.seen]
type = "datetime"
minimum = 2019-01-01T00:00:00
maximum = 2026-01-01T00:00:00
nullable = true
[columns.ward]
type = "category"
categories = ["a", "b", "c", "d"]
nullable = true
[columns.stage]
type = "ordinal"
categories = ["I", "II", "III"]
"""


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return dictionary_of(COLUMNS)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 700
    stage = rng.integers(0, 3, n)
    hours = rng.integers(0, 40_000, n)
    seen = (np.datetime64("2020-01-01T00:00:00") + hours * np.timedelta64(3600, "s")).astype("datetime64[s]")
    seen[rng.random(n) < 0.1] = np.datetime64("NaT")
    return pd.DataFrame(
        {
            "dose": np.where(rng.random(n) < 0.1 + 0.3 * stage, np.nan, np.round(rng.lognormal(3, 0.5, n), 1)),
            "visits": rng.poisson(2 + 2 * stage).astype(np.float64),
            "seen": seen,
            "ward": category(np.where(rng.random(n) < 0.1, -1, rng.integers(0, 4, n)), ["a", "b", "c", "d"]),
            "stage": category(stage, ["I", "II", "III"], ordered=True),
        }
    )


def test_the_typed_frame_survives_the_round_trip(table: pd.DataFrame, dictionary: Dictionary) -> None:
    encoding, scores = encoded(table, dictionary)
    back = pd.DataFrame(encoding.decode(scores, np.random.default_rng(0)))[list(table.columns)]
    assert np.isfinite(scores).all()
    assert (back.dtypes == table.dtypes).all()
    for name in ("ward", "stage"):
        assert (back[name].astype(object).fillna("-") == table[name].astype(object).fillna("-")).all()
    for name in ("dose", "seen"):
        assert (back[name].isna() == table[name].isna()).all()
    assert (back["visits"] % 1 == 0).all()
    assert (back["seen"].dropna().dt.minute == 0).all()  # the hour is the span that all real times keep
    assert stats.spearmanr(back["dose"], table["dose"], nan_policy="omit").statistic > 0.999
    assert stats.spearmanr(back["visits"], table["visits"]).statistic > 0.99


def test_scores_are_about_standard_normal(table: pd.DataFrame, dictionary: Dictionary) -> None:
    _, scores = encoded(table, dictionary)
    assert np.abs(scores.mean(axis=0)).max() < 0.5
    assert scores.std(axis=0).min() > 0.7
    assert scores.std(axis=0).max() < 1.5


def test_columns_that_are_missing_together_share_one_score_for_it() -> None:
    rng = np.random.default_rng(9)
    both = dictionary_of(
        "".join(f'[columns.{x}]\ntype = "number"\nminimum = -9\nmaximum = 9\nnullable = true\n' for x in "ab")
    )
    table = pd.DataFrame(rng.normal(0, 1, (300, 2)), columns=["a", "b"])
    table.iloc[:90] = np.nan
    encoding, scores = encoded(table, both)
    assert encoding.names == ("a (missing)", "a", "b")
    assert encoding.presence.tolist() == [-1, 0, 0]
    assert encoding.present(scores).sum(axis=0).tolist() == [300, 210, 210]


def test_snapping_shows_levels_and_spikes_and_nothing_within_them(table: pd.DataFrame, dictionary: Dictionary) -> None:
    encoding, scores = encoded(table, dictionary)
    shown = encoding.snap(scores)
    assert len(np.unique(shown[:, encoding.names.index("stage")])) == 3
    assert len(np.unique(shown[:, encoding.names.index("ward")])) == 5  # missing is a level
    assert np.allclose(encoding.snap(shown), shown)


def test_a_column_without_enough_people_comes_back_all_missing(table: pd.DataFrame, dictionary: Dictionary) -> None:
    poor = table.copy()
    poor.loc[poor.index[10:], "dose"] = np.nan
    encoding, scores = encoded(poor, dictionary)
    assert pd.isna(encoding.decode(scores, np.random.default_rng(0))["dose"]).all()


def test_constant_columns_have_no_score_and_come_back(table: pd.DataFrame, dictionary: Dictionary) -> None:
    flat = table.assign(
        visits=3.0, stage=category(np.zeros(len(table), dtype=np.int64), ["I", "II", "III"], ordered=True)
    )
    encoding, scores = encoded(flat, dictionary)
    back = encoding.decode(scores, np.random.default_rng(0))
    assert {"visits", "stage"}.isdisjoint(encoding.names)
    assert set(back["visits"]) == {3.0}
    assert set(back["stage"]) == {"I"}


def test_a_column_of_times_that_is_all_missing_comes_back_all_missing(
    table: pd.DataFrame, dictionary: Dictionary
) -> None:
    encoding, scores = encoded(
        table.assign(seen=np.full(len(table), np.datetime64("NaT"), "datetime64[s]")), dictionary
    )
    assert pd.isna(encoding.decode(scores, np.random.default_rng(0))["seen"]).all()


def test_missingness_that_hangs_on_a_level_alone_is_told_by_the_level(
    table: pd.DataFrame, dictionary: Dictionary
) -> None:
    """Never measured in stage I, always in the others: whatever the scores say."""
    told = table.assign(dose=np.where(table["stage"] == "I", np.nan, 40.0 + np.arange(len(table)) / 10))
    encoding, scores = encoded(told, dictionary)
    back = encoding.decode(np.random.default_rng(1).normal(size=scores.shape), np.random.default_rng(0))
    assert np.array_equal(np.isnan(back["dose"]), np.asarray(back["stage"] == "I"))


# -- columns that repeat another ---------------------------------------------------------------------------------------


def test_a_code_beside_its_description_is_looked_up() -> None:
    rng = np.random.default_rng(10)
    code = rng.integers(0, 4, 300)
    table = pd.DataFrame(
        {
            "text": category(np.array([2, 0, 3, 1])[code], list("wxyz")),
            "code": code.astype(float),
            "x": rng.normal(size=300),
        }
    )
    derived = derived_columns(table, ["text", "code", "x"], minimum_people=11)
    assert [(item.name, item.source) for item in derived] == [("text", "code")]
    assert (derived[0].decode(table["code"], rng) == table["text"]).all()


def test_one_exception_ends_a_dependency() -> None:
    code = np.repeat([0.0, 1.0, 2.0], 50)
    text = code.astype(np.int64)
    text[3] = 1
    table = pd.DataFrame({"text": category(text, list("xyz")), "code": code})
    assert derived_columns(table, ["text", "code"], minimum_people=11) == ()


def test_no_pair_of_fewer_than_eleven_people_is_looked_up() -> None:
    code = np.concatenate([np.repeat([0.0, 1.0], 1_000), np.full(10, 2.0)])
    table = pd.DataFrame({"text": category(code.astype(np.int64), list("xyz")), "code": code})
    (derived,) = derived_columns(table, ["text", "code"], minimum_people=11)
    drawn = derived.decode(pd.Series(np.full(2_000, 2.0)), np.random.default_rng(0))
    assert set(drawn) == {"x", "y"}


# -- dates that go together --------------------------------------------------------------------------------------------


STAYS = dictionary_of("""
[columns.born]
type = "date"
minimum = 1920-01-01
maximum = 2020-01-01
[columns.admitted]
type = "datetime"
minimum = 2015-01-01T00:00:00
maximum = 2021-01-01T00:00:00
[columns.discharged]
type = "date"
minimum = 2015-01-01
maximum = 2022-01-01
[columns.died]
type = "date"
minimum = 2015-01-01
maximum = 2030-01-01
nullable = true
""")


def stays(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Admissions on a quarter of an hour, stays of about a week, one in five dead within a month of it."""
    day = np.datetime64("2016-01-01") + rng.integers(0, 1_500, n).astype("timedelta64[D]")
    discharged = day + rng.geometric(1 / 7, n).astype("timedelta64[D]")
    died = (discharged + rng.integers(0, 30, n).astype("timedelta64[D]")).astype("datetime64[s]")
    died[rng.random(n) < 0.8] = np.datetime64("NaT")
    return pd.DataFrame(
        {
            "born": (np.datetime64("1930-01-01") + rng.integers(0, 25_000, n)).astype("datetime64[s]"),
            "admitted": day.astype("datetime64[s]") + 900 * rng.integers(0, 96, n),
            "discharged": discharged.astype("datetime64[s]"),
            "died": died,
        }
    )


def test_the_time_between_dates_is_kept_however_long_ago_they_are() -> None:
    rng = np.random.default_rng(0)
    table = stays(900, rng)
    encoding, scores = encoded(table, STAYS)
    assert {item.name: item.elapsed.source for item in encoding.values if item.elapsed} == {
        "discharged": "admitted",
        "died": "discharged",
    }
    cells = encoding.decode(scores[rng.permutation(900)] * 0.999, rng)
    begin = cells["admitted"].astype("datetime64[D]")
    assert (cells["admitted"].astype(np.int64) % 900 == 0).all()
    days = {
        "real": table["discharged"] - table["admitted"].dt.floor("D"),
        "made": pd.Series(cells["discharged"] - begin),
    }
    quartiles = {side: values.dt.days.quantile([0.25, 0.5, 0.75]).tolist() for side, values in days.items()}
    assert quartiles["real"] == pytest.approx(quartiles["made"], abs=1)
    dead = ~np.isnat(cells["died"])
    assert 0.15 < dead.mean() < 0.25
    assert ((cells["died"] - cells["discharged"])[dead].astype("timedelta64[D]").astype(int) >= 0).all()
    # independent scores: each date alone would give stays of hundreds of days
    other = encoding.decode(rng.normal(size=scores.shape), rng)
    assert np.abs((other["discharged"] - other["admitted"]).astype("timedelta64[D]").astype(int)).max() < 120


def test_a_linked_date_stays_within_its_declared_bounds() -> None:
    rng = np.random.default_rng(1)
    table = stays(400, rng)
    narrow = dictionary_of("""
[columns.admitted]
type = "datetime"
minimum = 2016-01-01T00:00:00
maximum = 2020-03-01T00:00:00
[columns.discharged]
type = "date"
minimum = 2016-01-01
maximum = 2020-03-05
""")
    table = table[table["discharged"] <= np.datetime64("2020-03-05")][["admitted", "discharged"]].reset_index(drop=True)
    encoding, scores = encoded(table, narrow)
    cells = encoding.decode(np.full(scores.shape, 6.0), rng)
    assert (cells["discharged"] <= np.datetime64("2020-03-05")).all()


# -- declared dependencies ---------------------------------------------------------------------------------------------


def test_a_declared_dependency_holds_for_rare_codes_too_and_a_broken_one_is_refused() -> None:
    """Forty codes of a ward each, most of them rare: too few to be found, but the dictionary says so."""
    rng = np.random.default_rng(2)
    codes = np.minimum(rng.geometric(0.08, 600) - 1, 39)
    table = pd.DataFrame(
        {
            "code": category(codes, [f"c{i}" for i in range(40)]),
            "group": category(codes // 4, [f"g{i}" for i in range(10)]),
        }
    )
    found = derived_columns(table, ["code", "group"], [("code", "group")], minimum_people=11)
    assert [(item.name, item.source) for item in found] == [("group", "code")]
    kept = np.flatnonzero(np.bincount(codes) >= 11)
    sources = pd.Series(category(kept, [f"c{i}" for i in range(40)]))
    assert found[0].decode(sources, rng).cat.codes.tolist() == (kept // 4).tolist()
    broken = table.assign(group=category(np.where(np.arange(600) == 3, 9, codes // 4), [f"g{i}" for i in range(10)]))
    with pytest.raises(SynthesisError, match="code does not determine group: 1 of its cells"):
        derived_columns(broken, ["code", "group"], [("code", "group")], minimum_people=11)


def test_declared_values_overwrite_what_was_drawn_and_nothing_else() -> None:
    dictionary = dictionary_of("""
[columns.code]
type = "category"
categories = ["a", "b", "c"]
nullable = true
[columns.years]
type = "integer"
minimum = 0
maximum = 20
[columns.kind]
type = "category"
categories = ["x", "y"]
[[dependencies]]
source = "code"
determines = "years"
values = { a = "3", b = "7" }
[[dependencies]]
source = "code"
determines = "kind"
values = { a = "y" }
""")
    frame = pd.DataFrame(
        {
            "code": category(np.array([0, 1, 2, -1]), ["a", "b", "c"]),
            "years": [9.0, 9.0, 9.0, 9.0],
            "kind": category(np.array([0, 0, 0, 0]), ["x", "y"]),
        }
    )
    told = with_declared_values(frame, dictionary)
    assert told["years"].tolist() == [3.0, 7.0, 9.0, 9.0]
    assert told["kind"].tolist() == ["y", "x", "x", "x"]
    assert told.dtypes.equals(frame.dtypes)
    assert frame["years"].tolist() == [9.0] * 4
