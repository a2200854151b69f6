"""``gateway policy``: packs with what they cite, files that cannot be used, and two policies side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

BASE = """
version = 1
id = "mine"
purpose = "test"
context = "controlled"
[limits]
membership_auc = { max = 0.55 }
near_copy_excess = { max = 0.03 }
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["policy", *map(str, arguments)])


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(BASE, encoding="utf-8")
    return path


def changed(mine: Path, old: str, new: str) -> Path:
    other = mine.with_name("other.toml")
    other.write_text(BASE.replace(old, new), encoding="utf-8")
    return other


def test_the_list_says_what_each_policy_cites_and_what_may_soon_change() -> None:
    listed = {pack["id"]: pack for pack in json.loads(run("list", "--json").stdout)}
    assert any("EMA/90915/2016" in line for line in listed["ema-0070"]["cites"])
    assert "EDPB" in listed["gdpr-recipient"]["underReview"]
    assert listed["hipaa-safe-harbor"]["notHeld"]
    text = run("list").stdout
    assert "cites EMA/90915/2016" in text
    assert "UNDER REVIEW: EDPB" in text


def test_a_policy_is_shown_with_the_source_of_every_number() -> None:
    shown = run("show", "cms-cell-11").stdout
    assert "CMS cell size suppression policy, ResDAC, 26 January 2024" in shown
    assert "not_held" in shown


def test_a_policy_that_limits_unknown_measures_is_refused_by_their_names(mine: Path) -> None:
    other = changed(mine, "near_copy_excess", "near_coppy_excess")
    refused = run("check", other)
    assert refused.exit_code == 2
    assert "measures that do not exist: near_coppy_excess" in refused.stderr
    assert run("check", mine).exit_code == 0


def test_a_policy_that_rests_on_distances_alone_is_refused(mine: Path) -> None:
    other = changed(mine, "membership_auc", "nnaa_privacy_loss")
    other.write_text(other.read_text().replace("near_copy_excess", "dcr_share"), encoding="utf-8")
    refused = run("check", other, "--json")
    assert refused.exit_code == 2
    assert "never allow by themselves" in json.loads(refused.stdout)["error"]["message"]


def test_a_comparison_tells_the_changes_in_order_of_effect_and_the_verdict_in_words(mine: Path) -> None:
    other = changed(mine, "max = 0.55", "max = 0.52")
    told = run("diff", mine, other)
    assert told.exit_code == 0
    assert told.stdout.splitlines() == [
        "tightened  limits.membership_auc  at most 0.55 -> at most 0.52",
        "mine is stricter than mine: whatever it allows, mine allows as well.",
    ]


def test_a_comparison_as_json_has_each_change_and_both_digests(mine: Path) -> None:
    other = changed(mine, "near_copy_excess = { max = 0.03 }", "")
    found = json.loads(run("diff", mine, other, "--json").stdout)
    assert found["verdict"] == "looser"
    assert found["changes"] == [
        {"field": "limits.near_copy_excess", "effect": "removed", "a": {"max": 0.03, "source": "house"}, "b": None}
    ]
    assert found["aSha256"] != found["bSha256"]
    assert len(found["aSha256"]) == 64


@pytest.mark.parametrize(
    ("replacement", "verdict", "on_different", "on_looser"),
    [
        (("max = 0.55", "max = 0.55"), "same", 0, 0),
        (('"test"', '"another purpose"'), "same", 0, 0),
        (("max = 0.55", "max = 0.50"), "stricter", 1, 0),
        (("max = 0.55", "max = 0.60"), "looser", 1, 1),
        (('"controlled"', '"public"'), "incomparable", 1, 1),
    ],
)
def test_the_exit_status_fails_only_where_it_is_asked_to(
    mine: Path, replacement: tuple[str, str], verdict: str, on_different: int, on_looser: int
) -> None:
    other = changed(mine, *replacement)
    told = run("diff", mine, other, "--json")
    assert (told.exit_code, json.loads(told.stdout)["verdict"]) == (0, verdict)
    assert run("diff", mine, other, "--fail-on", "different").exit_code == on_different
    assert run("diff", mine, other, "--fail-on", "looser").exit_code == on_looser


def test_a_policy_that_cannot_be_used_is_not_compared(mine: Path) -> None:
    assert run("diff", mine, "no-such-policy").exit_code == 2
    assert run("diff", changed(mine, "max = 0.55", "max = nan"), mine, "--fail-on", "different").exit_code == 2


def test_every_pair_of_packs_can_be_compared() -> None:
    told = run("diff", "ipc-ontario-2025-low", "ipc-ontario-2025-high").stdout
    assert "tightened  limits.k_map" in told
    assert "at least 11 -> at least 20" in told
    assert "changed    attacker" in told
    dp = run("diff", "nist-800-226", "public-release").stdout
    assert "tightened  differential_privacy.epsilon           3 -> 1" in dp


def test_of_which_tables_a_limit_is_asked_is_told_and_narrowing_it_is_looser(mine: Path) -> None:
    other = changed(mine, "max = 0.03", "max = 0.03, most_rows = 2500")
    assert "near_copy_excess is asked up to 2500 rows learned from" in run("check", other).stdout
    compared = run("diff", mine, other, "--fail-on", "looser")
    assert compared.exit_code == 1
    assert "loosened   limits.near_copy_excess  at most 0.03 -> at most 0.03, asked up to 2500 rows" in compared.stdout
    back = run("diff", other, mine, "--json")
    assert json.loads(back.stdout)["verdict"] == "stricter"
