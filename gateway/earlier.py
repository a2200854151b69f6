"""What has been released of these people before? The rows of every earlier release that the workspace holds."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from audit.record import files
from audit.record.envelope import MAX_BYTES
from audit.record.errors import VerificationError
from audit.record.statement import RECORD_FILE
from gateway.errors import GatewayError
from gateway.intake import IntakeError, read_table, type_table
from gateway.workspace import Workspace
from policies import Dictionary, DictionaryError, parse_dictionary

BUNDLE = "bundle"  # in an evidence folder: the bundle as it was written
DATA = "data.parquet"
_LARGEST = 1 << 34  # bytes


@dataclass(frozen=True)
class Earlier:
    """``frame`` is the union of the earlier releases' rows, None where there are none.

    ``releases`` counts them, and ``lost`` those of which the rows are not at hand: not in this workspace, not as they
    were released, or without all the columns of now. Where any is lost, nothing can be said of all of them together.
    """

    frame: pd.DataFrame | None = None
    releases: int = 0
    lost: int = 0

    def beside(self, strangers: float, dictionary: Dictionary) -> Earlier:
        """What may be said of them where so large a share of the rows is of people they did not know."""
        most = MOST_STRANGERS[dictionary.patient is not None]
        return self if strangers <= most else replace(self, lost=self.releases)


NOTHING_EARLIER = Earlier()
MOST_STRANGERS = {True: 0.5, False: 0.1}
"""Share of rows of people unknown to the earlier releases, by whether a column names the patient, above which the
halves of then are not taken for those of now: a table whose identifiers are written otherwise, or any cell where rows
are known by their cells alone, looks like new people, and half of those held out were learned from."""


def earlier_releases(
    workspace: Workspace, names: Collection[str], split_by: str, before: int, dictionary: Dictionary
) -> Earlier:
    """Every release that was allowed of the datasets ``names``, as of ledger entry ``before``.

    Revoked and expired releases count as well: somebody may have kept them. One under another name than ``split_by``,
    by which people are divided now, may have divided them otherwise and counts as lost.

    Raises
    ------
    LedgerError
        The ledger's chain is broken.
    """
    frames, lost = [], 0
    for event in workspace.ledger.events():
        if event["sequence"] >= before:
            break
        if (event["kind"], event.get("decision")) == ("decision", "allowed") and event["dataset"] in names:
            if event["dataset"] != split_by:
                lost += 1
                continue
            try:
                frames.append(_rows(workspace, event, dictionary))
            except (GatewayError, IntakeError, DictionaryError, VerificationError):
                lost += 1
    frame = pd.concat(frames, ignore_index=True) if frames else None
    return Earlier(frame, len(frames) + lost, lost)


def _rows(workspace: Workspace, event: dict[str, Any], dictionary: Dictionary) -> pd.DataFrame:
    """The rows that the signed record of a decision vouches for, in the columns of ``dictionary``."""
    folder = workspace.folder / "evidence" / Path(event["evidence"]).name / BUNDLE
    envelope = files.read(folder / RECORD_FILE, maximum=MAX_BYTES, error=GatewayError)
    if hashlib.sha256(envelope).hexdigest() != event["recordDigest"]:
        raise GatewayError(f"{RECORD_FILE}: is not the record of the decision")
    subjects = {subject.name: subject.sha256 for subject in workspace.open_record(envelope).subjects}
    held = {name: files.read(folder / name, maximum=_LARGEST, error=GatewayError) for name in (DATA, "dictionary.toml")}
    for name, content in held.items():
        if hashlib.sha256(content).hexdigest() != subjects.get(name):
            raise GatewayError(f"{name}: is not what was released")
    then = parse_dictionary(held["dictionary.toml"])
    frame = type_table(read_table(held[DATA], "parquet"), then, released=True).frame
    return _in_columns_of(dictionary, frame, then)


def _in_columns_of(dictionary: Dictionary, frame: pd.DataFrame, then: Dictionary) -> pd.DataFrame:
    columns = {}
    for name in dictionary.released:
        now = dictionary.columns[name]
        same = name in frame and now.is_categorical == then.columns[name].is_categorical
        if not same or now.unit != then.columns[name].unit:
            raise GatewayError(f"the earlier release has no column {name} of that type")
        if now.is_categorical:
            dtype = pd.CategoricalDtype(list(now.categories or ()), ordered=now.type in ("ordinal", "boolean"))
            if (frame[name].notna() & ~frame[name].isin(dtype.categories)).any():
                raise GatewayError(f"the earlier release has categories of column {name} that are not declared now")
            columns[name] = frame[name].astype(object).astype(dtype)
        elif (now.type in ("date", "datetime")) != (then.columns[name].type in ("date", "datetime")):
            raise GatewayError(f"the earlier release has no column {name} of that type")
        else:
            columns[name] = frame[name]
    return pd.DataFrame(columns)
