"""Small tables of every kind, and pages made from them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.report import EvidenceInputs
from policies import Decision, Dictionary, Finding, Limit, Measurement

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Outline(HTMLParser):
    """The tags of a page; ``problems`` names what is left open, closed twice or written twice."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.problems: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.problems += [f"never closed: {tag}" for tag in self._open]
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        self.problems += [f"id twice: {name}" for name in set(ids) if ids.count(name) > 1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"closed out of turn: {tag}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def dictionary_of(**columns: dict[str, Any]) -> Dictionary:
    return Dictionary.model_validate({"version": 1, "name": "clinic", "columns": columns})


KINDS: dict[str, dict[str, Any]] = {
    "age": {"type": "integer", "minimum": 0.0, "maximum": 120.0, "unit": "years", "description": "Age at admission"},
    "dose": {"type": "number", "minimum": 0.0, "maximum": 100.0, "nullable": True},
    "sex": {"type": "boolean", "categories": ("no", "yes")},
    "ward": {"type": "category", "categories": ("north", "south", "east"), "nullable": True},
    "stage": {"type": "ordinal", "categories": ("I", "II", "III", "IV")},
    "seen": {"type": "date", "minimum": dt.date(1990, 1, 1), "maximum": dt.date(2030, 1, 1)},
    "taken": {"type": "datetime", "minimum": dt.datetime(1990, 1, 1), "maximum": dt.datetime(2030, 1, 1)},  # noqa: DTZ001
}


def frame_of(dictionary: Dictionary, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """A typed frame of random cells within the dictionary; nullable columns miss a fifth."""
    columns: dict[str, Any] = {}
    for name in dictionary.released:
        column = dictionary.columns[name]
        gone = rng.random(rows) < (0.2 if column.nullable else 0.0)
        if column.categories is not None:
            codes = np.where(gone, -1, rng.integers(0, len(column.categories), rows)).astype(np.int64)
            kind = pd.CategoricalDtype(list(column.categories), ordered=column.type in ("ordinal", "boolean"))
            columns[name] = pd.Categorical.from_codes(codes, dtype=kind)
        elif column.type in ("date", "datetime"):
            days = rng.integers(12_000, 15_000, rows).astype("datetime64[D]").astype("datetime64[s]")
            columns[name] = pd.Series(days).mask(gone)
        else:
            values = np.clip(rng.normal(50, 12, rows), 0, 100)
            columns[name] = np.where(gone, np.nan, np.rint(values) if column.type == "integer" else values)
    return pd.DataFrame(columns, index=pd.RangeIndex(rows))


def finding(measure: str, value: float, half: float = 0.0, *, low: float | None = None, high: float | None = None,
            met: bool = False, status: Any = "measured", reason: str = "",
            undecided: bool = False) -> Finding:  # fmt: skip
    limit = Limit(min=low, max=high)
    return Finding(measure, limit, value, value - half, value + half, status, met, reason, undecided)


def measurement(name: str, value: float, half: float = 0.0) -> Measurement:
    return Measurement(name, value, value - half, value + half, 0.95, 100, "bootstrap")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture
def mixed(rng: np.random.Generator) -> Callable[..., EvidenceInputs]:
    """Evidence inputs over a table with a column of every kind; keywords replace parts."""

    def make(kinds: dict[str, dict[str, Any]] | None = None, rows: int = 150, **parts: Any) -> EvidenceInputs:
        dictionary = dictionary_of(**(KINDS if kinds is None else kinds))
        found = (measurement("nnaa_privacy_loss", 0.41, 0.06), measurement("tstr_auc", 0.8, 0.02),
                 measurement("trtr_auc", 0.82, 0.02), measurement("ks_train", 0.05, 0.01))  # fmt: skip
        given: dict[str, Any] = {
            "decision": Decision("strict", (finding("nnaa_privacy_loss", 0.41, 0.06, high=0.15),)),
            "measurements": found,
            "dictionary": dictionary,
            "train": frame_of(dictionary, rows, rng),
            "released": frame_of(dictionary, rows, rng),
        }
        return EvidenceInputs(**(given | parts))

    return make
