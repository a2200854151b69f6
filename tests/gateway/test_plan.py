"""What ``gateway plan`` says beforehand, and what it does not look at."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway import outlook_gate as module
from gateway.cli import main
from gateway.intake import read_table, type_table
from gateway.outlook import encoded_width, outlook
from policies import parse_dictionary, parse_policy

DICTIONARY = """
version = 1
name = "ward"
people = {people}
target = "died"
[columns.age]
type = "integer"
minimum = 0
maximum = 110
role = "quasi_identifier"
[columns.sex]
type = "category"
categories = ["f", "m"]
role = "quasi_identifier"
[columns.sodium]
type = "number"
minimum = 100
maximum = 180
decimals = 1
nullable = true
[columns.died]
type = "boolean"
categories = ["0", "1"]
role = "sensitive"
"""
POLICY = """
version = 1
id = "trial"
purpose = "a plan"
context = "internal"
minimum_people = 20
{more}
[limits]
nnaa_privacy_loss = {{ max = {loss} }}
membership_auc = {{ max = {area} }}
exact_copy_excess = {{ max = 0.05 }}
rows_per_real_row = {{ max = 1.0 }}
"""
PRIVATE = "[differential_privacy]\nepsilon = 1.0\ndelta = 1e-6\n"


def table(rows: int = 300) -> str:
    rng = np.random.default_rng(1)
    lines = ["age,sex,sodium,died"]
    for _ in range(rows):
        age = int(rng.integers(20, 95))
        lines.append(f"{age},{'fm'[rng.integers(2)]},{rng.normal(138, 4):.1f},{int(rng.random() < age / 150)}")
    return "\n".join(lines) + "\n"


def looked(rows: int = 300, **limits: float) -> dict[str, tuple[str, int | None]]:
    dictionary = parse_dictionary(DICTIONARY.format(people=rows).encode())
    policy = parse_policy(POLICY.format(more="", **({"loss": 0.2, "area": 0.7} | limits)).encode())
    typed = type_table(read_table(table(rows).encode(), "csv"), dictionary)
    found = outlook(dictionary, policy, typed, np.random.default_rng(2))
    return {each.measure: (each.outcome, each.needed) for each in found.limits}


@pytest.mark.slow
def test_a_tighter_limit_needs_more_people_by_the_square() -> None:
    loose, tight = looked(area=0.7)["membership_auc"][1], looked(area=0.6)["membership_auc"][1]
    assert loose is not None
    assert tight is not None
    assert tight / loose == pytest.approx(4.0, rel=0.1)


@pytest.mark.slow
def test_a_limit_that_so_few_people_cannot_decide_is_named() -> None:
    assert looked(200, area=0.51)["membership_auc"][0] == "too few people"
    assert looked(200, area=0.75)["membership_auc"][0] == "decidable"
    assert looked(200, loss=-0.1)["nnaa_privacy_loss"][0] == "too few people"  # below what an innocent release has
    assert looked(200)["rows_per_real_row"][0] == "not tried"


@pytest.mark.slow
def test_a_limit_that_no_number_of_people_decides_is_told_as_that() -> None:
    dictionary = parse_dictionary(DICTIONARY.format(people=1_000_000).encode())
    policy = parse_policy(POLICY.format(more=PRIVATE, loss=0.2, area=0.505).encode())
    found = {each.measure: each for each in outlook(dictionary, policy, None, np.random.default_rng(2)).limits}
    tight = found["membership_auc"]
    assert (tight.outcome, tight.people, tight.needed) == ("too few people", 500_000, None)
    assert "no number of people, since an audit asks about 4000 rows at most" in tight.advice
    assert found["nnaa_privacy_loss"].outcome == "decidable"


def test_the_encoded_width_counts_categories_and_missing_cells() -> None:
    assert encoded_width(parse_dictionary(DICTIONARY.format(people=100).encode())) == 1 + 2 + (1 + 1) + 2


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text(table(), encoding="utf-8")
    (tmp_path / "t.toml").write_text(DICTIONARY.format(people=20_000), encoding="utf-8")
    (tmp_path / "open.toml").write_text(POLICY.format(more="", loss=0.2, area=0.7), encoding="utf-8")
    (tmp_path / "private.toml").write_text(POLICY.format(more=PRIVATE, loss=0.2, area=0.7), encoding="utf-8")
    return tmp_path


def run(files: Path, policy: str, *more: str) -> str:
    arguments = ["plan", *more, "--dictionary", str(files / "t.toml"), "--policy", str(files / policy), "--quiet"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.slow
def test_the_command_prints_size_cost_and_limits(files: Path) -> None:
    text = run(files, "open.toml", str(files / "t.csv"))
    assert "rows                  300" in text
    assert "a third of the table's people" in text
    assert "membership_auc" in text
    assert "unit of privacy" not in text
    assert {path.name for path in files.iterdir()} == {"t.csv", "t.toml", "open.toml", "private.toml"}


@pytest.mark.slow
def test_under_differential_privacy_no_row_is_read_and_the_noise_is_told(files: Path) -> None:
    found = json.loads(run(files, "private.toml", str(files / "no-such-table.csv"), "--json"))
    assert found["looked_at_rows"] is False
    assert (found["people"], found["learned_from"], found["rows"]) == (20_000, 10_000, None)
    noise = {each["column"]: each for each in found["noise"]}
    assert set(noise) == {"age", "sex", "sodium", "died"}
    assert noise["sex"]["cells"] == 2
    assert noise["sex"]["sampling"] == pytest.approx(50.0)  # 10,000 people, half of them each: sqrt(10,000 / 4)
    assert all(each["noise"] >= 2.0 for each in noise.values())
    assert found["unit"] == "row"  # the dictionary names no patient column
    text = run(files, "private.toml")
    assert "random tables of the same shape" in text
    assert "unit of privacy       row, each counted as another patient" in text


def test_without_differential_privacy_a_table_is_asked_for(files: Path) -> None:
    arguments = ["plan", "--dictionary", str(files / "t.toml"), "--policy", str(files / "open.toml")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "DATA is needed" in result.stderr


def test_a_table_of_three_people_is_told_and_not_tripped_over(files: Path) -> None:
    (files / "t.csv").write_text(table(3), encoding="utf-8")
    found = json.loads(run(files, "open.toml", str(files / "t.csv"), "--json"))
    assert {each["outcome"] for each in found["limits"]} == {"too few people"}
    assert found["feasible"] is False


@pytest.mark.parametrize(("most", "told"), [(150, "decidable"), (149, "not asked")])
def test_a_limit_that_is_not_asked_of_so_many_rows_is_told_as_that(most: int, told: str) -> None:
    """300 rows, of which half are learned from."""
    dictionary = parse_dictionary(DICTIONARY.format(people=300).encode())
    text = POLICY.format(more="", loss=0.9, area=0.99).replace("max = 0.9 ", f"max = 0.9, most_rows = {most} ")
    kept = text.replace("membership_auc = { max = 0.99 }\n", "")
    typed = type_table(read_table(table().encode(), "csv"), dictionary)
    found = outlook(dictionary, parse_policy(kept.encode()), typed, np.random.default_rng(2))
    outcome = {each.measure: each.outcome for each in found.limits}
    assert outcome["nnaa_privacy_loss"] == told
    assert found.feasible


VISITS = DICTIONARY.replace('target = "died"', 'target = "died"\npatient = "number"\nmax_rows_per_patient = 3') + (
    '[columns.number]\ntype = "identifier"\n'
)
GATE = PRIVATE.replace("1.0", "2.0") + "[private_gate]\nepsilon = 1.5\nparts = 5\nshare = 0.6\n"


@pytest.mark.parametrize(
    ("dictionary", "most", "told"),
    [
        (DICTIONARY, 1_000, "asked"),  # 10,000 people in 5 parts of two sides
        (DICTIONARY, 999, "not asked"),
        (VISITS, 999, "not asked"),  # whoever has a row has one at the least
        (VISITS, 1_000, "in doubt"),
        (VISITS, 2_999, "in doubt"),
        (VISITS, 3_000, "asked"),
    ],
)
def test_a_part_is_asked_by_its_rows_and_not_by_its_people_nor_by_the_rows_of_a_trial(
    dictionary: str, most: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_PEOPLE", 30)
    monkeypatch.setattr(module, "_CANDIDATE_PEOPLE", 60)
    monkeypatch.setattr(module, "TRIALS", 2)
    text = POLICY.format(more=GATE, loss=1.0, area=0.9).replace("max = 0.9 ", f"max = -1.0, most_rows = {most} ")
    found = outlook(
        parse_dictionary(dictionary.format(people=10_000).encode()),
        parse_policy(text.encode()),
        None,
        np.random.default_rng(2),
    ).gate
    assert found is not None
    outcome = {**dict.fromkeys(found.unasked, "not asked"), **dict.fromkeys(found.in_doubt, "in doubt")}
    assert outcome == ({} if told == "asked" else {"membership_auc": told})
    assert found.met["membership_auc"] == 0
    # what is not asked refuses nobody
    assert (found.admitted > 0) == (told == "not asked")
    assert any("may or may not be asked" in warning for warning in found.warnings) == (told == "in doubt")


def test_without_a_gate_so_many_patients_have_as_many_rows_at_the_least() -> None:
    text = POLICY.format(more=PRIVATE, loss=1.0, area=0.9).replace("max = 0.9 ", "max = 0.9, most_rows = 999 ")
    policy, dictionary = parse_policy(text.encode()), parse_dictionary(VISITS.format(people=2_000).encode())
    found = outlook(dictionary, policy, None, np.random.default_rng(2))
    assert {each.measure: each.outcome for each in found.limits}["membership_auc"] == "not asked"
