"""Release records: what they may say, and that nothing else is read as one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.record import canonical
from audit.record.errors import RecordError, VerificationError
from audit.record.statement import (
    Attempt,
    CoarseFinding,
    DictionaryUsed,
    LogPosition,
    PolicyUsed,
    ReleaseRecord,
    Software,
    SourceCommitment,
    Subject,
)

Make = Callable[..., ReleaseRecord]
NOON = datetime(2021, 5, 1, 12, tzinfo=UTC)
REPORT = (Subject("report.html", "b" * 64),)
DENIAL: dict[str, Any] = {
    "decision": "denied",
    "subjects": REPORT,
    "released_rows": 0,
    "findings": (CoarseFinding("k_anonymity", False),),
    "reason": None,
    "expires_at": None,
    "synthesizer": None,
}


def test_a_record_is_an_in_toto_statement(make_record: Make) -> None:
    document = json.loads(make_record().to_payload())
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://sluice.dev/release-record/v1"
    assert document["subject"][0] == {"name": "data.csv", "digest": {"sha256": "a" * 64}}
    predicate = document["predicate"]
    assert predicate["policy"] == {"id": "research-extract", "digest": {"sha256": "1" * 64}}
    assert predicate["findings"][0] == {"measure": "k_anonymity", "met": True}
    assert predicate["software"]["lockDigest"] == {"sha256": "5" * 64}
    assert predicate["decidedAt"] == "2021-05-01T12:30:00Z"
    assert predicate["differentialPrivacy"]["epsilon"] == 0.998


@pytest.mark.parametrize(
    "changes",
    [
        {},
        DENIAL,
        {"findings": None, "reason": None, "expires_at": None},
        {"differential_privacy": None, "not_covered": ()},
        {"software": Software("sluice-gate", "0.1.0", "4" * 64)},
        {**DENIAL, "findings": (), "not_covered": ("The audit's own measurements.",)},
        {"synthesizer": {}, "reason": "möglich — 可能"},
    ],
)
def test_a_record_reads_back_as_itself(make_record: Make, changes: dict[str, Any]) -> None:
    record = make_record(**changes)
    payload = record.to_payload()
    assert ReleaseRecord.from_payload(payload) == record
    assert ReleaseRecord.from_payload(payload).to_payload() == payload


def test_a_record_cannot_be_changed_through_the_settings_it_was_given(make_record: Make) -> None:
    given_settings: dict[str, Any] = {"weights": {"gmm": 1.0}, "steps": [1, 2]}
    record = make_record(synthesizer=given_settings)
    before = record.to_payload()
    given_settings["weights"]["gmm"] = 0.5
    given_settings["steps"].append(3)
    assert record.to_payload() == before
    assert record.synthesizer is not None
    with pytest.raises(TypeError):
        record.synthesizer["weights"]["gmm"] = 0.5
    with pytest.raises(AttributeError):
        record.synthesizer["steps"].append(3)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"subjects": ()}, "0 subjects"),
        ({"subjects": REPORT * 2}, "one name"),
        ({"subjects": (*REPORT, Subject("REPORT.html", "c" * 64))}, "one name"),
        ({"subjects": (Subject("record.dsse.json", "c" * 64),)}, "not subjects"),
        ({"subjects": (Subject("Log-Proof.json", "c" * 64),)}, "not subjects"),
        ({"decision": "maybe"}, "decision"),
        ({"decision": True}, "decision"),
        ({"reason": ""}, "reason"),
        ({"reason": "two\nlines"}, "control"),
        ({"reason": "red \x1b[31m"}, "control"),
        ({"reason": "\u202ereversed"}, "control"),
        ({"reason": "x" * 201}, "reason"),
        ({"released_rows": -1}, "releasedRows"),
        ({"released_rows": True}, "releasedRows"),
        ({"released_rows": 2.0}, "releasedRows"),
        ({"released_rows": 2**53}, "releasedRows"),
        ({"ledger_head": "6" * 63}, "ledgerHead"),
        ({"ledger_head": "A" * 64}, "ledgerHead"),
        ({"evidence_sha256": None}, "evidence"),
        ({"not_covered": ("",)}, "notCovered"),
        ({"synthesizer": {"loss": float("nan")}}, "NaN"),
        ({"synthesizer": {1: "a"}}, "names are text"),
        ({"synthesizer": [1]}, "JSON object"),
        ({"synthesizer": {"x": object()}}, "no JSON form"),
        ({"synthesizer": {"x": "y" * (1 << 20)}}, "bytes"),
        ({"findings": ()}, "there is none"),
        ({"findings": (CoarseFinding("k_anonymity", True), CoarseFinding("l_diversity", False))}, "unmet"),
        ({"findings": (CoarseFinding("k_anonymity", True),) * 2}, "one measure"),
        ({"registered_at": datetime(2021, 5, 1)}, "UTC"),  # noqa: DTZ001  # what is refused
        ({"registered_at": datetime(2021, 5, 1, tzinfo=timezone(timedelta(hours=2)))}, "UTC"),
        ({"registered_at": NOON.replace(microsecond=5)}, "fractions"),
        ({"registered_at": NOON.replace(year=1969)}, "1970"),
        ({"registered_at": NOON + timedelta(days=1)}, "before registeredAt"),
        ({"expires_at": NOON}, "born expired"),
        ({**DENIAL, "released_rows": 2}, "denied, but 2 rows"),
        ({**DENIAL, "subjects": (Subject("data.csv", "a" * 64),)}, "1 data files"),
        ({**DENIAL, "subjects": (*REPORT, Subject("data.Parquet", "a" * 64))}, "1 data files"),
        ({**DENIAL, "subjects": (*REPORT, Subject("data.csv.gz", "a" * 64))}, "1 data files"),
        ({**DENIAL, "subjects": (*REPORT, Subject("data.csv.txt", "a" * 64))}, "1 data files"),
    ],
)
def test_a_contradictory_or_malformed_record_cannot_be_made(
    make_record: Make, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RecordError, match=problem):
        make_record(**changes)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x.csv", "a/b.csv", "/etc/passwd", "a\\b.csv", "C:x.csv", "a\x00.csv", ".hidden", "x.csv.",
     " x.csv", "x.csv ", "cafe\u0301.csv", "x\u202ecsv.exe", "a\nb", "x" * 201, None, 7, "a*b", "\ud800"],
)  # fmt: skip
def test_a_subject_has_a_plain_file_name(name: Any) -> None:
    with pytest.raises(RecordError, match="subject name"):
        Subject(name, "a" * 64)


@pytest.mark.parametrize("name", ["data.csv", "café.csv", "donnees 2021.parquet", "データ.csv", "a..b"])
def test_ordinary_names_are_taken(name: str) -> None:
    assert Subject(name, "a" * 64).name == name


@pytest.mark.parametrize(
    "make",
    [
        lambda: Subject("data.csv", "A" * 64),
        lambda: Subject("data.csv", "a" * 64 + "\n"),
        lambda: CoarseFinding("K", True),
        lambda: CoarseFinding("k_anonymity", 1),  # type: ignore[arg-type]
        lambda: PolicyUsed("", "1" * 64),
        lambda: DictionaryUsed("heart", ""),
        lambda: SourceCommitment("sha256:" + "3" * 64, "key"),
        lambda: SourceCommitment("hmac-sha256:" + "3" * 64, ""),
        lambda: Software("sluice", "", "4" * 64),
        lambda: Software("sluice", "1", "4" * 64, "5"),
        lambda: Attempt(0, 3),
        lambda: Attempt(4, 3),
        lambda: Attempt(1, True),
        lambda: LogPosition(-1, "a.example", bytes(32)),
        lambda: LogPosition(0, "a example", bytes(32)),
        lambda: LogPosition(0, "a.example", bytes(31)),
        lambda: LogPosition(0, "a.example", "x" * 32),  # type: ignore[arg-type]
    ],
)
def test_a_malformed_part_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(RecordError):
        make()


def test_a_record_expires_at_the_time_it_names(make_record: Make) -> None:
    record = make_record(expires_at=NOON + timedelta(days=1))
    assert not record.expired(NOON)
    assert record.expired(NOON + timedelta(days=1))
    assert not make_record(expires_at=None).expired(NOON + timedelta(days=9999))


def test_a_record_too_large_to_be_read_is_not_written(make_record: Make) -> None:
    with pytest.raises(RecordError, match="bytes"):
        make_record(not_covered=("x" * 500,) * 5000).to_payload()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in _paths(item, (*path, key)))]


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


FREE = "synthesizer"
CLAIM_NUMBERS = {
    "maxRowsPerPatient", "epsilon", "delta", "count", "drawn", "withinEnvelope",
    "sigma", "sensitivity", "noiseMultiplier", "samplingRate",
    "steps", "crossChecks", "zcdpRho", "spentEpsilon", "leftEpsilon", "spentZcdpRho", "releasesWithoutClaim",
}  # fmt: skip


def test_every_missing_or_unknown_field_is_refused(make_record: Make) -> None:
    document = json.loads(make_record().to_payload())
    checked = 0
    for path in _paths(document):
        if not isinstance(_at(document, path), dict) or FREE in path:
            continue
        changed = copy.deepcopy(document)
        _at(changed, path)["surprise"] = 1
        with pytest.raises(VerificationError, match="unknown fields: 1"):
            ReleaseRecord.from_payload(canonical.encode(changed))
        for name in _at(document, path):
            changed = copy.deepcopy(document)
            del _at(changed, path)[name]
            with pytest.raises(VerificationError, match=f"missing fields: {name}"):
                ReleaseRecord.from_payload(canonical.encode(changed))
            checked += 1
    assert checked > 40


def test_every_field_of_the_wrong_type_is_refused(make_record: Make) -> None:
    document = json.loads(make_record().to_payload())
    for path in _paths(document)[1:]:
        if FREE in path:
            continue
        for wrong in (7, -1, 0.5, True, "", "x\ny", [], ["x"], {}, {"sha256": 7}, None):
            if wrong == _at(document, path) and type(wrong) is type(_at(document, path)):
                continue
            changed = copy.deepcopy(document)
            _at(changed, path[:-1])[path[-1]] = wrong
            payload = canonical.encode(changed)
            try:
                record = ReleaseRecord.from_payload(payload)
            except VerificationError:
                continue
            # the few changes that leave a record: null where null is a value, another count or number of the claim
            assert record.to_payload() == payload
            assert path[-1] in {"reason", "findings", "releasedRows", "lockDigest", "expiresAt", "notCovered", "index",
                                "maximum", "differentialPrivacy"} | CLAIM_NUMBERS, path  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"in-toto.io/Statement/v1", b"in-toto.io/Statement/v0.1"),
        (b"sluice.dev/release-record/v1", b"sluice.dev/release-record/v2"),
        (b"2021-05-01T12:30:00Z", b"2021-05-01T12:30:00+00:00"),
        (b"2021-05-01T12:30:00Z", b"2021-05-01t12:30:00z"),
        (b"2021-05-01T12:30:00Z", b"2021-02-30T12:30:00Z"),
        (b"2021-05-01T12:30:00Z", b"2021-05-01T12:30:60Z"),
        (b"2021-05-01T12:30:00Z", "2021-05-01T12:30:0٠Z".encode()),
        (b'"decision":"allowed"', b'"decision":"denied"'),
        (b'"decision":"allowed"', b'"decision":"allowed","decision":"allowed"'),
        (b'"number":1', b'"number":1.0'),
        (b'"releasedRows":2', b'"releasedRows":NaN'),
        (b'"met":true', b'"met":false'),
    ],
)
def test_altered_payloads_are_refused(make_record: Make, old: bytes, new: bytes) -> None:
    payload = make_record().to_payload()
    assert old in payload
    with pytest.raises(VerificationError):
        ReleaseRecord.from_payload(payload.replace(old, new, 1))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(json_values, st.data())
def test_whatever_is_read_as_a_record_is_exactly_what_that_record_writes(
    make_record: Make, value: Any, data: st.DataObject
) -> None:
    document = json.loads(make_record().to_payload())
    path = data.draw(st.sampled_from(_paths(document)[1:]))
    _at(document, path[:-1])[path[-1]] = value
    payload = canonical.encode(document)
    try:
        record = ReleaseRecord.from_payload(payload)
    except VerificationError:
        return
    assert record.to_payload() == payload


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_with_the_right_error(content: bytes) -> None:
    with pytest.raises(VerificationError):
        ReleaseRecord.from_payload(content)
