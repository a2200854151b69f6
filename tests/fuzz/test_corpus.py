"""Every file of the fuzzer's corpus, without the fuzzer."""

from __future__ import annotations

import pytest

from tests.fuzz.build_corpus import CORPUS
from tests.fuzz.intake import take_in

READABLE = {
    "plain",
    "mark",
    "quotes",
    "codes",
    "missing",
    "levels",
    "dates",
    "gzip",
    "parquet",
    "workbook",
    "formulas",
    "wide",
}


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_a_file_of_the_corpus_is_a_table_or_a_refusal(name: str) -> None:
    outcome = take_in((CORPUS / name).read_bytes())
    assert outcome in ("typed", "refused")
    if name in READABLE:
        assert outcome == "typed"
