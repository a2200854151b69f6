"""Rows that point at somebody are replaced or made coarser, counted, measured again and told of; never silently."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from audit.offending import offending_rows
from audit.tables import AuditTables
from gateway.candidate import fit_hybrid
from gateway.remedy import mend
from policies.model import Coarsen, Offence, Remedies, Suppress
from tests.audit.tables import levels, patients, put_together
from tests.gateway.conftest import Clinic
from tests.gateway.quick import quick_audits
from tests.gateway.test_replay import evidence_of


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261122)


COPIES = Remedies(suppress=Suppress(max_share=0.1, offences=("exact_copies",)))


def copied(rng: np.random.Generator, rows: int = 10, count: int = 200) -> AuditTables:
    """A fresh table with ``rows`` copies of train people in it."""
    train, holdout, fresh = (patients(count, rng) for _ in range(3))
    released = pd.concat([train.iloc[:rows], fresh.iloc[rows:]], ignore_index=True)
    return put_together(train, holdout, released, target="outcome", quasi_identifiers=["age", "ward", "sex"])


def offenders(tables: AuditTables, frame: pd.DataFrame, offences: Sequence[Offence]) -> int:
    found = offending_rows(put_together(tables.train, tables.holdout, frame, target="outcome"), offences)
    return int(np.logical_or.reduce(list(found.values())).sum())


def test_copies_are_replaced_and_the_number_of_rows_tells_nothing(rng: np.random.Generator) -> None:
    tables = copied(rng)
    mended = mend(tables, COPIES, lambda rows: patients(rows, rng))
    assert mended.frame is not None
    assert len(mended.frame) == len(tables.released)
    assert mended.frame.dtypes.equals(tables.released.dtypes)
    assert (mended.ran, mended.replaced, mended.coarsened) == (("suppress",), 10, 0)
    assert mended.offending == {"exact_copies": 10}
    assert offenders(tables, mended.frame, ["exact_copies"]) == 0
    assert mended.frame.iloc[10:].equals(tables.released.iloc[10:])  # innocent rows stay where and as they were
    assert (mended.frame["outcome"] == tables.released["outcome"]).all()  # and so does the balance of the target


def test_substitutes_that_offend_are_drawn_again(rng: np.random.Generator) -> None:
    tables, draws = copied(rng), list[int]()

    def draw(rows: int) -> pd.DataFrame:
        draws.append(rows)
        return tables.train.iloc[:rows] if len(draws) < 3 else patients(rows, rng)

    mended = mend(tables, COPIES, draw)
    assert mended.frame is not None
    assert len(draws) == 3
    assert offenders(tables, mended.frame, ["exact_copies"]) == 0


def test_a_synthesizer_of_copies_alone_is_not_mended(rng: np.random.Generator) -> None:
    tables = copied(rng)
    mended = mend(tables, COPIES, lambda rows: tables.train.iloc[:rows].reset_index(drop=True))
    assert mended.frame is None
    assert mended.ran == ()
    assert "5 draws" in mended.why


def test_more_offending_rows_than_allowed_are_left_alone(rng: np.random.Generator) -> None:
    tables = copied(rng, rows=21)
    mended = mend(tables, COPIES, lambda rows: patients(rows, rng))
    assert mended.frame is None
    assert mended.why == "10.5% of the rows offend, suppress is allowed for 10.0%"
    assert mended.offending == {"exact_copies": 21}


def test_where_nothing_offends_nothing_is_done(rng: np.random.Generator) -> None:
    mended = mend(copied(rng, rows=0), COPIES, lambda rows: patients(rows, rng))
    assert (mended.frame, mended.why) == (None, "no row offends")


def small_classes(rng: np.random.Generator) -> AuditTables:
    """Three of a hundred released rows are of a ward where only two people are, at an age nobody else has."""
    age = np.repeat([30.0, 60.0], 50)
    train = pd.DataFrame({"age": age, "ward": levels(["a", "b"] * 50, "abc"), "dose": rng.random(100)})
    train.loc[:1, "age"], train.loc[:1, "ward"] = 88.0, "c"
    released = pd.DataFrame({"age": age, "ward": levels(["a", "b"] * 50, "abc"), "dose": rng.random(100)})
    released.loc[:2, "age"], released.loc[:2, "ward"] = 88.0, "c"
    return put_together(train, train.iloc[2:], released, quasi_identifiers=["age", "ward"], attacker_class_size=5)


def test_rows_of_small_classes_are_rounded_to_what_others_have(rng: np.random.Generator) -> None:
    tables = small_classes(rng)
    mended = mend(tables, Remedies(coarsen=Coarsen(max_share=0.05)), lambda rows: patients(rows, rng))
    assert mended.frame is not None
    assert (mended.ran, mended.coarsened, mended.replaced) == (("coarsen",), 3, 0)
    assert set(mended.frame["age"]) == {30.0, 60.0}
    assert mended.frame["ward"].iloc[:3].isna().all()  # a category that fewer than five rows have
    assert mended.frame.iloc[3:].equals(tables.released.iloc[3:])
    assert set(mended.frame["dose"]) <= set(tables.released["dose"])


def test_what_cannot_be_made_coarser_is_left_or_replaced_as_the_policy_says(rng: np.random.Generator) -> None:
    """A ward that may not be missing keeps pointing at its two people."""
    tables = small_classes(rng)
    columns = {name: each.model_copy(update={"nullable": False}) for name, each in tables.dictionary.columns.items()}
    strict = replace(
        tables,
        dictionary=tables.dictionary.model_copy(update={"columns": columns}),
        train=tables.train.assign(age=60.0),
        holdout=tables.holdout.assign(age=60.0),
        released=tables.released.assign(age=60.0),
    )

    def draw(rows: int) -> pd.DataFrame:
        return strict.released.iloc[50:].head(rows).reset_index(drop=True)

    coarsen = Coarsen(max_share=0.05)
    alone = mend(strict, Remedies(coarsen=coarsen), draw)
    assert (alone.frame, alone.why) == (None, "no offending row could be mended")
    both = mend(strict, Remedies(coarsen=coarsen, suppress=Suppress(max_share=0.05, offences=("exact_copies",))), draw)
    assert both.frame is not None
    assert (both.ran, both.replaced, both.coarsened) == (("suppress",), 3, 0)
    assert "c" not in set(both.frame["ward"])


LIMIT = "exact_copy_excess = { max = 0.02 }"
REMEDIES = """
[remedies]
suppress = { max_share = 0.2, offences = ["exact_copies", "near_copies", "rare_copies"], source = "a test" }
"""


@pytest.fixture
def mending(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """A clinic whose synthesizer slips real rows into its first table, and a policy that allows to replace them."""
    policy = (clinic.folder / "lenient.toml").read_text()
    clinic.write("mending.toml", policy.replace("exact_copy_excess = { max = 0.5 }", LIMIT) + REMEDIES)
    fit = fit_hybrid

    def leaky(*arguments: Any) -> Any:
        made, train = fit(*arguments), arguments[3].frame
        sample, calls = made.sample_people, list[int]()

        def sampled(rows: int, rng: np.random.Generator) -> tuple[pd.DataFrame, NDArray[np.int64]]:
            frame, people = sample(rows, rng)
            calls.append(rows)
            if len(calls) > 1:
                return frame, people
            return pd.concat([frame.iloc[:-12], train.iloc[:12]], ignore_index=True), people

        monkeypatch.setattr(made, "sample_people", sampled)
        return made

    monkeypatch.setattr("gateway.release.fit_hybrid", leaky)
    monkeypatch.setattr("gateway.replay.replaying.fit_hybrid", leaky)
    return clinic


@pytest.mark.slow
def test_a_mended_release_says_so_and_is_measured_again_at_half_the_error(mending: Clinic) -> None:
    with quick_audits() as audited:
        result = mending.release("--json", policy="mending.toml")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["reason"].endswith("after rows too close to real people were replaced")
    assert [len(tables.released) for tables in audited] == [150, 150]
    assert [tables.confidence for tables in audited] == pytest.approx([1 - 0.05 / 6] * 2)  # three attempts, two stages
    evidence = json.loads((evidence_of(mending) / "evidence.json").read_bytes())
    assert evidence["remedies"]["ran"] == ["suppress"]
    assert evidence["remedies"]["replaced"] >= 12
    first = {each["name"]: each["value"] for each in evidence["remedies"]["firstMeasured"]}
    again = {each["name"]: each["value"] for each in evidence["measurements"]}
    # twelve rows, each by the chance that it is a copy: by some splits a hundredth less, and eleven would be 0.073
    assert 11.5 / 150 < first["exact_copy_excess"] <= 12 / 150
    assert again["exact_copy_excess"] <= 0
    assert "rows coarsened" in (evidence_of(mending) / "report.html").read_text(encoding="utf-8")
    verified = mending.run("verify", mending.folder / "bundle", "--key", mending.public_key, "--json")
    predicate = json.loads(verified.stdout)["statement"]["predicate"]
    assert predicate["releasedRows"] == 150
    assert predicate["synthesizer"]["remedies"] == ["suppress"]


@pytest.mark.slow
def test_a_mended_release_is_replayed_to_the_same_bytes_and_values(mending: Clinic) -> None:
    with quick_audits():
        assert mending.release(policy="mending.toml").exit_code == 0
        data = ("--data", mending.folder / "table.csv", "--quiet", "--json")
        result = mending.run("replay", mending.folder / "bundle", *data)
        assert result.exit_code == 0, result.stderr + result.stdout
        given = mending.run("replay", mending.folder / "bundle", "--bundle", mending.folder / "bundle", *data)
        assert given.exit_code == 0, given.stderr + given.stdout


@pytest.mark.slow
def test_what_no_remedy_mends_stays_refused_and_the_first_measurement_stands(mending: Clinic) -> None:
    policy = (mending.folder / "mending.toml").read_text().replace("max_share = 0.2", "max_share = 0.001")
    mending.write("mending.toml", policy)
    with quick_audits() as audited:
        result = mending.release(policy="mending.toml")
    assert result.exit_code == 3
    assert len(audited) == 1
    assert "replaced" not in result.stdout
    evidence = json.loads((evidence_of(mending) / "evidence.json").read_bytes())
    assert evidence["remedies"]["ran"] == []
    assert "suppress is allowed for 0.1%" in evidence["remedies"]["why"]
