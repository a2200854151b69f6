"""The page about a drafted dictionary: it shows every proposal with its grounds, and nothing of a few people."""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import draft_page
from gateway.cli import main
from gateway.draft_page import render_draft_page
from gateway.intake import Draft, IntakeError, RawTable, propose_dictionary
from gateway.small_cells import held_by_few, without_small_counts
from policies import Source
from tests.audit.report import test_keyboard_and_print as every_page
from tests.audit.report.browser import browser
from tests.audit.report.conftest import Outline
from tests.audit.report.test_accessibility import NARROW, WIDE, examined
from tests.gateway.intake.tables import names

RARE, EXTREME, LAST_DAY, SLIP, SECRET = "zebra4711", "987", "2087-06-30", "9999", "Ada Secret"
HOSTILE = "<script>alert(1)</script>{{ 7 * 7 }}"
CANARIES = (RARE, EXTREME, LAST_DAY[:4], SLIP, SECRET)


def clinic(rows: int = 120) -> dict[str, Sequence[str | None]]:
    """A table with a rare category, extreme values, gaps, a key, a rule and a dependency; rows are people."""
    rare, few = rows - 6, rows - 3
    return {
        "patient_name": [f"{SECRET} {i}" for i in range(rows)],
        "age": [str(30 + i % 50) for i in range(rows - 1)] + [EXTREME],
        "weight_kg": [f"{60 + i % 30}.{i % 10}" if i % 4 else "" for i in range(rows)],
        "ward": [("north", "south", "east")[i % 3] if i < rare else RARE for i in range(rows)],
        "floor": [("1st", "2nd", "1st")[i % 3] if i < rare else "2nd" for i in range(rows)],
        "systolic": [str(110 + i % 60) if i < few else SLIP for i in range(rows)],
        "diastolic": [str(105 + i % 60 - i % 3) for i in range(rows)],
        "seen": [f"2031-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(rows - 1)] + [LAST_DAY],
        HOSTILE: [HOSTILE if i % 2 else "plain" for i in range(rows)],
        "died": ["yes" if i % 5 == 0 else "no" for i in range(rows)],
    }


def drafted(columns: dict[str, Sequence[str | None]] | None = None) -> Draft:
    return propose_dictionary(RawTable.from_text(clinic() if columns is None else columns), "clinic")


@pytest.fixture(scope="module")
def draft() -> Draft:
    return drafted()


@pytest.fixture(scope="module")
def page(draft: Draft) -> str:
    return render_draft_page(draft)


def test_every_column_is_shown_with_its_proposal_and_grounds(page: str) -> None:
    words = Outline(page).words
    for said in (
        "age years Type whole number Role quasi-identifier",
        "Role by its name: age and birth are known to neighbours and in registers",
        "30 of 120 cells are missing",
        "weight_kg kg Type number Role ordinary",
        "Decimals 1 Missing 25 %",
        "ward Type category Role ordinary Categories 4",
        "1 of 4 categories held by fewer than 11 people",
        "died Type boolean Role sensitive",
        "Its name is that of a direct identifier: never released",
        "9 of 10 columns are proposed for release.",
    ):
        assert said.lower() in words.lower(), said
    assert page.count("<svg") == 9


def test_a_banner_says_that_the_page_stays_with_the_custodian(page: str) -> None:
    assert Outline(page).words.count("Draft. Stays with the custodian.") == 1


def test_no_value_of_a_few_people_is_on_the_page_though_the_file_lists_it(draft: Draft, page: str) -> None:
    for canary in (RARE, "990", LAST_DAY[:4], SLIP):
        assert canary in draft.toml
    for canary in (*CANARIES, "990"):  # rounded outward it is still one person's
        assert canary not in page
    numbers = {float(text) for text in re.findall(r">[−-]?([0-9.]+)(?:k| %)?</text>", page)}
    assert max(numbers) < 987


def test_no_count_of_one_to_ten_is_told(page: str) -> None:
    words = Outline(page).words
    assert "Fewer than 11 cells of all-nines values far from all others" in words
    assert not re.search(r"\b([1-9]|10) (cells?|rows)\b", words)


@pytest.mark.parametrize(
    ("remark", "said"),
    [
        ("7 of 300 cells are missing", "fewer than 11 of 300 cells are missing"),
        ("11 of 300 cells are missing", "11 of 300 cells are missing"),
        ("295 of 300 values are zero", "all but fewer than 11 of 300 values are zero"),
        ("all but 4 of 300 values are the same", "all but fewer than 11 of 300 values are the same"),
        ("1 cell of a day", "fewer than 11 cells of a day"),
        ("10 rows repeat an earlier row", "fewer than 11 rows repeat an earlier row"),
        ("0 of 300 cells", "0 of 300 cells"),
        ("4 of 41 categories held by fewer than 11 people", "4 of 41 categories held by fewer than 11 people"),
    ],
)
def test_small_counts_become_words(remark: str, said: str) -> None:
    assert without_small_counts(remark) == said


def test_people_are_counted_and_not_their_rows() -> None:
    """Ten patients with twenty visits each are ten people."""
    people = [f"p{i // 20}" for i in range(800)]
    wards = [RARE if i < 200 else ("north", "south")[i // 20 % 2] for i in range(800)]
    page = render_draft_page(drafted({"patient_id": list(people), "ward": list(wards), "x": ["a", "b"] * 400}))
    assert RARE not in page
    assert "north" in page
    words = Outline(page).words
    assert "People 40" in words
    assert "# max_rows_per_patient = ... the most one patient has here" in words


@pytest.mark.parametrize(
    ("value", "few"), [("1.5", True), ("1", False), ("2", False), ("7", False), ("2031-01-01", True)]
)
def test_a_value_is_found_however_it_is_spelled(value: str, few: bool) -> None:
    texts = ["1,50", "1.5"] * 5 + ["1.0", "1"] * 6 + ["2"] * 11 + ["2031-01-01"]
    cells = RawTable.from_text({"x": texts}).columns["x"]
    assert held_by_few(value, cells, np.arange(len(texts))) is few


def test_line_numbers_are_those_of_the_file(draft: Draft, page: str) -> None:
    lines = draft.toml.split("\n")
    words = Outline(page).words
    found = re.findall(r"lines ([0-9]+) to ([0-9]+); read off the data", words)
    starts = [i for i, line in enumerate(lines, 1) if line.startswith("[columns.") and "patient_name" not in line]
    assert [int(first) for first, _ in found] == starts
    for _, last in found:
        assert lines[int(last) - 1].startswith("from_data = ")
    for end in re.findall(r"(?:Smallest|Largest) see line ([0-9]+)", words):
        assert lines[int(end) - 1].startswith(("minimum = ", "maximum = "))
    slip = re.search(r"What to add if they are missing stands on line ([0-9]+)", words)
    assert slip
    assert f'missing = ["{SLIP}"]' in lines[int(slip[1]) - 1]
    shown = re.findall(r"<span>\s*([0-9]+)  ([^<]*)</span>", page)
    assert len(shown) >= 8
    for number, text in shown:
        plain = text.replace("&lt;", "<").replace("&#34;", '"').replace("&gt;", ">").replace("&amp;", "&")
        assert plain == lines[int(number) - 1]


def test_levels_that_may_mean_missing_are_told_and_those_of_a_few_not_spelled() -> None:
    draft = drafted({"sex": ["f", "m"] * 60 + ["Unknown/Invalid"] * 3, "test": ["None", "high", "low"] * 41})
    page = render_draft_page(draft)
    words = Outline(page).words
    assert "Unknown/Invalid" not in page
    assert "Trap. Fewer than 11 cells of a level that says unknown: missing in disguise?" in words
    line = re.search(r"What to add if they are missing stands on line ([0-9]+)", words)
    assert line
    assert 'missing = ["Unknown/Invalid"]' in draft.toml.split("\n")[int(line[1]) - 1]
    assert "Trap. 41 cells of a level that other software reads as missing: kept as a level" in words
    assert 'strike it from categories and write: missing = ["None"]' in words


@pytest.mark.parametrize("gap", ["", " \n", "?", "Unknown", "Unknown\n/Missing", "Not Recorded"])
@pytest.mark.parametrize("often", [1, 20])
def test_no_suggestion_spells_a_value_of_one_person_whatever_else_it_lists(gap: str, often: int) -> None:
    draft = drafted(
        {
            "dose": [gap] * often + [str(10 + i % 50) for i in range(139 - often)] + ["-999"],
            "test": [gap] * often + (["high", "low"] * 70)[: 138 - often] + ["(unknown)", "not recorded"],
            "ward": ["north", "south"] * 70,
        }
    )
    assert '"-999"' in draft.toml
    assert '"(unknown)"' in draft.toml
    page = render_draft_page(draft)
    for canary in ("-999", "−999", "(unknown)", "not recorded", *([gap] if often == 1 and gap.strip("? \n") else [])):
        assert canary not in page
    lines = draft.toml.split("\n")
    places = re.findall(r"What to add if they are missing stands on line ([0-9]+)", Outline(page).words)
    assert len(places) >= 2
    assert all("missing = [" in lines[int(place) - 1] for place in places)


def test_a_spelling_of_missing_that_few_people_use_is_not_spelled() -> None:
    cells = ["NA"] * 11 + ["Not Recorded", "____", " "] + [str(20 + i % 60) for i in range(106)]
    draft = drafted({"dose": cells, "ward": ["north", "south"] * 60})
    page = render_draft_page(draft)
    assert "Not Recorded" in draft.toml
    assert "Not Recorded" not in page
    assert "____" not in page
    line = re.search(r"Spelled missing NA, see line ([0-9]+)", Outline(page).words)
    assert line
    assert draft.toml.split("\n")[int(line[1]) - 1].startswith("missing = [")
    alone = render_draft_page(drafted({"dose": ["Not Recorded", *cells[14:]], "ward": ["a"] * 50 + ["b"] * 57}))
    assert re.search(r"Spelled missing see line [0-9]+", Outline(alone).words)


def test_how_many_patients_have_several_rows_cannot_be_derived() -> None:
    """Of 60 patients 59 came twice: beside the count of people 59 would tell that one came once."""
    owners = [i // 2 for i in range(119)]
    page = render_draft_page(
        drafted({
            "patient_id": [f"p{i}" for i in owners],
            "sex": ["fm"[i * 7 % 3 % 2] for i in owners],
            "pulse": [str(60 + i * 17 % 40) for i in range(119)],
        })
    )  # fmt: skip
    words = Outline(page).words
    assert "People 60" in words
    assert "The same in all rows of 99 % or more of the patients with several" in words
    assert not re.search(r"\b59\b", words)


def test_rules_and_dependencies_are_shown_as_the_lines_to_uncomment(page: str) -> None:
    words = Outline(page).words
    assert "# [[rules]]" in words
    assert '# check = "diastolic' in words
    assert "# [[dependencies]]" in words
    assert '# source = "ward"' in words
    assert '"ward" determined "floor" in every row' in words


def test_how_the_table_is_written_is_shown_where_it_is_not_the_usual() -> None:
    source = Source(delimiter=";", decimal=",")
    raw = RawTable.from_text({"dose": [f"{i % 30},5" for i in range(60)], "x": ["a", "b"] * 30})
    raw = RawTable(raw.columns, raw.row_count, from_csv=True)
    page = render_draft_page(propose_dictionary(raw, "t", source, ("TRAP 3 cells are odd", "it is UTF-8")))
    words = Outline(page).words
    assert "How it is written" in words
    assert 'decimal = ","' in words
    assert "Trap. Fewer than 11 cells are odd" in words
    assert "dose Type number" in words


def test_hostile_names_and_categories_stay_text_and_nothing_is_fetched(page: str) -> None:
    parsed = Outline(page)
    assert parsed.problems == []
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    assert HOSTILE in parsed.words
    assert not any({"src", "srcset"} & attributes.keys() for _, attributes in parsed.tags)
    assert all((a.get("href") or "#").startswith("#") for _, a in parsed.tags)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/)", page)
    assert any(a.get("http-equiv") == "Content-Security-Policy" for tag, a in parsed.tags if tag == "meta")


def test_a_wide_table_is_drawn_in_part_and_says_so(draft: Draft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft_page, "MAX_DRAWN", 2)
    page = render_draft_page(draft)
    assert page.count("<svg") == 2
    assert "Plots are drawn for the first 2 columns only" in Outline(page).words


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.lists(names, min_size=1, max_size=3, unique=True), st.integers(1, 40), st.data())
def test_any_table_gets_a_page_without_the_values_of_a_few(columns: list[str], rows: int, data: st.DataObject) -> None:
    cell = st.one_of(st.integers(10**6, 10**7).map(str), st.sampled_from(["zebra", "yak's", "<xerus>", "w&ombat"]))
    cell |= st.sampled_from(["-999", "(unknown)", "Not Recorded", "Unknown\n/Missing", " \n", "-NaN", "____"])
    table: dict[str, Sequence[str | None]] = {}
    for name in columns:
        pool = data.draw(st.lists(cell, min_size=1, max_size=6))
        table[name] = [pool[min(i, len(pool) - 1)] for i in range(rows)]
    try:
        draft = drafted(table)
    except IntakeError as refusal:
        assert "no column could be proposed" in str(refusal) or "named by numbers" in str(refusal)  # noqa: PT017
        return
    page = render_draft_page(draft)
    parsed = Outline(page)
    assert parsed.problems == []
    for name, cells in table.items():
        for value in set(cells):
            enough = any(other.count(value) >= 11 for other in table.values())
            if value and value.strip() and not enough and not any(value in known for known in (*table, name)):
                assert " ".join(value.split()) not in parsed.words


def test_the_command_writes_a_private_page_beside_the_same_draft(tmp_path: Path) -> None:
    table = clinic()
    source, out, page = tmp_path / "table.csv", tmp_path / "t.toml", tmp_path / "t.html"
    rows = zip(*table.values(), strict=True)
    quoted = [",".join(f'"{cell}"' for cell in row) for row in [tuple(table), *rows]]
    source.write_text("\n".join(quoted) + "\n", encoding="utf-8")
    run = CliRunner().invoke(main, ["dictionary", "draft", str(source), "--out", str(out), "--page", str(page)])
    assert run.exit_code == 0, run.output
    assert "It stays with you" in run.output or "it stays with you" in run.output
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    alone = CliRunner().invoke(main, ["dictionary", "draft", str(source)])
    assert alone.stdout == out.read_text(encoding="utf-8")
    again = CliRunner().invoke(main, ["dictionary", "draft", str(source), "--page", str(page)])
    assert again.exit_code == 2
    assert RARE not in again.stderr


@pytest.mark.slow
@pytest.mark.needs("chromium")
@pytest.mark.parametrize(("width", "scheme"), [WIDE, NARROW], ids=["wide, light", "narrow, dark"])
def test_axe_finds_nothing_to_mend(page: str, tmp_path: Path, width: str, scheme: str) -> None:
    found = examined(page, tmp_path, width, scheme)
    assert found["violations"] == []
    assert {"color-contrast", "document-title", "html-has-lang", "bypass"} <= set(found["passes"])


@pytest.mark.slow
@pytest.mark.needs("chromium")
def test_the_page_fits_two_widths_and_paper(tmp_path: Path) -> None:
    long = "a_column_name_without_any_place_to_break_" * 4
    source = tmp_path / "page.html"
    source.write_text(render_draft_page(drafted(clinic() | {long: [long, "b"] * 60})), encoding="utf-8")
    with browser(tmp_path) as opened:
        for width, media in ((1280, ""), (390, ""), (688, "print")):
            opened.open(source.as_uri(), width)
            opened.ask("Emulation.setEmulatedMedia", media=media)
            assert opened.tell("document.documentElement.scrollWidth") == width
            out = opened.tell(
                "[...document.querySelectorAll('body *')].filter("
                f"e => e.getBoundingClientRect().right > {width + 1}).slice(0, 5).map(e => e.outerHTML)"
            )
            assert out == []


@pytest.mark.slow
@pytest.mark.needs("chromium")
def test_the_page_can_be_gone_through_by_keyboard_and_printed(page: str, tmp_path: Path) -> None:
    source = every_page.written(page, tmp_path)
    with browser(tmp_path) as opened:
        every_page.test_tab_goes_through_everything_in_the_order_of_the_page_and_shows_where_it_is(opened, source, 1280)
        every_page.test_the_first_tab_offers_to_skip_to_the_content_and_enter_does(opened, source)
        every_page.test_every_sheet_is_a4_with_words_between_its_margins(opened, source)
        every_page.test_the_print_says_all_that_the_screen_says(opened, source)
        every_page.test_no_heading_ends_a_sheet(opened, source)
