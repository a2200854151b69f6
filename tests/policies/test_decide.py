"""The decision: pure, complete, monotonic (I-4), and held against the unfavourable end of each interval (I-6)."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policies import Decision, Limit, Measurement, Policy, decide
from policies.decide import asked_of, met_at_point
from policies.measurement import Status
from policies.model import ROWS_LEARNED, DifferentialPrivacy

INF, NAN = math.inf, math.nan


def policy(limits: dict[str, Limit], **fields: object) -> Policy:
    return Policy.model_validate(
        {"version": 1, "id": "p", "purpose": "test", "context": "internal", "limits": limits, **fields}
    )


def measured(name: str, value: float, lower: float | None = None, upper: float | None = None) -> Measurement:
    low, high = value if lower is None else lower, value if upper is None else upper
    return Measurement(name, value, low, high, 0.95, 10, "by hand")


def allowed(limit: Limit, *measurements: Measurement) -> bool:
    return decide(policy({"a": limit}), measurements).allowed


# -- by hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "interval", "met"),
    [
        (Limit(max=0.05), (0.03, 0.01, 0.05), True),
        (Limit(max=0.05), (0.03, 0.01, 0.051), False),
        (Limit(min=10), (12, 10, 15), True),
        (Limit(min=10), (12, 9.99, 15), False),
        (Limit(min=0, max=1), (0.5, 0, 1), True),
        (Limit(min=0, max=1), (0.5, -0.1, 0.9), False),
        (Limit(min=1, max=1), (1, 1, 1), True),
        (Limit(max=0), (-0.0, -0.0, -0.0), True),
    ],
)
def test_a_limit_is_met_by_the_whole_interval_only(
    limit: Limit, interval: tuple[float, float, float], met: bool
) -> None:
    assert allowed(limit, measured("a", *interval)) is met


@pytest.mark.parametrize(
    "interval",
    [(NAN, 0, 1), (0.5, NAN, 1), (0.5, 0, NAN), (INF, 0, 1), (0.5, -INF, 1), (0.5, 0, INF), (NAN, NAN, NAN)],
)
@pytest.mark.parametrize("limit", [Limit(max=5), Limit(min=-5), Limit(min=-5, max=5)])
def test_what_is_not_finite_is_no_evidence(limit: Limit, interval: tuple[float, float, float]) -> None:
    assert not allowed(limit, measured("a", *interval))


@pytest.mark.parametrize("interval", [(0.5, 0.6, 0.9), (0.5, 0.1, 0.4), (0.5, 0.9, 0.1)])
def test_an_interval_that_does_not_hold_its_value_is_no_evidence(interval: tuple[float, float, float]) -> None:
    assert not allowed(Limit(min=0, max=1), measured("a", *interval))


@pytest.mark.parametrize(
    ("limit", "interval", "n", "could"),
    [
        (Limit(max=0.25), (0.0, 0.0, 0.306), 110, "about 165 could"),  # 110 * (0.306 / 0.25)^2 = 164.8
        (Limit(max=0.05), (0.03, 0.01, 0.051), 100, "about 111 could"),  # 100 * (0.021 / 0.02)^2 = 110.25
        (Limit(min=0.5), (0.6, 0.4, 0.7), 100, "about 400 could"),  # 100 * (0.2 / 0.1)^2
        (Limit(min=0.5, max=0.7), (0.6, 0.4, 0.73), 100, "about 400 could"),  # above it 100 * (0.13 / 0.1)^2 = 169
        (Limit(min=0.5, max=0.7), (0.6, 0.55, 0.73), 100, "about 169 could"),
        (Limit(max=0.05), (0.05, 0.01, 0.06), 100, "no number could"),
        (Limit(max=0.05), (0.0499, 0.0, 0.15), 100, "more than a million could"),  # 100 * 1001^2
        (Limit(max=0.5), (0.25, 0.0, 0.5 + 2**-53), 100, "about 101 could"),
    ],
)
def test_a_number_within_its_limit_on_too_few_is_inconclusive_and_names_how_many_could_decide(
    limit: Limit, interval: tuple[float, float, float], n: int, could: str
) -> None:
    found = Measurement("a", *interval, 0.95, n, "by hand")
    [finding] = decide(policy({"a": limit}), [found]).findings
    assert (finding.met, finding.status, finding.undecided) == (False, "inconclusive", True)
    assert finding.reason.startswith(f"n = {n} cannot decide; {could},")
    assert (finding.value, finding.lower, finding.upper) == interval
    assert met_at_point(limit, found)


def test_of_a_count_of_rows_no_number_is_told() -> None:
    """Its interval does not shrink with the rows at the same value."""
    found = Measurement("a", 1.0, -10.2, 11.8, 0.95, 250, "by hand")
    [finding] = decide(policy({"a": Limit(max=2)}), [found]).findings
    assert (finding.undecided, finding.reason) == (True, "n = 250 cannot decide")


@pytest.mark.parametrize(
    ("limit", "interval"),
    [
        (Limit(max=0.08), (0.0, -0.4, 1.0)),
        (Limit(max=0.08), (0.01, 0.0, 1.0 - 2**-53)),
        (Limit(min=0.5), (0.6, 0.0, 0.9)),
        (Limit(min=-0.1), (0.0, -1.0, 0.2)),
        (Limit(min=0.5, max=0.9), (0.6, 0.4, 1.0)),
    ],
)
def test_of_an_end_at_a_bound_of_the_measure_no_number_is_told(
    limit: Limit, interval: tuple[float, float, float]
) -> None:
    """A share whose interval is cut at 1 may be as wide with ten times the people."""
    [finding] = decide(policy({"a": limit}), [Measurement("a", *interval, 0.95, 9, "by hand")]).findings
    assert (finding.undecided, finding.status) == (True, "inconclusive")
    assert finding.reason.startswith("n = 9 cannot decide; how many could cannot be told")


def test_an_end_at_a_bound_that_decides_nothing_hides_no_number() -> None:
    """100 * (0.05 / 0.04)^2 = 156.25; the lower end is at 0, and no limit is asked of it."""
    found = Measurement("a", 0.01, 0.0, 0.06, 0.95, 100, "by hand")
    [finding] = decide(policy({"a": Limit(max=0.05)}), [found]).findings
    assert "about 157 could" in finding.reason


def test_of_nobody_no_number_is_told() -> None:
    [finding] = decide(policy({"a": Limit(max=0.1)}), [Measurement("a", 0.0, 0.0, 0.2, 0.95, 0, "by hand")]).findings
    assert (finding.met, finding.reason) == (False, "n = 0 cannot decide")


@pytest.mark.parametrize("interval", [(0.26, 0.0, 0.4), (0.2, 0.3, 0.4), (0.2, NAN, 0.4), (0.2, 0.1, INF)])
def test_a_number_outside_its_limit_or_without_an_interval_is_not_called_inconclusive(
    interval: tuple[float, float, float],
) -> None:
    [finding] = decide(policy({"a": Limit(max=0.25)}), [measured("a", *interval)]).findings
    assert (finding.met, finding.status, finding.undecided, finding.reason) == (False, "measured", False, "")


@pytest.mark.parametrize("status", ["inconclusive", "failed"])
def test_a_voided_number_within_its_limit_keeps_the_reason_it_was_voided_for(status: str) -> None:
    void = replace(measured("a", 0.2, 0.0, 0.3), status=status, reason="the control failed")  # type: ignore[arg-type]
    [finding] = decide(policy({"a": Limit(max=0.25)}), [void]).findings
    assert (finding.status, finding.undecided, finding.reason) == (status, False, "the control failed")


def test_as_many_as_are_named_do_decide_if_half_widths_shrink_with_the_root_of_n() -> None:
    limit, value, end = Limit(max=0.25), 0.1, 0.306
    [finding] = decide(policy({"a": limit}), [Measurement("a", value, 0.0, end, 0.95, 110, "by hand")]).findings
    could = int(finding.reason.split("about ")[1].split()[0])

    def then(n: int) -> bool:
        upper = value + (end - value) * math.sqrt(110 / n)
        return decide(policy({"a": limit}), [Measurement("a", value, 0.0, upper, 0.95, n, "by hand")]).allowed

    assert then(could)
    assert not then(could - 1)


def test_what_was_not_measured_is_not_met() -> None:
    [finding] = decide(policy({"a": Limit(max=1)}), []).findings
    assert (finding.status, finding.met, finding.reason) == ("missing", False, "not measured")


def test_a_name_measured_twice_contradicts_itself() -> None:
    twice = [measured("a", 0.5), measured("a", 0.5)]
    [finding] = decide(policy({"a": Limit(max=1)}), twice).findings
    assert (finding.status, finding.met) == ("failed", False)
    assert math.isnan(finding.value)


@pytest.mark.parametrize("status", ["inconclusive", "failed"])
def test_a_void_measure_meets_nothing_and_keeps_its_reason(status: str) -> None:
    void = Measurement.void("a", status=status, reason="too few people")  # type: ignore[arg-type]
    [finding] = decide(policy({"a": Limit(max=1)}), [void]).findings
    assert (finding.status, finding.met, finding.reason) == (status, False, "too few people")
    assert not allowed(Limit(max=1), replace(measured("a", 0.5), status=status))  # type: ignore[arg-type]


def test_every_limit_gets_its_finding_in_the_policys_order() -> None:
    limits = {"c": Limit(max=1), "a": Limit(max=1), "b": Limit(min=9)}
    decision = decide(policy(limits), [measured("a", 0.5), measured("b", 1), measured("x", 0)])
    assert [(finding.measure, finding.met) for finding in decision.findings] == [
        ("c", False),
        ("a", True),
        ("b", False),
    ]
    assert [finding.measure for finding in decision.unmet] == ["c", "b"]
    assert not decision.allowed


def test_no_findings_at_all_is_a_denial() -> None:
    assert not Decision("p", ()).allowed


def test_a_demand_for_privacy_is_a_limit_on_the_claim() -> None:
    demand = policy({"a": Limit(max=1)}, differential_privacy=DifferentialPrivacy(epsilon=1.0, delta=1e-6))
    fine = measured("a", 0)

    def claim(epsilon: float, delta: float) -> list[Measurement]:
        return [
            fine,
            *(Measurement.exact(n, v, n=1, method="m") for n, v in (("dp_epsilon", epsilon), ("dp_delta", delta))),
        ]

    assert decide(demand, claim(1.0, 1e-6)).allowed
    assert not decide(demand, claim(1.01, 1e-6)).allowed
    assert not decide(demand, claim(1.0, 1e-5)).allowed
    assert not decide(demand, claim(math.inf, 0.0)).allowed
    assert not decide(demand, [fine]).allowed
    assert decide(policy({"a": Limit(max=1)}), [fine]).allowed


def counted(rows: float, **odd: object) -> Measurement:
    return replace(Measurement.exact(ROWS_LEARNED, rows, n=1, method="count"), **odd)  # type: ignore[arg-type]


BOUNDED = {"a": Limit(max=1, most_rows=100), "b": Limit(max=1)}


@pytest.mark.parametrize(("rows", "asked"), [(100, True), (101, False), (99.5, True), (INF, True), (NAN, True)])
def test_a_limit_is_asked_up_to_so_many_rows_and_named_where_it_is_not(rows: float, asked: bool) -> None:
    decision = decide(policy(BOUNDED), [measured("a", 2), measured("b", 0), counted(rows)])
    assert decision.allowed is not asked
    first, second = decision.findings
    assert (first.asked, first.met, second.met) == (asked, False, True)
    assert [finding.measure for finding in decision.asked] == (["a", "b"] if asked else ["b"])
    assert decision.unmet == ((first,) if asked else ())
    assert decision.unasked == (() if asked else (first,))
    if not asked:
        assert (first.status, first.to_dict()["limit"]["most_rows"], first.to_dict()["value"]) == (
            "not asked",
            100,
            None,
        )
        assert "at most 100 rows" in first.reason


@pytest.mark.parametrize(
    "told",
    [
        [],
        [counted(101), counted(101)],
        [counted(101, status="inconclusive")],
        [counted(101, lower=99.0)],
        [counted(101, confidence=0.95)],
    ],
)
def test_where_rows_were_not_counted_once_and_exactly_every_limit_is_asked(told: list[Measurement]) -> None:
    decision = decide(policy(BOUNDED), [measured("a", 2), measured("b", 0), *told])
    assert [finding.asked for finding in decision.findings] == [True, True]
    assert not decision.allowed


def test_a_limit_that_is_not_asked_excuses_no_other() -> None:
    assert not decide(policy(BOUNDED), [measured("a", 0), measured("b", 2), counted(101)]).allowed
    assert not decide(policy(BOUNDED), [measured("a", 0), counted(101)]).allowed


def test_no_large_table_is_held_to_nothing_even_if_a_policy_were_so_made() -> None:
    [finding] = decide(policy(BOUNDED), [counted(101)]).findings[:1]
    assert not Decision("p", (finding,)).allowed


@given(st.integers(1, 300), st.none() | st.integers(1, 300), st.none() | st.integers(1, 300))
def test_a_wider_reach_asks_of_every_table_that_a_narrower_one_does(
    rows: int, most: int | None, more: int | None
) -> None:
    narrow, wide = sorted((most, more), key=lambda bound: INF if bound is None else bound)
    assert asked_of(Limit(max=1, most_rows=wide), rows) or not asked_of(Limit(max=1, most_rows=narrow), rows)


def test_json_has_the_documented_shape_and_no_nan() -> None:
    decision = decide(policy({"a": Limit(max=1, source="s"), "b": Limit(min=2)}), [measured("a", 0.5, 0.25, 0.75)])

    def refuse(word: str) -> float:
        raise AssertionError(word)

    assert json.loads(decision.to_json(), parse_constant=refuse) == {
        "policy": "p",
        "allowed": False,
        "findings": [
            {
                "measure": "a", "limit": {"min": None, "max": 1.0, "source": "s"}, "value": 0.5, "lower": 0.25,
                "upper": 0.75, "status": "measured", "met": True, "reason": "",
                "undecided": False,
            },
            {
                "measure": "b", "limit": {"min": 2.0, "max": None, "source": "house"}, "value": None, "lower": None,
                "upper": None, "status": "missing", "met": False, "reason": "not measured",
                "undecided": False,
            },
        ],
    }  # fmt: skip


def test_an_exact_measurement_is_its_own_interval() -> None:
    counted = Measurement.exact("k", 7.0, n=3, method="count")
    assert (counted.lower, counted.upper, counted.confidence, counted.status) == (7.0, 7.0, 1.0, "measured")


# -- laws ----------------------------------------------------------------------------------------------------------

NAMES = ("a", "b", "c")
values = st.one_of(st.floats(-2, 2), st.sampled_from([NAN, INF, -INF, 0.0, -0.0]))
bounds = st.floats(-2, 2)


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    low, high = sorted((draw(bounds), draw(bounds)))
    return draw(st.sampled_from([Limit(min=low), Limit(max=high), Limit(min=low, max=high)]))


@st.composite
def measurements(draw: st.DrawFn, name: str) -> Measurement:
    low, value, high = sorted((draw(bounds), draw(bounds), draw(bounds)))
    odd = draw(st.one_of(st.none(), st.none(), st.none(), values))
    statuses: list[Status] = ["measured", "measured", "measured", "inconclusive", "failed"]
    status = draw(st.sampled_from(statuses))
    return Measurement(name, value if odd is None else odd, low, high, 0.95, 5, "m", status)


policies_drawn = st.dictionaries(st.sampled_from(NAMES), limits(), min_size=1).map(policy)


def reported(fewest: int) -> st.SearchStrategy[tuple[Measurement, ...]]:
    names = st.lists(st.sampled_from(NAMES), min_size=fewest, unique=True)
    return names.flatmap(lambda names: st.tuples(*map(measurements, names)))


reports, some = reported(0), reported(1)


@settings(deadline=None)
@given(policies_drawn, some, st.integers(0, 2))
def test_losing_a_measurement_never_turns_deny_into_allow(
    demand: Policy, report: tuple[Measurement, ...], which: int
) -> None:
    which %= len(report)
    fewer = report[:which] + report[which + 1 :]
    assert decide(demand, report).allowed or not decide(demand, fewer).allowed


@settings(deadline=None)
@given(policies_drawn, some, st.integers(0, 2), st.sampled_from(["inconclusive", "failed"]))
def test_voiding_a_measurement_never_turns_deny_into_allow(
    demand: Policy, report: tuple[Measurement, ...], which: int, status: str
) -> None:
    which %= len(report)
    for void in (
        Measurement.void(report[which].name, status=status, reason="r"),  # type: ignore[arg-type]
        replace(report[which], status=status),  # type: ignore[arg-type]
    ):
        worse = (*report[:which], void, *report[which + 1 :])
        assert decide(demand, report).allowed or not decide(demand, worse).allowed


@settings(deadline=None)
@given(policies_drawn, some, st.integers(0, 2), st.floats(0, 1), st.floats(0, 1))
def test_widening_an_interval_never_turns_deny_into_allow(
    demand: Policy, report: tuple[Measurement, ...], which: int, down: float, up: float
) -> None:
    which %= len(report)
    m = report[which]
    assume(m.lower <= m.value <= m.upper)
    wider = (*report[:which], replace(m, lower=m.lower - down, upper=m.upper + up), *report[which + 1 :])
    assert decide(demand, report).allowed or not decide(demand, wider).allowed


@settings(deadline=None)
@given(policies_drawn, reports, limits())
def test_one_more_limit_never_turns_deny_into_allow(
    demand: Policy, report: tuple[Measurement, ...], more: Limit
) -> None:
    stricter = policy({**demand.limits, "z": more})
    assert decide(demand, report).allowed or not decide(stricter, report).allowed


@settings(deadline=None)
@given(policies_drawn, some, st.integers(0, 2))
def test_measuring_a_name_again_never_turns_deny_into_allow(
    demand: Policy, report: tuple[Measurement, ...], which: int
) -> None:
    which %= len(report)
    assert decide(demand, report).allowed or not decide(demand, (*report, report[which])).allowed


@settings(deadline=None)
@given(policies_drawn, reports, st.randoms())
def test_the_order_of_measurements_does_not_matter(
    demand: Policy, report: tuple[Measurement, ...], random: object
) -> None:
    shuffled = list(report)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide(demand, report).to_json() == decide(demand, shuffled).to_json()


@settings(deadline=None)
@given(policies_drawn, reports)
def test_allowed_means_every_limit_measured_and_inside_and_nothing_else(
    demand: Policy, report: tuple[Measurement, ...]
) -> None:
    by_name = {m.name: m for m in report}

    def inside(name: str, limit: Limit) -> bool:
        m = by_name.get(name)
        if m is None or m.status != "measured" or not math.isfinite(m.value) or not m.lower <= m.value <= m.upper:
            return False
        return (limit.min is None or limit.min <= m.lower) and (limit.max is None or m.upper <= limit.max)

    met = [inside(name, limit) for name, limit in demand.limits.items()]
    decision = decide(demand, report)
    assert decision.allowed == all(met)
    assert [finding.met for finding in decision.findings] == met


@settings(deadline=None)
@given(policies_drawn, reports, st.integers(0, 10**9))
def test_undecided_is_what_is_met_at_the_point_and_not_by_the_interval(
    demand: Policy, report: tuple[Measurement, ...], n: int
) -> None:
    by_name = {m.name: replace(m, n=n) for m in report}
    for finding in decide(demand, by_name.values()).findings:
        m = by_name.get(finding.measure)
        within = m is not None and m.lower <= m.value <= m.upper and met_at_point(finding.limit, m)
        assert finding.undecided == (within and not finding.met)
        assert finding.undecided <= (finding.status == "inconclusive")
        assert not (finding.undecided and not finding.reason)


def test_an_interval_of_less_confidence_than_the_policy_asks_for_meets_nothing() -> None:
    policy = Policy.model_validate(
        {"version": 1, "id": "p", "purpose": "x", "context": "internal", "limits": {"dcr_share": {"max": 0.6}}}
    )
    sure, unsure = (Measurement("dcr_share", 0.5, 0.45, 0.55, c, 100, "Wilson") for c in (0.95, 0.5))
    assert decide(policy, [sure]).allowed
    assert decide(policy, [unsure]).findings[0].status == "inconclusive"
    assert not decide(policy, [unsure]).allowed


@pytest.mark.parametrize(("n", "met"), [(500, True), (501, True), (499, False), (0, False)])
def test_a_limit_may_ask_for_a_number_of_cases(n: int, met: bool) -> None:
    limit = Limit(max=0.05, fewest=500)
    [finding] = decide(policy({"a": limit}), [Measurement("a", 0.01, 0.0, 0.05, 0.95, n, "by hand")]).findings
    assert finding.met is met
    assert finding.status == ("measured" if met else "inconclusive")
    assert finding.to_dict()["limit"] == {"min": None, "max": 0.05, "fewest": 500, "source": "house"}
