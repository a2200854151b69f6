"""Policies as files: strict, frozen, complete, and never quoting what they refuse."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from policies import Policy, PolicyError, load_policy, parse_policy
from policies.evidence import ATTACKS

CANARY = "zebra4711"
BASE = """
version = 1
id = "p"
purpose = "test"
context = "internal"
[limits]
membership_auc = { max = 0.05 }
"""


def refused(text: str, *words: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        parse_policy(text.encode(), name="p.toml")
    message = str(refusal.value)
    assert message.startswith("p.toml: ")
    assert refusal.value.__cause__ is None
    for word in words:
        assert word in message, message
    assert CANARY not in message


def test_the_smallest_policy_has_careful_defaults() -> None:
    policy = parse_policy(BASE.encode())
    assert (policy.disclosure, policy.minimum_people, policy.confidence, policy.attempts.max) == (
        "findings",
        100,
        0.95,
        3,
    )
    assert (policy.attacker.class_size, policy.attacker.known_columns) == (11, 3)
    assert policy.differential_privacy is None
    assert policy.limits["membership_auc"].source == "house"


def test_a_full_policy_is_read_with_its_units_and_sources() -> None:
    text = BASE.replace(
        "[limits]",
        'cites = ["a", "b"]\ndisclosure = "verdict"\nexpires = 2030-01-31\nminimum_people = 20\nconfidence = 0.99\n'
        '[attacker]\nclass_size = 20\nknown_columns = 5\n[attempts]\nmax = 1\nsource = "s"\n'
        "[differential_privacy]\nepsilon = 1\ndelta = 1e-6\n[limits]",
    )
    policy = parse_policy(b"\xef\xbb\xbf" + text.encode())
    assert policy.expires == dt.date(2030, 1, 31)
    assert policy.cites == ("a", "b")
    assert policy.differential_privacy is not None
    assert list(policy.demands()) == ["membership_auc", "dp_epsilon", "dp_delta"]
    assert policy.demands()["dp_epsilon"].max == 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("version = 1", "version = 2"), ["version"]),
        (("version = 1", ""), ["version", "required"]),
        (('id = "p"', 'id = "P zebra4711"'), ["id"]),
        (('id = "p"', 'id = "../zebra4711"'), ["id"]),
        (('id = "p"', 'id = "p\\nzebra4711"'), ["id"]),
        (('id = "p"', "id = 1"), ["id"]),
        (('purpose = "test"', 'purpose = ""'), ["purpose"]),
        (('context = "internal"', 'context = "zebra4711"'), ["context"]),
        (("max = 0.05", "max = 0.05, maximum = 1"), ["limits.membership_auc.maximum", "unknown key"]),
        (("[limits]", "surprise = 1\n[limits]"), ["surprise", "unknown key"]),
        (("[limits]", "[attacker]\nk = 3\n[limits]"), ["attacker.k", "unknown key"]),
        (("max = 0.05", "max = nan"), ["limits.membership_auc.max", "finite"]),
        (("max = 0.05", "max = inf"), ["finite"]),
        (("max = 0.05", "min = -inf"), ["finite"]),
        (("max = 0.05", 'max = "zebra4711"'), ["limits.membership_auc.max", "number"]),
        (("max = 0.05", "max = true"), ["number"]),
        (("max = 0.05", "max = 2020-01-01"), ["number"]),
        (("max = 0.05", 'source = "zebra4711"'), ["min, max or both"]),
        (("max = 0.05", "min = 0.2, max = 0.1"), ["min is above max"]),
        (("membership_auc = { max = 0.05 }", "membership_auc = 0.05"), ["limits.membership_auc"]),
        (("membership_auc = { max = 0.05 }", ""), ["at least one limit"]),
        (("[limits]\nmembership_auc = { max = 0.05 }", ""), ["limits", "required"]),
        (("membership_auc", '"Bad Name"'), ["limits"]),
        (("membership_auc", "dp_epsilon"), ["differential_privacy"]),
        (("membership_auc", "dp_delta"), ["differential_privacy"]),
        (("[limits]", "minimum_people = 19\n[limits]"), ["minimum_people"]),
        (("[limits]", "minimum_people = 100.0\n[limits]"), ["minimum_people"]),
        (("[limits]", "confidence = 1.0\n[limits]"), ["confidence"]),
        (("[limits]", "confidence = 0.4\n[limits]"), ["confidence"]),
        (("[limits]", "expires = 2030-01-01T00:00:00\n[limits]"), ["expires"]),
        (("[limits]", 'expires = "2030-01-01"\n[limits]'), ["expires"]),
        (("[limits]", "[attempts]\nmax = 0\n[limits]"), ["attempts.max"]),
        (("[limits]", "[attacker]\nclass_size = 1\n[limits]"), ["attacker.class_size"]),
        (("[limits]", "[attacker]\nknown_columns = 0\n[limits]"), ["attacker.known_columns"]),
        (("[limits]", "[differential_privacy]\nepsilon = 0.0\ndelta = 1e-6\n[limits]"), ["epsilon"]),
        (("[limits]", "[differential_privacy]\nepsilon = 1.0\ndelta = 1.0\n[limits]"), ["delta"]),
        (("[limits]", "[differential_privacy]\nepsilon = 1.0\n[limits]"), ["delta", "required"]),
        (("[limits]", "[differential_privacy]\nepsilon = inf\ndelta = 1e-6\n[limits]"), ["epsilon"]),
        (("[limits]", '[differential_privacy]\nepsilon = 1.0\ndelta = 0.1\nunit = "row"\n[limits]'), ["unit"]),
    ],
)
def test_what_a_policy_may_not_say_is_refused_by_its_key(change: tuple[str, str], words: list[str]) -> None:
    assert change[0] in BASE
    refused(BASE.replace(*change), *words)


@pytest.mark.parametrize(
    "text",
    [
        BASE + "membership_auc = { max = 1 }\n",
        BASE.replace("max = 0.05", "max = 0.05, max = 1"),
        BASE.replace('id = "p"', 'id = "p"\nid = "q"'),
        BASE + "[limits]\n",
        "\x00",
        "version",
        "x = [",
        "x = " + "9" * 5000,
        "x = " + "[" * 5000,
        ".".join(["a"] * 2000) + " = 1",
        "[" + ".".join(["a"] * 700) + "]",
    ],
    ids=["key twice", "inline key twice", "top key twice", "table twice", "NUL", "word", "open", "giant number",
         "deep brackets", "deep key", "deep table"],
)  # fmt: skip
def test_what_is_not_toml_is_refused(text: str) -> None:
    refused(text, "TOML")


def test_what_is_not_utf8_is_refused() -> None:
    with pytest.raises(PolicyError, match="UTF-8"):
        parse_policy(b'id = "\xff"')


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_policy_or_a_refusal(text: str) -> None:
    try:
        parse_policy(text.encode())
    except PolicyError:
        return
    raise AssertionError("nothing this short is a policy")


def test_every_fault_is_told_at_once() -> None:
    refused(BASE.replace("version = 1", "version = 2").replace("max = 0.05", "max = nan"), "version", "membership_auc")


def test_a_policy_cannot_be_changed() -> None:
    policy = parse_policy(BASE.encode())
    with pytest.raises(ValidationError):
        policy.minimum_people = 1  # type: ignore[misc]


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(BASE)
    assert isinstance(load_policy(path), Policy)
    path.write_text(BASE.replace("0.05", "nan"))
    with pytest.raises(PolicyError, match=r"^p.toml: limits.membership_auc.max"):
        load_policy(str(path))


def test_a_missing_file_a_folder_and_a_giant_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PolicyError, match=r"absent.toml: cannot be read"):
        load_policy(tmp_path / "absent.toml")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path)
    monkeypatch.setattr("policies.load.MAX_BYTES", 10)
    (tmp_path / "p.toml").write_text(BASE)
    with pytest.raises(PolicyError, match="larger"):
        load_policy(tmp_path / "p.toml")


WEAK = (
    "nnaa_privacy_loss", "nnaa_train", "dcr_share", "cumulative_dcr_share", "ks_train", "tstr_auc", "k_anonymity",
    "l_diversity", "all_columns_k_anonymity", "t_closeness", "rows_per_real_row", "safe_harbor_dates",
    "no_such_measure",
)  # fmt: skip


@pytest.mark.parametrize("names", [(name,) for name in WEAK] + [WEAK], ids=[*WEAK, "all of them"])
def test_a_policy_without_any_attack_is_refused(names: tuple[str, ...]) -> None:
    limits = "\n".join(f"{name} = {{ max = 0.5 }}" for name in names)
    refused(BASE[: BASE.index("[limits]")] + "[limits]\n" + limits, "never allow by themselves", "membership_auc")


@pytest.mark.parametrize("name", [name for names in ATTACKS.values() for name in names])
def test_one_attack_among_the_limits_is_enough(name: str) -> None:
    limits = BASE.replace("membership_auc", "nnaa_privacy_loss") + f"{name} = {{ max = 0.5 }}\n"
    assert len(parse_policy(limits.encode()).limits) == 2


def test_a_demand_for_differential_privacy_bounds_every_attack() -> None:
    text = BASE.replace("membership_auc", "dcr_share") + "[differential_privacy]\nepsilon = 1\ndelta = 1e-6\n"
    assert parse_policy(text.encode()).differential_privacy is not None


BOUNDED = BASE + "k_map = { min = 11, most_rows = 2500 }\n"


def test_a_limit_may_be_asked_of_tables_up_to_so_many_rows() -> None:
    assert parse_policy(BOUNDED.encode()).limits["k_map"].most_rows == 2500
    assert parse_policy(BASE.encode()).limits["membership_auc"].most_rows is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOUNDED.replace("2500", "0"), ["limits.k_map.most_rows"]),
        (BOUNDED.replace("2500", "2500.5"), ["limits.k_map.most_rows"]),
        (BOUNDED.replace("2500", "99"), ["most_rows below minimum_people (100)", "k_map"]),
        (BASE.replace("0.05", "0.05, most_rows = 2500"), ["every limit has most_rows"]),
        (BOUNDED + "rows_learned_from = { max = 9 }\n", ["rows_learned_from", "most_rows"]),
        # the only limit on an attack would not be asked of large tables
        (BOUNDED.replace("k_map", "linkability").replace("membership_auc", "nnaa"), ["in tables of any size"]),
    ],
)
def test_no_limit_is_lost_by_its_reach(text: str, words: list[str]) -> None:
    refused(text, *words)
