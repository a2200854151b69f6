"""Two policies side by side: stricter means that whatever one allows, the other allows as well."""

from __future__ import annotations

import datetime as dt
import json
import math
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import Limit, Measurement, Policy, compare, decide, load_pack, pack_names
from policies.diff import _WORDS, Comparison, held_to
from policies.measurement import Status
from policies.model import ROWS_LEARNED

BASE: dict[str, Any] = {"version": 1, "id": "a", "purpose": "test", "context": "internal"}
DP = {"epsilon": 1.0, "delta": 1e-6}
MIRROR = {"same": "same", "stricter": "looser", "looser": "stricter", "incomparable": "incomparable"}


def policy(**fields: Any) -> Policy:
    return Policy.model_validate({**BASE, "limits": {"m": {"max": 0.5}}, **fields})


def reaching(most_rows: int, least: float = 11) -> dict[str, Any]:
    return {"limits": {"m": {"max": 0.5}, "k": {"min": least, "most_rows": most_rows}}}


TWO: dict[str, Any] = {"limits": {"m": {"max": 0.5}, "k": {"min": 11}}}


def effects(comparison: Comparison) -> dict[str, str]:
    return {change.field: change.effect for change in comparison.changes}


# -- by hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "field", "effect"),
    [
        ({}, {"limits": {"m": {"max": 0.4}}}, "limits.m", "tightened"),
        ({}, {"limits": {"m": {"max": 0.6}}}, "limits.m", "loosened"),
        ({}, {"limits": {"m": {"max": 0.5, "min": 0.1}}}, "limits.m", "tightened"),
        ({}, {"limits": {"m": {"min": 0.1}}}, "limits.m", "changed"),
        ({}, {"limits": {"m": {"max": 0.5}, "k": {"min": 11}}}, "limits.k", "added"),
        ({"limits": {"m": {"max": 0.5}, "k": {"min": 11}}}, {}, "limits.k", "removed"),
        ({"limits": {"k": {"min": 11}}}, {"limits": {"k": {"min": 20}}}, "limits.k", "tightened"),
        ({"limits": {"k": {"min": 11}}}, {"limits": {"k": {"min": 10}}}, "limits.k", "loosened"),
        ({"limits": {"k": {"min": 1, "max": 2}}}, {"limits": {"k": {"min": 0, "max": 1}}}, "limits.k", "changed"),
        ({}, {"limits": {"m": {"max": 0.5, "fewest": 500}}}, "limits.m", "tightened"),
        ({}, {"limits": {"m": {"max": 0.5, "source": "a norm"}}}, "limits.m", "reworded"),
        (TWO, reaching(300), "limits.k", "loosened"),
        (reaching(300), TWO, "limits.k", "tightened"),
        (reaching(300), reaching(400), "limits.k", "tightened"),
        (reaching(400), reaching(300), "limits.k", "loosened"),
        (reaching(300), reaching(400, 10), "limits.k", "changed"),
        ({}, {"confidence": 0.99}, "confidence", "tightened"),
        ({}, {"confidence": 0.9}, "confidence", "loosened"),
        ({}, {"minimum_people": 101}, "minimum_people", "tightened"),
        ({}, {"valid_days": 365}, "valid_days", "tightened"),
        ({"valid_days": 365}, {"valid_days": 400}, "valid_days", "loosened"),
        ({}, {"expires": dt.date(2030, 1, 1)}, "expires", "tightened"),
        ({"expires": dt.date(2030, 1, 1)}, {"expires": dt.date(2031, 1, 1)}, "expires", "loosened"),
        ({}, {"disclosure": "verdict"}, "disclosure", "tightened"),
        ({}, {"context": "public"}, "context", "changed"),
        ({}, {"attacker": {"class_size": 20}}, "attacker", "changed"),
        ({}, {"attacker": {"source": "a norm"}}, "attacker", "reworded"),
        ({}, {"attempts": {"max": 5}}, "attempts", "changed"),
        ({}, {"attempts": {"max": 3, "source": "a norm"}}, "attempts", "reworded"),
        ({}, {"differential_privacy": DP}, "differential_privacy", "added"),
        ({"differential_privacy": DP}, {}, "differential_privacy", "removed"),
        ({"differential_privacy": DP}, {"differential_privacy": {**DP, "epsilon": 0.5, "lifetime": DP}},
         "differential_privacy.epsilon", "tightened"),
        ({"differential_privacy": DP}, {"differential_privacy": {**DP, "lifetime": {**DP, "epsilon": 3.0}}},
         "differential_privacy.lifetime.epsilon", "loosened"),
        ({}, {"required_approvals": {"count": 1}}, "required_approvals", "added"),
        ({"required_approvals": {"count": 2}}, {}, "required_approvals", "removed"),
        ({"required_approvals": {"count": 1}}, {"required_approvals": {"count": 2}}, "required_approvals", "tightened"),
        ({"required_approvals": {"count": 1}}, {"required_approvals": {"count": 1, "roles": ("officer",)}},
         "required_approvals", "tightened"),
        ({"required_approvals": {"count": 1, "roles": ("officer",)}}, {"required_approvals": {"count": 2}},
         "required_approvals", "changed"),
        ({}, {"remedies": {"suppress": {"max_share": 0.01}}}, "remedies", "changed"),
        ({"remedies": {"suppress": {"max_share": 0.01}}},
         {"remedies": {"suppress": {"max_share": 0.01, "source": "a norm"}}}, "remedies", "reworded"),
        ({}, {"purpose": "another"}, "purpose", "reworded"),
        ({}, {"not_held": ("x",)}, "not_held", "reworded"),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_told_by_its_effect(
    before: dict[str, Any], after: dict[str, Any], field: str, effect: str
) -> None:
    assert effects(compare(policy(**before), policy(**after))) == {field: effect}


def test_what_lets_more_through_comes_first_and_the_verdict_names_both() -> None:
    a = policy(limits={"m": {"max": 0.5}, "k": {"min": 5}})
    b = policy(id="b", limits={"m": {"max": 0.4}, "k": {"min": 4}})
    comparison = compare(a, b)
    assert [change.field for change in comparison.changes] == ["limits.k", "limits.m", "id"]
    assert comparison.verdict == "incomparable"
    assert comparison.in_words.startswith("b is neither stricter nor looser than a")
    assert comparison.to_dict()["changes"][0] == {
        "field": "limits.k", "effect": "loosened", "a": {"min": 5.0, "source": "house"},
        "b": {"min": 4.0, "source": "house"},
    }  # fmt: skip


def test_more_attempts_are_stricter_with_each_candidate_and_allow_one_more_of_them() -> None:
    """So neither way round is stricter: each of the two policies allows what the other denies."""
    few, many = (policy(id=f"{tries}-tries", attempts={"max": tries}) for tries in (2, 100))
    assert compare(few, many).verdict == compare(many, few).verdict == "incomparable"

    def allowed(terms: Policy, attempt: int, value: float, deviation: float = 0.1) -> bool:
        """One attempt as a release makes it: refused when attempts are used up, else measured with its share."""
        confidence = 1 - (1 - terms.confidence) / terms.looks
        half = NormalDist().inv_cdf((1 + confidence) / 2) * deviation
        found = Measurement("m", value, value - half, value + half, confidence, 100, "normal")
        return attempt <= terms.attempts.max and decide(terms, [found]).allowed

    assert allowed(few, 1, 0.25)  # 2.24 deviations below the limit of 0.5 would do, and 2.5 are there
    assert not allowed(many, 1, 0.25)  # 3.48 would
    assert not allowed(few, 3, 0.1)
    assert allowed(many, 3, 0.1)


@pytest.mark.parametrize("field", sorted(Policy.model_fields.keys() - {"version"}))
def test_no_field_of_a_policy_goes_unseen(field: str) -> None:
    """A field this module has never heard of makes two policies incomparable, not equal."""
    changed = policy().model_copy(update={field: _other(field)})
    assert any(change.field.split(".")[0] == field for change in compare(policy(), changed).changes)


def _other(field: str) -> Any:
    full = policy(
        limits={"z": {"max": 0.1}},
        differential_privacy=DP,
        required_approvals={"count": 1},
        expires=dt.date(2030, 1, 1),
    )
    value = getattr(full, field)
    return value if value != getattr(policy(), field) else f"unlike {field}" if isinstance(value, str) else _Unlike()


class _Unlike:
    def __gt__(self, other: object) -> bool:
        return True

    def __lt__(self, other: object) -> bool:
        return False


@pytest.mark.parametrize("name", pack_names())
def test_a_policy_is_the_same_as_itself(name: str) -> None:
    pack = load_pack(name)
    assert (compare(pack, pack).verdict, compare(pack, pack).changes) == ("same", ())


# -- laws ----------------------------------------------------------------------------------------------------------

grid = st.sampled_from([0.0, 0.1, 0.2, 0.3])
maybe = st.none() | grid


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    low, high, fewest = draw(maybe), draw(maybe), draw(st.none() | st.sampled_from([5, 10]))
    if low is None and high is None:
        high = draw(grid)
    if low is not None and high is not None and low > high:
        low, high = high, low
    return Limit(min=low, max=high, fewest=fewest, most_rows=draw(st.none() | st.sampled_from([250, 300])))


def one_of_all(found: dict[str, Limit]) -> dict[str, dict[str, Any]]:
    """At least one of them is asked of every table."""
    first = min(found)
    return {name: limit.model_dump() | ({"most_rows": None} if name == first else {}) for name, limit in found.items()}


drawn = st.builds(
    policy,
    limits=st.dictionaries(st.sampled_from("abc"), limits(), min_size=1).map(one_of_all),
    confidence=st.sampled_from([0.9, 0.95]),
    minimum_people=st.sampled_from([100, 200]),
    valid_days=st.none() | st.sampled_from([10, 20]),
    disclosure=st.sampled_from(["verdict", "findings"]),
    differential_privacy=st.none() | st.sampled_from([DP, {**DP, "epsilon": 2.0}]),
    required_approvals=st.none() | st.sampled_from([{"count": 1}, {"count": 2}, {"count": 1, "roles": ("officer",)}]),
)


@st.composite
def measurements(draw: st.DrawFn) -> tuple[Measurement, ...]:
    """Mostly sound and narrow, on the grid of all bounds, so that many of them are allowed by some policy."""
    found = []
    for name in ("a", "b", "c"):
        low = draw(grid)
        high = draw(st.sampled_from([low, low, low, 0.3]))
        status: Status = "inconclusive" if draw(st.integers(0, 11)) == 7 else "measured"
        confidence, n = draw(st.sampled_from([0.95, 0.95, 0.9])), draw(st.sampled_from([10, 10, 5, 4]))
        value = draw(st.sampled_from([low] * 11 + [math.nan]))
        found.append(Measurement(name, value, low, high, confidence, n, "drawn", status))
    found.append(Measurement.exact("dp_epsilon", draw(st.sampled_from([1.0, 2.0])), n=1, method="drawn"))
    found.append(Measurement.exact("dp_delta", 1e-6, n=1, method="drawn"))
    found.append(Measurement.exact(ROWS_LEARNED, draw(st.sampled_from([200, 275, 400])), n=1, method="drawn"))
    return tuple(found)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Policy, Policy]:
    """Two policies that differ in one or two fields, so that most are comparable."""
    a, other = draw(drawn), draw(drawn)
    update: dict[str, Any] = {}
    for field in draw(st.lists(st.sampled_from(["limits", "limits", "limits", "confidence", "differential_privacy"]),
                               min_size=1, max_size=2)):  # fmt: skip
        if field == "limits":
            name = draw(st.sampled_from("abc"))
            limits_b = {key: limit for key, limit in a.limits.items() if key != name}
            if name in other.limits or not limits_b:
                limits_b[name] = draw(limits())
            if all(limit.most_rows is not None for limit in limits_b.values()):  # which no policy may have
                first = min(limits_b)
                limits_b[first] = limits_b[first].model_copy(update={"most_rows": None})
            update["limits"] = limits_b
        else:
            update[field] = getattr(other, field)
    return a, a.model_copy(update=update)


@settings(deadline=None, max_examples=150)
@given(pairs(), st.lists(measurements(), min_size=8, max_size=8))
def test_whatever_a_stricter_policy_allows_the_other_allows_as_well(
    pair: tuple[Policy, Policy], reports: list[tuple[Measurement, ...]]
) -> None:
    a, b = pair
    verdict = compare(a, b).verdict
    for report in reports:
        allowed_a, allowed_b = decide(a, report).allowed, decide(b, report).allowed
        if verdict in ("stricter", "same"):
            assert allowed_a or not allowed_b
        if verdict in ("looser", "same"):
            assert allowed_b or not allowed_a


@settings(deadline=None)
@given(drawn, st.data())
def test_tightening_any_bound_is_stricter_and_never_allows_more(a: Policy, data: st.DataObject) -> None:
    """One drawn limit is narrowed, and the reports that are tried lie on the grid of all bounds."""
    name = data.draw(st.sampled_from(sorted(a.limits)))
    old = a.limits[name]
    step = data.draw(st.sampled_from([0.05, 0.1]))
    tighter = Limit(
        min=old.min,
        max=(0.3 if old.max is None else old.max) - step if old.min is None else old.max,
        fewest=10,
    )
    b = a.model_copy(update={"limits": {**a.limits, name: tighter}})
    verdict = compare(a, b).verdict
    assert verdict == "stricter" or old == tighter
    report = data.draw(measurements())
    assert decide(a, report).allowed or not decide(b, report).allowed


@settings(deadline=None, max_examples=300)
@given(pairs() | st.tuples(drawn, drawn) | drawn.map(lambda a: (a, a)), st.sampled_from(["house", "a norm"]))
def test_two_policies_hold_to_the_same_exactly_where_the_comparison_says_so(
    pair: tuple[Policy, Policy], source: str
) -> None:
    a, b = pair
    b = b.model_copy(
        update={
            "id": "b", "purpose": "another", "not_held": ("x",), "sources": {"confidence": source},
            "limits": {
                name: limit.model_copy(update={"source": source}) for name, limit in reversed(b.limits.items())
            },
            "attempts": a.attempts.model_copy(update={"source": source}),
        }
    )  # fmt: skip
    same = json.dumps(held_to(a), sort_keys=True) == json.dumps(held_to(b), sort_keys=True)
    assert same is (compare(a, b).verdict == "same")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"differential_privacy": DP}, {"differential_privacy": {**DP, "lifetime": {**DP, "source": "a norm"}}}),
        (
            {"required_approvals": {"count": 1}},
            {"required_approvals": {"count": 1, "roles": ("officer", "approver"), "source": "a norm"}},
        ),
        ({"limits": {"m": {"max": 0.0}}}, {"limits": {"m": {"max": -0.0, "source": "a norm"}}}),
        (
            {"differential_privacy": DP, "private_gate": {"epsilon": 0.5, "parts": 20, "share": 0.6}},
            {"differential_privacy": DP, "private_gate": {"epsilon": 0.5, "parts": 20, "share": 0.595, "source": "x"}},
        ),
        (
            {"remedies": {"suppress": {"max_share": 0.01}}},
            {"remedies": {"suppress": {"max_share": 0.01, "source": "a norm"}}},
        ),
    ],
)
def test_what_is_written_otherwise_and_says_the_same_is_held_to_the_same(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    a, b = policy(**before), policy(**after)
    assert compare(a, b).verdict == "same"
    assert json.dumps(held_to(a), sort_keys=True) == json.dumps(held_to(b), sort_keys=True)


@pytest.mark.parametrize("field", sorted(Policy.model_fields.keys() - _WORDS))
def test_no_field_but_words_is_left_out_of_what_is_held_to(field: str) -> None:
    full = policy(
        differential_privacy=DP, private_gate={"epsilon": 0.5, "parts": 20, "share": 0.6},
        required_approvals={"count": 1}, expires=dt.date(2030, 1, 1), valid_days=9,
    )  # fmt: skip
    open_ = full if field != "remedies" else policy(remedies={"suppress": {"max_share": 0.01}})
    assert field in held_to(open_)
    assert not held_to(open_).keys() & _WORDS


@settings(deadline=None)
@given(drawn, drawn)
def test_the_comparison_the_other_way_round_is_its_mirror(a: Policy, b: Policy) -> None:
    assert compare(b, a).verdict == MIRROR[compare(a, b).verdict]


@settings(deadline=None)
@given(drawn, drawn, drawn)
def test_stricter_is_transitive(a: Policy, b: Policy, c: Policy) -> None:
    if compare(a, b).verdict == compare(b, c).verdict == "stricter":
        assert compare(a, c).verdict == "stricter"
