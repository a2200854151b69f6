"""The custodian's page: whole, closed to the outside, escaped, and made of any table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from audit.report import Distances, EvidenceInputs, ReportError, render_evidence_report
from audit.report.gallery import MAX_ASSOCIATED, MAX_MARGINALS
from policies import Decision, Measurement, Policy, decide
from tests.audit.report.conftest import KINDS, Outline, dictionary_of, finding, frame_of, measurement

Make = Callable[..., EvidenceInputs]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@pytest.fixture(scope="module")
def whole() -> str:
    """A page with every part there is."""
    rng = np.random.default_rng(21)
    dictionary = dictionary_of(**KINDS)
    near = rng.gamma(3, 1, 150)
    return render_evidence_report(EvidenceInputs(
        Decision("strict", (finding("nnaa_privacy_loss", 0.41, 0.06, high=0.15),)),
        (measurement("nnaa_privacy_loss", 0.41, 0.06), measurement("tstr_auc", 0.8), measurement("ks_train", 0.1)),
        dictionary,
        frame_of(dictionary, 150, rng),
        frame_of(dictionary, 150, rng),
        distances=Distances(near, near + rng.normal(0, 0.1, 150)),
        weights={"gmm": 0.7, "cvae": 0.3},
        trace=(("single", 0.4), ("reinforce", 0.6), ("reinforce", math.nan), ("uniform", 0.5)),
        facts={"Policy digest": "ab" * 32, "Attempt": "1 of 3"},
        seconds={"fit": 61.0, "audit": 3.2},
        not_covered=("A thing of its own.",),
    ))  # fmt: skip


@pytest.fixture(scope="module")
def parsed(whole: str) -> Outline:
    return Outline(whole)


def test_the_page_says_on_top_that_it_stays_inside(parsed: Outline) -> None:
    assert parsed.words.startswith("Denied: evidence for clinic Skip to the content Evidence. Stays with")


def test_the_page_is_well_formed_and_names_its_language(parsed: Outline) -> None:
    page = parsed
    assert page.problems == []
    assert ("html", {"lang": "en"}) in page.tags
    assert [tag for tag, _ in page.tags if tag == "h1"] == ["h1"]


def test_the_page_reaches_for_nothing_outside_and_runs_nothing(whole: str, parsed: Outline) -> None:
    text, page = whole, parsed
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}) in page.tags
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert re.findall(r"\b(?:https?|ftp|file):", text) == []


def test_every_picture_has_a_name(parsed: Outline) -> None:
    page = parsed
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) == 1 + len(KINDS) + 3 + 1 + 2  # limit bar, marginals, maps, distances, weights and trace
    for attributes in pictures:
        assert attributes["role"] == "img"
        assert attributes["aria-labelledby"] in ids
        assert attributes.get("aria-describedby", attributes["aria-labelledby"]) in ids


def test_tables_have_captions_and_scoped_headings(parsed: Outline) -> None:
    page = parsed
    assert sum(tag == "table" for tag, _ in page.tags) == sum(tag == "caption" for tag, _ in page.tags)
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in page.tags if tag == "th")


def test_headings_descend_one_step_at_a_time(parsed: Outline) -> None:
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_links_in_the_page_lead_somewhere(parsed: Outline) -> None:
    page = parsed
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert all((a["href"] or "")[1:] in ids for tag, a in page.tags if tag == "a")


def test_the_same_inputs_give_the_same_bytes() -> None:
    kinds = dictionary_of(**KINDS)
    pages = {
        render_evidence_report(EvidenceInputs(
            Decision("strict", (finding("nnaa_privacy_loss", 0.1, 0.01, high=0.2, met=True),)), (), kinds,
            frame_of(kinds, 100, np.random.default_rng(1)), frame_of(kinds, 100, np.random.default_rng(2)),
        ))
        for _ in range(2)
    }  # fmt: skip
    assert len(pages) == 1
    assert not re.search(r"<metadata|dc:date|matplotlib|Software", pages.pop())


HOSTILE = "<script>alert(1)</script>{{ 7*7 }}\"'$x^2$&amp;"


def test_hostile_names_stay_text(rng: np.random.Generator) -> None:
    dictionary = dictionary_of(**{
        HOSTILE: {"type": "category", "categories": (HOSTILE, "</svg><script>", "年齢"), "description": HOSTILE},
        "</title><script>": KINDS["dose"] | {"unit": HOSTILE},
        "\u202ebidi": KINDS["age"],
    })  # fmt: skip
    train, released = frame_of(dictionary, 90, rng), frame_of(dictionary, 90, rng)
    void = Measurement.void("nnaa_privacy_loss", status="failed", reason=HOSTILE, method=HOSTILE)
    text = render_evidence_report(EvidenceInputs(
        Decision(HOSTILE, (finding("nnaa_privacy_loss", math.nan, high=0.1, status="failed", reason=HOSTILE),)),
        (void, measurement(HOSTILE, 0.1)), dictionary, train, released,
        weights={HOSTILE: 1.0}, trace=((HOSTILE, 1.0),), facts={HOSTILE: HOSTILE}, seconds={HOSTILE: 1.0},
        not_covered=(HOSTILE,),
    ))  # fmt: skip
    page = Outline(text)
    assert page.problems == []
    assert not any(tag == "script" for tag, _ in page.tags)
    assert "{{ 7*7 }}" in page.words
    assert "49" not in page.words
    assert "\u202e" not in text


@pytest.mark.parametrize(
    "kinds", [["age"], ["ward"], ["seen"], ["age", "dose"], ["sex", "ward", "stage"], ["seen", "taken"], ["dose"]]
)
def test_any_kind_of_table_makes_a_page(mixed: Make, kinds: list[str]) -> None:
    page = Outline(render_evidence_report(mixed({name: KINDS[name] for name in kinds})))
    assert page.problems == []
    drawn = sum(attributes.get("class") == "plot" for tag, attributes in page.tags if tag == "svg")
    assert drawn == len(kinds) + (3 if len(kinds) > 1 else 0)


def test_columns_that_are_wholly_missing_or_constant_make_a_page(mixed: Make) -> None:
    inputs = mixed({"age": KINDS["age"], "dose": KINDS["dose"], "ward": KINDS["ward"]})
    assert inputs.train is not None
    assert inputs.released is not None
    for table in (inputs.train, inputs.released):
        table["age"] = 7.0
        table["dose"] = np.nan
        table["ward"] = pd.Categorical([None] * len(table), categories=["north", "south", "east"])
    page = Outline(render_evidence_report(inputs))
    assert page.problems == []
    assert "cannot be told" in page.words


def test_measures_without_a_number_are_shown_as_such(mixed: Make) -> None:
    void = tuple(
        Measurement.void(name, status="inconclusive", reason="the dictionary names no target")
        for name in ("tstr_auc", "trtr_auc", "utility_gap", "ks_train")
    )
    odd = finding("k_map", math.nan, low=11, status="missing", reason="not measured")
    page = Outline(render_evidence_report(mixed(measurements=void, decision=Decision("strict", (odd,)))))
    assert page.problems == []
    assert "inconclusive" in page.words
    assert "the dictionary names no target" in page.words
    assert "nan" not in page.words.lower().split()


def test_a_limit_that_too_few_could_decide_shows_its_number_its_interval_and_how_many_could(mixed: Make) -> None:
    limits = {"membership_auc": {"max": 0.6}}
    policy = Policy.model_validate({"version": 1, "id": "p", "purpose": "t", "context": "internal", "limits": limits})
    found = (Measurement("membership_auc", 0.5312, 0.4411, 0.6213, 0.95, 110, "by hand"),)
    page = Outline(render_evidence_report(mixed(measurements=found, decision=decide(policy, found))))
    assert page.problems == []
    assert "0.53 95 % interval 0.44 to 0.62" in page.words
    assert "Inconclusive n = 110 cannot decide; about 189 could, if the value stays" in page.words
    assert "no number" not in page.words


def test_a_denial_before_synthesis_shows_why_and_no_plots() -> None:
    odd = finding("k_map", math.nan, low=11, status="missing", reason="not measured")
    dictionary = dictionary_of(age=KINDS["age"])
    page = Outline(render_evidence_report(EvidenceInputs(
        Decision("strict", (odd,)), (), dictionary, stopped="the table holds too few people"
    )))  # fmt: skip
    assert "Denied before any synthetic row was made: the table holds too few people." in page.words
    assert not any(tag == "svg" for tag, _ in page.tags)
    assert page.problems == []


def test_no_released_rows_make_a_page_without_plots_of_tables(mixed: Make) -> None:
    inputs = mixed()
    assert inputs.released is not None
    page = Outline(render_evidence_report(mixed(released=inputs.released[:0])))
    assert not any(a.get("class") == "plot" for tag, a in page.tags if tag == "svg")


def test_fewer_than_eleven_people_are_not_drawn(mixed: Make) -> None:
    page = Outline(render_evidence_report(mixed(train_people=np.arange(150) % 10)))
    assert not any(a.get("class") == "plot" for tag, a in page.tags if tag == "svg")
    assert "fewer than 11 real people" in page.words


@pytest.mark.slow
def test_hundreds_of_columns_are_capped_and_counted(rng: np.random.Generator) -> None:
    dictionary = dictionary_of(**{f"column_{i}": KINDS["age"] for i in range(200)})
    train, released = frame_of(dictionary, 60, rng), frame_of(dictionary, 60, rng)
    text = render_evidence_report(EvidenceInputs(Decision("strict", ()), (), dictionary, train, released))
    page = Outline(text)
    assert sum(tag == "figure" and a.get("class") == "card" for tag, a in page.tags) == MAX_MARGINALS
    assert f"{200 - MAX_MARGINALS} more columns are not drawn" in page.words
    assert f"{200 - MAX_ASSOCIATED} more columns are not in the maps" in page.words


@pytest.mark.slow
def test_thirty_columns_stay_below_one_and_a_half_megabytes(rng: np.random.Generator) -> None:
    dictionary = dictionary_of(**{f"column_{i}": KINDS["dose"] for i in range(30)})
    inputs = EvidenceInputs(
        Decision("strict", ()), (), dictionary, frame_of(dictionary, 500, rng), frame_of(dictionary, 500, rng)
    )
    assert len(render_evidence_report(inputs).encode()) < 1_500_000


def test_maps_of_a_large_table_say_how_many_rows_they_use(mixed: Make) -> None:
    page = Outline(render_evidence_report(mixed({"sex": KINDS["sex"], "age": KINDS["age"]}, rows=20_001)))
    assert "The maps use 20,000 evenly spaced rows of a larger table." in page.words


def test_no_bar_of_real_people_is_drawn_for_one_to_ten(rng: np.random.Generator) -> None:
    """Read back from the pixels: heights of the real bars, in rows, are 0 or at least 11."""
    dictionary = dictionary_of(ward={"type": "category", "categories": ("a", "b", "c", "d", "e")})
    wards = ["a"] * 60 + ["b"] * 25 + ["c"] * 9 + ["d"] * 4 + ["e"] * 2
    train = pd.DataFrame({"ward": pd.Categorical(wards, categories=list("abcde"))})
    text = render_evidence_report(EvidenceInputs(Decision("strict", ()), (), dictionary, train, train))
    bars = [np.ptp([float(x) for x in re.findall(r"[ML] (\S+) ", path)])
            for path in re.findall(r'<path d="([^"]+)" style="fill: var\(--real\)', text)]  # fmt: skip
    rows = [round(width / max(bars) * 60) for width in bars]
    assert rows == [60, 25, 15]


def test_verdict_words_that_claim_too_much_are_absent(whole: str) -> None:
    assert not re.search(r"anonymous|anonymi[sz]|compliant|certified", whole, re.IGNORECASE)


def test_an_allowance_names_the_limit_that_was_met_most_narrowly(mixed: Make) -> None:
    met = finding("nnaa_privacy_loss", 0.01, 0.02, high=0.15, met=True)
    page = Outline(render_evidence_report(mixed({"age": KINDS["age"]}, decision=Decision("strict", (met,)))))
    assert "Allowed: the one limit of policy strict is met." in page.words
    assert "The narrowest: NNAA privacy loss is 0.010, interval −0.010 to 0.030" in page.words


def test_frames_that_do_not_fit_the_dictionary_are_refused(mixed: Make) -> None:
    with pytest.raises(ReportError, match="train has 1 columns"):
        mixed(train=pd.DataFrame({"other": [1.0]}))
    with pytest.raises(ReportError, match="one code per train row"):
        mixed(train_people=np.arange(3))
    with pytest.raises(ReportError, match="one equal length"):
        mixed(distances=Distances(np.zeros(3), np.zeros(4)))


def test_distances_without_any_number_are_left_out(mixed: Make) -> None:
    one, gone = {"age": KINDS["age"]}, Distances(np.full(5, np.nan), np.zeros(5))
    assert "Nearest neighbours" not in render_evidence_report(mixed(one, distances=gone))
    assert "Nearest neighbours" in render_evidence_report(mixed(one, distances=Distances(np.zeros(5), np.zeros(5))))
