"""The drafted dictionary: it loads, it types its own table, it marks what it read off the data, it warns."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intake import IntakeError, RawTable, draft_dictionary, propose_dictionary, read_table, type_table
from policies import Column, Dictionary, parse_dictionary
from tests.gateway.intake.tables import names, texts


def drafted(columns: dict[str, list[str]]) -> tuple[str, Dictionary]:
    """The draft of a table and the dictionary it loads as; the table fits it."""
    raw = RawTable.from_text(columns)
    text = draft_dictionary(raw, "t")
    dictionary = parse_dictionary(text.encode())
    assert type_table(raw, dictionary).row_count == raw.row_count
    return text, dictionary


def column(cells: list[str], name: str = "x") -> Column:
    return drafted({name: cells, "other": ["a", "b"] * (len(cells) // 2) + ["a"] * (len(cells) % 2)})[1].columns[name]


def comments(cells: list[str], name: str = "x") -> str:
    text, _ = drafted({name: cells, "other": ["a", "b"] * (len(cells) // 2) + ["a"] * (len(cells) % 2)})
    part = text.split(f"[columns.{name}]")[1].split("[columns.")[0]
    return "\n".join(line for line in part.splitlines() if line.startswith("#"))


# -- laws ----------------------------------------------------------------------------------------------------------

tricky = st.sampled_from(
    ["", "?", " ", "NA", "None", "nan", "inf", "0", "1", "1.0", "-0", "01", "1e5", "1e999", "+1", "2.50", "-9", "true",
     "False", "yes", "2020-02-29", "2020-02-29 10:00", "31.12.2020", "[0-10)", ">20", '"', "\\", "]]", "#", "'''",
     "9007199254740993", "1e308", "5e-324", "1.7976931348623157e308"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@pytest.mark.slow
@given(
    st.dictionaries(names, st.integers(), min_size=1, max_size=4),
    st.integers(1, 30),
    st.data(),
)
def test_any_table_gets_a_dictionary_that_loads_and_types_it(
    columns: dict[str, int], rows: int, data: st.DataObject
) -> None:
    cell = st.one_of(texts, tricky)
    pools = [st.lists(cell, min_size=1, max_size=data.draw(st.sampled_from([1, 2, 3, 12]))) for _ in columns]
    table = {}
    for name, pool in zip(columns, pools, strict=True):
        some = data.draw(pool)
        table[name] = [some[i % len(some)] for i in range(rows)]
    raw = RawTable.from_text(table)
    try:
        text = draft_dictionary(raw, data.draw(texts))
    except IntakeError as refusal:
        assert "no column could be proposed" in str(refusal) or "named by numbers" in str(refusal)  # noqa: PT017
        return
    dictionary = parse_dictionary(text.encode("utf-8"))
    assert list(dictionary.columns) == list(table)
    assert type_table(raw, dictionary).row_count == rows
    assert set(dictionary.drafted) == set(table)


@settings(deadline=None)
@given(names, st.lists(texts.filter(lambda text: bool(text.strip())), min_size=3, max_size=3, unique=True))
def test_any_name_and_category_survives_as_toml(name: str, categories: list[str]) -> None:
    raw = RawTable.from_text({name: categories * 4, name + "x": ["a", "b", "c"] * 4})
    dictionary = parse_dictionary(draft_dictionary(raw, name).encode("utf-8"))
    assert set(dictionary.columns) == {name, name + "x"}
    held = dictionary.columns[name]
    if held.type == "category" and not held.missing:
        assert set(held.categories or ()) in (set(categories), {text.removesuffix(".0") for text in categories})


def test_a_name_cannot_break_out_of_a_comment() -> None:
    text, dictionary = drafted({'a\nversion = 2 # "': ["1", "2", "3"] * 4, "b": ["x", "y", "z"] * 4})
    assert dictionary.version == 1
    assert not [line for line in text.splitlines() if line.startswith("version = 2")]


def test_every_fact_read_off_the_data_is_marked() -> None:
    _, dictionary = drafted({"x": ["1.5", "2.25", "?"] * 10, "y": ["a", "b", "c"] * 10, "z": ["1", "2", "3"] * 10})
    assert set(dictionary.columns["x"].from_data) == {"type", "minimum", "maximum", "decimals", "nullable", "missing"}
    assert set(dictionary.columns["y"].from_data) == {"type", "categories"}


# -- types ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([str(i % 37) for i in range(100)], "integer"),
        ([f"{i % 37}.0" for i in range(100)], "integer"),
        ([f"{i % 37}.5" for i in range(100)], "number"),
        (["0", "1"] * 50, "boolean"),
        (["0.0", "1.0", ""] * 50, "boolean"),
        (["Yes", "No"] * 50, "boolean"),
        (["M", "F"] * 50, "category"),
        (["1", "2"] * 50, "category"),
        (["1", "2", "3", "4"] * 50, "ordinal"),
        (["007", "012"] * 50, "category"),
        ([f"K{i}" for i in range(100)], "identifier"),
        ([str(1000 + i) for i in range(100)], "identifier"),
        (["2020-01-01", "2021-12-31"] * 50, "date"),
        (["2020-01-01T10:00:00", "2021-12-31 11:30"] * 50, "datetime"),
        (["31.12.2020", "01.02.2021"] * 50, "text"),
        (["[0-10)", "[10-20)", "[100-200)"] * 50, "ordinal"),
        (["", "?"] * 50, "text"),
        ([f"patient {i % 60} felt better" for i in range(100)], "text"),
        (["x" * 300, "y"] * 50, "text"),
    ],
)
def test_types_are_guessed_from_the_cells(cells: list[str], kind: str) -> None:
    assert column(cells).type == kind


def test_spellings_of_whole_numbers_become_one_category() -> None:
    assert column(["1.0", "2", "1", "3.00"] * 20).categories == ("1", "2", "3")


def test_interval_labels_are_put_in_order() -> None:
    cells = ["[100-125)", "[0-25)", ">200", "[25-50)"] * 20
    assert column(cells).categories == ("[0-25)", "[25-50)", "[100-125)", ">200")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [("28", "77", (28, 77)), ("85", "603", (80, 610)), ("0.013", "0.5", (0.01, 0.5)), ("-2.61", "6.2", (-2.7, 6.2)),
     ("41", "99999", (0, 100000)), ("-3.5", "-1.25", (-3.5, -1.2)), ("120.1", "120.9", (120, 121))],
)  # fmt: skip
def test_bounds_are_rounded_outward(low: str, high: str, expected: tuple[float, float]) -> None:
    middle = [str(float(low) + (float(high) - float(low)) * i / 40) for i in range(40)] if "." in low else []
    cells = [low, high, *middle] if middle else [low, high, *[str(int(low) + i) for i in range(1, 30)]]
    found = column(cells * 2)
    assert (found.minimum, found.maximum) == expected


def test_dates_get_whole_years() -> None:
    found = column(["2019-05-06", "2021-02-03"] * 10)
    assert (str(found.minimum), str(found.maximum)) == ("2019-01-01", "2021-12-31")


# -- missing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["None", "NA", "N/A", "null", "nan", "NULL"])
def test_a_level_that_other_software_drops_stays_a_level_and_is_told(level: str) -> None:
    cells = [level, "Norm", ">7", "Norm"] * 20
    assert column(cells).categories == tuple(sorted({level, "Norm", ">7"}))
    assert column(cells).missing == ()
    told = comments(cells)
    assert "TRAP 20 cells of a level that other software reads as missing: kept as a level" in told
    assert (
        f'if it means missing, strike it from categories and write:  missing = ["{level}"]  and  nullable = true'
        in told
    )


@pytest.mark.parametrize(
    "level",
    ["Unknown/Invalid", "unknown", "UNK", "Not available", "not-recorded", "Unspecified", "(missing)", "No data", "--",
     "not known or not stated", "..", "."],
)  # fmt: skip
def test_a_level_that_says_unknown_is_held_out_as_missing_with_its_count(level: str) -> None:
    cells = ["Female", "Male"] * 50 + [level] * 3
    assert level in (column(cells).categories or ())
    told = comments(cells)
    assert "TRAP 3 cells of a level that says unknown: missing in disguise?" in told
    assert (
        f'if they are missing, strike it from categories and write:  missing = ["{level}"]  and  nullable = true'
        in told
    )


@pytest.mark.parametrize(
    "level",
    ["none", "Other", "unknown to me", "negative", "Unknown primary tumour", "no", "not applicable", "invalidity", "~"],
)
def test_a_level_that_says_something_is_not_suspected(level: str) -> None:
    told = comments(["Female", "Male"] * 50 + [level] * 30)
    assert "missing" not in told


def test_a_minus_beside_a_plus_is_a_result() -> None:
    assert "missing" not in comments(["+", "-"] * 50)
    assert 'missing = ["-"]' in comments(["high", "low", "-"] * 50)


def test_levels_that_may_be_missing_are_told_beside_those_taken_for_missing() -> None:
    cells = ["a", "b", "c"] * 30 + ["?"] * 4 + ["Unknown"] * 12 + ["Unspecified"] * 2 + ["NA"] * 5
    assert column(cells).missing == ("?",)
    told = comments(cells)
    assert "4 of 113 cells are missing" in told
    assert "4 cells among them spelled as listed under missing" in told
    assert 'write:  missing = ["?", "NA"]  and  nullable = true' in told
    assert "TRAP 14 cells of a level that says unknown" in told
    assert 'write:  missing = ["?", "Unknown", "Unspecified"]  and  nullable = true' in told


def test_a_remark_names_as_data_every_spelling_it_quotes() -> None:
    cells = {"lab": ["?", " \n", "NA", "Unknown", "Unknown\n/Missing", "high", "low"] * 12}
    cells["dose"] = [str(i % 40) for i in range(82)] + ["-999", "nan"]
    draft = propose_dictionary(RawTable.from_text(cells), "t")
    spelled = {name: [each.spelled for each in remarks if each.spelled] for name, remarks in draft.remarks.items()}
    known = (" \n", "?")
    assert spelled == {"lab": [(*known, "NA"), (*known, "Unknown", "Unknown\n/Missing")], "dose": [("nan", "-999")]}
    for remarks in draft.remarks.values():
        for remark in remarks:
            assert remark.text.count('"') == 2 * len(remark.spelled)
            assert all(f'"{each}"' in remark.text for each in remark.spelled)


def test_na_among_numbers_is_missing() -> None:
    cells = ["1.5", "NA", "2.5", ".", "3.25", "unknown"] * 10
    found = column(cells)
    assert found.type == "number"
    assert found.nullable
    assert found.missing == (".", "NA", "unknown")
    assert "30 cells among them spelled as listed under missing: strike there what is a value" in comments(cells)


def test_a_column_without_gaps_is_not_nullable() -> None:
    assert not column(["1", "2", "3"] * 10).nullable


# -- names ---------------------------------------------------------------------------------------------------------


def test_names_suggest_patients_keys_and_roles() -> None:
    people = [str(i // 2) for i in range(100)]
    _, dictionary = drafted(
        {
            "encounter_id": [str(900 + 3 * i) for i in range(100)],
            "patient_nbr": people,
            "patientAge": [str(20 + i % 60) for i in range(100)],
            "sex": ["f", "m"] * 50,
            "zip_code": [str(1000 + i % 7) for i in range(100)],
            "e-mail": ["a@b.c", "d@e.f"] * 50,
            "message": ["low", "high"] * 50,
            "admission_type_id": [str(i % 5) for i in range(100)],
            "DEATH_EVENT": ["0", "1"] * 50,
        }
    )
    kinds = {name: (held.type, held.role) for name, held in dictionary.columns.items()}
    assert kinds == {
        "encounter_id": ("identifier", "ordinary"),
        "patient_nbr": ("identifier", "ordinary"),
        "patientAge": ("integer", "quasi_identifier"),
        "sex": ("category", "quasi_identifier"),
        "zip_code": ("category", "quasi_identifier"),
        "e-mail": ("identifier", "ordinary"),
        "message": ("category", "ordinary"),
        "admission_type_id": ("category", "ordinary"),
        "DEATH_EVENT": ("boolean", "sensitive"),
    }
    assert dictionary.patient == "patient_nbr"


def test_the_contribution_bound_is_told_but_not_decided() -> None:
    text, dictionary = drafted({"patient": ["a", "a", "b", "a"] * 5, "x": ["1", "2"] * 10})
    assert dictionary.max_rows_per_patient is None
    assert "# max_rows_per_patient = 15" in text


def test_a_patient_column_with_gaps_is_not_taken() -> None:
    text, dictionary = drafted({"patient": ["a", "", "b", "a"] * 5, "x": ["1", "2"] * 10})
    assert dictionary.patient is None
    assert "not taken as the patient column" in text


def test_the_target_is_suggested_but_not_decided() -> None:
    text, dictionary = drafted({"outcome": ["0", "1"] * 10, "x": ["a", "b"] * 10})
    assert dictionary.target is None
    assert '# target = ...   the outcome whose class balance is kept, if there is one, perhaps "outcome"' in text


def test_a_table_of_names_only_gets_no_dictionary() -> None:
    with pytest.raises(IntakeError, match="no column could be proposed"):
        draft_dictionary(RawTable.from_text({"name": ["a", "b"]}), "t")


def test_columns_named_by_numbers_get_no_dictionary() -> None:
    with pytest.raises(IntakeError, match="named by numbers"):
        draft_dictionary(RawTable.from_text({"0": ["a", "b"] * 20, "id": [str(i) for i in range(40)]}), "t")


@pytest.mark.parametrize("name", ["Heart Disease (2)", "...", "\u00e4\u00f6", "x" * 300, ""])
def test_any_name_of_a_file_gives_a_name(name: str) -> None:
    raw = RawTable.from_text({"x": ["1", "2"] * 5})
    assert re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", parse_dictionary(draft_dictionary(raw, name).encode()).name)


# -- traps ---------------------------------------------------------------------------------------------------------


def spread(count: int, low: int, high: int) -> list[str]:
    return [str(value) for value in np.random.default_rng(7).integers(low, high, count)]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["0"] * 20 + spread(200, 85, 300), "20 cells of zeros far from all others"),
        (["999"] * 3 + spread(200, 85, 300), "3 cells of all-nines values far from all others"),
        (["-9", *spread(200, 85, 300)], "1 cell of all-nines values far from all others"),
        (["-1", *spread(200, 85, 300)], "1 cell of the smallest value far from all others"),
        (["100000", *spread(200, 85, 300)], "1 cell of the largest value far from all others"),
        (["0"] * 300 + spread(100, 1, 90), "of 400 values are zero"),
        (["263.5"] * 30 + [f"{v}.25" for v in spread(300, 100, 900)], "one value stands in 30 of 330"),
        (["60.667"] * 2 + spread(298, 40, 95), "only 2 of 300 values not whole"),
        (["same"] * 40, "constant"),
        (["no"] * 999 + ["up"], "all but 1 of 1000 values are the same: nearly constant"),
        (["no"] * 1989 + ["up"] * 11, "values are the same: nearly constant"),
        (["a"] * 50 + ["b"] * 50 + ["c"] * 3, "1 of 3 categories held by fewer than 11 people"),
        (spread(1500, 10**6, 10**9) + ["5"] * 2, "nearly a key"),
        (spread(300, 10, 60) + ["<10"] * 4, "4 of 304 cells are no numbers among numbers"),
        (["2020-05-06", "2020-05-07"] * 20 + ["1900-01-01"] * 2, "2 cells of a day that often stands for"),
        (["31.12.2020", "01.02.2021"] * 50, "not ISO 8601"),
    ],
)
def test_traps_are_flagged(cells: list[str], words: str) -> None:
    assert words in comments(cells), comments(cells)


def test_small_sites_are_told_of_a_column_that_names_sites() -> None:
    cells = ["Cleveland"] * 303 + ["Budapest"] * 294 + ["Zurich"] * 123
    assert "TRAP 2 of 3 sites have fewer than 300 people each" in comments(cells, "site")
    assert "TRAP" not in comments(cells, "colour")


@pytest.mark.parametrize("cells", [spread(300, 85, 300), [f"{v}.5" for v in spread(300, 0, 90)], ["a", "b"] * 50])
def test_ordinary_columns_raise_no_alarm(cells: list[str]) -> None:
    assert "TRAP" not in comments(cells)


def test_pairs_that_say_the_same_are_flagged() -> None:
    words = ["low", "mid", "high"]
    text, _ = drafted(
        {
            "level": [words[i % 3] for i in range(60)],
            "number": [str(i % 3) for i in range(60)],
            "free": [str(i * 7 % 5) for i in range(60)],
        }
    )
    assert '# TRAP "level" and "number" determine each other: drop one' in text
    assert text.count("determine each other") == 1


def test_gaps_that_follow_a_site_and_twins_are_flagged() -> None:
    rng = np.random.default_rng(3)
    site = ["north"] * 40 + ["south"] * 40
    text, _ = drafted({"site": site, "lab": [str(v) for v in rng.integers(5, 30, 40)] + [""] * 40})
    assert '# TRAP whether "lab" is missing follows "site": not at random' in text
    assert "rows repeat an earlier row" in text


def test_dates_in_order_suggest_a_rule() -> None:
    text, _ = drafted(
        {
            "admission": ["2020-01-01", "2020-02-01", "2020-03-01"],
            "discharge": ["2020-01-05", "", "2020-03-01"],
        }
    )
    assert '# check = "admission <= discharge"' in text
    assert '"discharge <= admission"' not in text


def test_rarity_is_counted_in_people_not_rows() -> None:
    text, _ = drafted({"patient": ["p"] * 20 + [str(i) for i in range(80)], "x": ["rare"] * 20 + ["usual"] * 80})
    assert "1 of 2 categories held by fewer than 11 people" in text


def test_a_parquet_null_is_drafted_as_a_gap() -> None:
    raw = RawTable.from_text({"x": ["1", None, "2", "3"] * 10})
    dictionary = parse_dictionary(draft_dictionary(raw, "t").encode())
    assert dictionary.columns["x"].nullable
    assert type_table(raw, dictionary).frame["x"].isna().sum() == 10


def test_the_drafted_comments_hold_no_cell_that_is_no_fact() -> None:
    cells = ["zebra4711 said so, and much more of it"] * 3 + [f"sentence number {i} of the notes" for i in range(60)]
    text, _ = drafted({"x": cells, "y": ["a", "b", "c"] * 21})
    assert "zebra4711" not in text
    assert "sentence" not in text


def test_a_table_read_from_csv_is_drafted() -> None:
    raw = read_table(b"age,sex\n61,f\n47,m\n", "csv")
    assert parse_dictionary(draft_dictionary(raw, "t").encode()).released == ("age", "sex")


# -- patients ------------------------------------------------------------------------------------------------------


def visits_of(people: int) -> dict[str, list[str]]:
    """Two rows of each person, who keep their sex and their drug, which nearly nobody takes, but not their pulse."""
    two = [place // 2 for place in range(2 * people)]
    return {
        "patient": [f"P{each}" for each in two],
        "sex": ["fm"[each * 7 % 3 % 2] for each in two],
        "drug": ["yes" if each == 1 else "no" for each in two],
        "pulse": [str(60 + place * 17 % 40) for place in range(2 * people)],
    }


def test_what_never_changes_within_a_patient_is_proposed_and_marked() -> None:
    text, dictionary = drafted(visits_of(300))
    assert [name for name, column in dictionary.columns.items() if column.per_patient] == ["sex"]
    assert "per_patient" in dictionary.columns["sex"].from_data
    assert "# the same in all rows of 99 % or more of the patients with several" in text
    changed = visits_of(300)
    changed["sex"][::60] = ["m" if each == "f" else "f" for each in changed["sex"][::60]]  # ten patients of 300
    assert not drafted(changed)[1].columns["sex"].per_patient


def test_how_many_patients_have_several_rows_is_not_told() -> None:
    """Beside the count of all patients it would tell that one alone came once."""
    visits = {name: cells[:-1] for name, cells in visits_of(300).items()}
    text, dictionary = drafted(visits)
    assert dictionary.columns["sex"].per_patient
    assert not re.search(r"\b(299|300)\b", "".join(line for line in text.splitlines() if line.startswith("#")))


def test_nothing_is_proposed_of_a_few_patients_or_of_rows_that_are_patients() -> None:
    _, few = drafted(visits_of(10))
    assert not any(column.per_patient for column in few.columns.values())
    alone = visits_of(300)
    alone["patient"] = [f"P{place}" for place in range(600)]
    assert not any(column.per_patient for column in drafted(alone)[1].columns.values())
