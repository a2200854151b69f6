"""The same request gets the same answer from the record: no row is read, nothing is spent, nothing is gained."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from audit.record import keys, pkcs8
from audit.record.approval import Action, ReleaseAction
from audit.record.errors import LogError, RecordError
from audit.record.keys import EnvelopeSigner
from audit.record.statement import Oversight
from audit.record.trust import Revocation
from audit.tables import AuditTables
from gateway import trusting
from gateway.actions import act
from gateway.answers import find_answer, request_body
from gateway.case import Case
from gateway.errors import GatewayError
from gateway.intake import take_snapshot
from gateway.progress import Progress
from gateway.release import Request, release_table
from gateway.rotation import rotate
from gateway.settings import load_settings
from gateway.statements import read_dictionary, read_policy
from tests.gateway.conftest import PASSPHRASE, Clinic, make_clinic
from tests.gateway.quick import quick_audits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """A clinic with one release (``bundle``) and one refusal (``denied``)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pkcs8, "SCRYPT_COST", 4)  # of keys that are unlocked more than a thousand times
        clinic = make_clinic(tmp_path_factory.mktemp("asked"))
    policy = (clinic.folder / "lenient.toml").read_text()
    clinic.write("lenient.toml", policy.replace("[limits]", "valid_days = 9\n[limits]"))
    with quick_audits():
        assert clinic.release().exit_code == 0
        assert clinic.release(out="denied", policy="strict.toml").exit_code == 3
    return clinic


@pytest.fixture
def audited() -> Iterator[list[AuditTables]]:
    with quick_audits() as seen:
        yield seen


@pytest.fixture
def clinic(asked: Clinic, tmp_path: Path) -> Clinic:
    """A copy that a test may spoil."""
    return Clinic(Path(shutil.copytree(asked.folder, tmp_path / "clinic")))


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a table's rows fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("the table was read")

    monkeypatch.setattr("gateway.intake.snapshot.parse_table", refuse)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def state(clinic: Clinic) -> tuple[str, int, int]:
    """What a look at the data would change: the ledger's head, the records, the evidence."""
    workspace = clinic.folder / "ws"
    count = len(list((workspace / "evidence").iterdir()))
    return clinic.workspace.ledger.head(), len(list((workspace / "records").iterdir())), count


def outcome(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.usefixtures("unreadable")
def test_a_release_is_issued_again_byte_for_byte_without_a_look_at_the_table(clinic: Clinic) -> None:
    before = state(clinic)
    result = clinic.release("--json", out="again")
    assert result.exit_code == 0, result.stderr
    assert contents(clinic.folder / "again") == contents(clinic.folder / "bundle")
    found = outcome(result)
    assert found["answeredFromRecord"]["bundleHeld"] is True
    assert Path(found["answeredFromRecord"]["writtenTo"]).name == "bundle"
    assert found["logIndex"] == 0
    assert state(clinic) == before
    assert clinic.run("verify", clinic.folder / "again", "--key", clinic.public_key).exit_code == 0


@pytest.mark.usefixtures("unreadable")
def test_a_refusal_stays_refused_with_the_same_words(clinic: Clinic) -> None:
    before = state(clinic)
    result = clinic.release(out="again", policy="strict.toml")
    assert result.exit_code == 3
    assert "REFUSED: 1 of 3 limits of the policy are not met" in result.stdout
    assert "the same was asked then; no row was read" in result.stdout
    assert contents(clinic.folder / "again") == contents(clinic.folder / "denied")
    assert state(clinic) == before


@pytest.mark.usefixtures("unreadable")
def test_the_same_command_finds_its_bundle_where_it_is(clinic: Clinic) -> None:
    bundle = clinic.folder / "bundle"
    before = contents(bundle)
    written = (bundle / "data.csv").stat().st_mtime_ns
    assert clinic.release().exit_code == 0
    assert contents(bundle) == before
    assert (bundle / "data.csv").stat().st_mtime_ns == written


def test_a_place_that_is_taken_is_never_overwritten(clinic: Clinic) -> None:
    result = clinic.release(out="denied")  # another record's bundle
    assert result.exit_code == 2
    assert "denied exists and is not overwritten" in result.stderr
    (clinic.folder / "mine").mkdir()
    assert clinic.release(out="mine").exit_code == 2
    assert clinic.release(out="denied", rows=149).exit_code == 2  # and that is no look either
    assert clinic.workspace.ledger.looks("clinic", None) == 2


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize("loss", ["gone", "altered"])
def test_bytes_that_are_no_longer_held_are_not_made_up(clinic: Clinic, loss: str) -> None:
    (held,) = (clinic.folder / "ws" / "evidence").glob("*/bundle/data.csv")
    held.unlink()
    if loss == "altered":
        held.write_bytes(b"age\n1\n")
    result = clinic.release(out="again")
    assert result.exit_code == 0
    assert "Bundle  none: the workspace no longer holds its bytes; it was written to" in result.stdout
    assert not (clinic.folder / "again").exists()


@pytest.mark.usefixtures("unreadable")
def test_without_its_evidence_the_record_answers_in_coarse_words(clinic: Clinic) -> None:
    shutil.rmtree(clinic.folder / "ws" / "evidence")
    found = clinic.release("--json", out="again", policy="strict.toml")
    assert found.exit_code == 3
    assert outcome(found)["findings"][0] == {"measure": "nnaa_privacy_loss", "met": False}
    assert outcome(found)["bundle"] is None


def test_a_missing_record_is_an_error_and_no_new_look(clinic: Clinic) -> None:
    next((clinic.folder / "ws" / "records").glob("00000000-*")).unlink()
    before = clinic.workspace.ledger.head()
    assert clinic.release(out="again").exit_code == 2
    assert clinic.workspace.ledger.head() == before


@pytest.mark.usefixtures("audited")
def test_what_differs_in_anything_but_the_place_is_another_request(clinic: Clinic) -> None:
    table = clinic.folder / "table.csv"
    lines = table.read_text().splitlines()
    original = table.read_text()
    table.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")  # rows permuted
    assert outcome(clinic.release("--json", out="third"))["attempt"] == {"number": 3, "maximum": 3}
    variations: dict[str, Callable[[], object]] = {
        "one row less": lambda: table.write_text("\n".join(lines[:-1]) + "\n"),
        "another policy": lambda: clinic.write(
            "lenient.toml", (clinic.folder / "lenient.toml").read_text().replace('"lenient"', '"fresh"')
        ),
        "another name": lambda: clinic.write(
            "table.toml", (clinic.folder / "table.toml").read_text().replace('name = "clinic"', 'name = "renamed"')
        ),
        "other settings": lambda: clinic.write("quick.toml", 'version = 1\ncomponents = ["copula"]\n'),
    }
    for name, change in variations.items():
        table.write_text(original)
        change()
        result = clinic.release("--json", out=name.replace(" ", "-"), rows=140)
        assert result.exit_code == 3, name
        assert "all 3 attempts that the policy allows on this dataset are used, under any policy" in result.stdout
    again = clinic.release("--json", out="once-more", rows=140)
    assert outcome(again)["answeredFromRecord"] is not None  # a refusal for want of attempts is an answer too


@pytest.mark.usefixtures("unreadable")
def test_a_script_that_asks_a_thousand_times_gets_one_answer_a_thousand_times(clinic: Clinic) -> None:
    workspace, folder = clinic.workspace, clinic.folder
    request = Request(
        folder / "table.csv", folder / "table.toml", str(folder / "strict.toml"), 150, folder / "denied",
        load_settings(folder / "quick.toml"),
    )  # fmt: skip
    before, answers = state(clinic), set()
    with Progress(quiet=True) as progress:
        for number in range(1000):
            told = release_table(request, workspace, PASSPHRASE.encode(), np.random.SeedSequence(number), progress)
            report = {**told.to_dict(), "seconds": 0, "peakMebibytes": 0}
            answers.add((told.allowed, json.dumps(report, sort_keys=True)))
    assert len(answers) == 1
    assert not next(iter(answers))[0]
    assert state(clinic) == before


def case_of(clinic: Clinic, **changes: Any) -> Case:
    policy_bytes, policy = read_policy(str(clinic.folder / "lenient.toml"))
    dictionary_bytes, dictionary = read_dictionary(clinic.folder / "table.toml")
    settings = load_settings(clinic.folder / "quick.toml").model_dump(mode="json")
    commitment = clinic.workspace.unlock(PASSPHRASE.encode()).commit(take_snapshot(clinic.folder / "table.csv"))
    case = Case(policy, policy_bytes, dictionary, dictionary_bytes, settings, commitment, "1")
    return dataclasses.replace(case, **changes)


def test_an_answer_ends_with_its_release(clinic: Clinic) -> None:
    case, now = case_of(clinic), datetime.now(UTC)
    request = request_body(case, 150)["request"]
    assert find_answer(clinic.workspace, case, request, now) is not None
    assert find_answer(clinic.workspace, case, request, now + timedelta(days=9)) is None


def reworded(clinic: Clinic, name: str, *changes: tuple[str, str], tail: str = "# reviewed\n") -> None:
    text = (clinic.folder / name).read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    clinic.write(name, text + tail)


@pytest.mark.usefixtures("unreadable")
def test_an_edit_that_changes_nothing_is_answered_from_the_record_of_the_text_it_was_decided_under(
    clinic: Clinic,
) -> None:
    """Comments, layout, order of limits and sources: the comparison of policies says that they hold to the same."""
    before, bundle = state(clinic), contents(clinic.folder / "bundle")
    first = case_of(clinic)
    reworded(
        clinic, "lenient.toml", ("max = 0.5 }", 'max = 0.50, source = "a norm" }'), ("minimum_people = 100\n", ""),
        ("version = 1\n", 'version = 1\nnot_held = ["a pledge"]\n'),
    )  # fmt: skip
    reworded(clinic, "table.toml", ('name = "clinic"', "# whose\n  name   =   'clinic'"))
    result = clinic.release("--json", out="again")
    assert result.exit_code == 0, result.stderr
    assert outcome(result)["answeredFromRecord"] is not None
    assert contents(clinic.folder / "again") == bundle
    assert state(clinic) == before
    now = case_of(clinic)
    assert now.policy_digest != first.policy_digest
    assert now.dictionary_digest != first.dictionary_digest
    answers = [
        find_answer(clinic.workspace, case, request_body(case, 150)["request"], datetime.now(UTC))
        for case in (first, now)
    ]
    assert answers[0] is not None
    assert answers[1] == dataclasses.replace(answers[0], reworded=True)
    assert answers[0].record.policy.sha256 == first.policy_digest  # the bytes it was decided under, kept as evidence
    kept = (answers[0].folder / "policy.toml").read_bytes()
    assert hashlib.sha256(kept).hexdigest() == first.policy_digest
    assert kept == first.policy_bytes
    assert clinic.run("verify", clinic.folder / "again", "--key", clinic.public_key).exit_code == 0


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("lenient.toml", "nnaa_privacy_loss = { max = 0.9 }", "nnaa_privacy_loss = { max = 0.89 }"),
        ("lenient.toml", "nnaa_privacy_loss = { max = 0.9 }", "nnaa_privacy_loss = { max = 0.9, fewest = 5 }"),
        ("lenient.toml", "valid_days = 9", "valid_days = 10"),
        ("lenient.toml", 'context = "internal"', 'context = "public"'),
        ("lenient.toml", "minimum_people = 100", "minimum_people = 100\nattempts = { max = 4 }"),
        ("lenient.toml", 'id = "lenient"', 'id = "other"'),
        ("lenient.toml", "Tests of the journey", "Other tests"),  # a bundle says for which purpose it was released
        ("table.toml", "maximum = 110", "maximum = 111"),
        ("table.toml", 'target = "outcome"', 'target = "outcome"\ndescription = "Visits"'),  # and what it is
        ("table.toml", 'missing = ["", "?"]', 'missing = ["?", ""]'),
    ],
)
def test_an_edit_that_changes_something_is_another_request(clinic: Clinic, name: str, before: str, after: str) -> None:
    first = request_body(case_of(clinic), 150)
    reworded(clinic, name, (before, after), tail="")
    second = request_body(case_of(clinic), 150)
    assert first["request"] != second["request"]
    changed = "policyDigest" if name == "lenient.toml" else "dictionaryDigest"
    assert {key for key in first if first[key] != second[key]} == {"request", changed}


def test_the_order_of_columns_is_part_of_what_is_asked(clinic: Clinic) -> None:
    first = request_body(case_of(clinic), 150)["request"]
    head, *columns = (clinic.folder / "table.toml").read_text().split("[columns.")
    clinic.write("table.toml", "[columns.".join([head, *reversed(columns)]))
    assert request_body(case_of(clinic), 150)["request"] != first


@pytest.mark.parametrize("word", ["refuse", "revoke"])
def test_a_void_act_changes_no_answer(clinic: Clinic, word: Action) -> None:
    """An officer's word ends the answer; once her key turns out to have been stolen before, the answer is back."""
    workspace, case, now = clinic.workspace, case_of(clinic), datetime.now(UTC)
    officer, request = keys.generate_key(), request_body(case, 150)["request"]
    ring = workspace.keyring.with_key("officer", "Olga Officer", officer.public_key(), days=10, now=now)
    ring.save(workspace.folder / "keys")
    said = act(workspace, PASSPHRASE.encode(), clinic.folder / "bundle", word, officer, reason="by the thief")
    now = datetime.now(UTC)
    if word == "refuse":
        with pytest.raises(GatewayError, match="a person has refused it"):
            find_answer(workspace, case, request, now)
    else:
        assert find_answer(workspace, case, request, now) is None
    entry = workspace.keyring.find(officer.public_key())
    assert entry is not None
    trusting.revoke(workspace, entry, Revocation(now.replace(microsecond=0), "laptop stolen", True, said.log_index))
    assert find_answer(workspace, case, request, now) is not None


def test_an_act_that_is_not_in_the_log_changes_no_answer(clinic: Clinic) -> None:
    """A crash came between signing and logging, and nobody was told."""
    workspace, case, now = clinic.workspace, case_of(clinic), datetime.now(UTC).replace(microsecond=0)
    officer = keys.generate_key()
    workspace.keyring.with_key("officer", "Olga Officer", officer.public_key(), days=10, now=now).save(
        workspace.folder / "keys"
    )
    digest = hashlib.sha256((clinic.folder / "bundle" / "record.dsse.json").read_bytes()).hexdigest()
    refusal = ReleaseAction("refuse", digest, "Olga Officer", "officer", "no", now).sign(officer)
    (workspace.folder / "actions").mkdir(mode=0o700)
    (workspace.folder / "actions" / "00000002-crashed.dsse.json").write_bytes(refusal)
    assert find_answer(workspace, case, request_body(case, 150)["request"], now) is not None


def officer_of(clinic: Clinic) -> EnvelopeSigner:
    """The key of an officer whom the workspace lists from now on."""
    officer = keys.generate_key()
    ring = clinic.workspace.keyring
    ring.with_key("officer", "Olga Officer", officer.public_key(), days=10, now=datetime.now(UTC)).save(
        clinic.folder / "ws" / "keys"
    )
    return officer


def say(clinic: Clinic, word: Action, officer: EnvelopeSigner, reason: str = "looked at it") -> None:
    act(clinic.workspace, PASSPHRASE.encode(), clinic.folder / "bundle", word, officer, reason=reason)


def crash(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_revocation_that_a_crash_cut_short_is_heard(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    officer, case = officer_of(clinic), case_of(clinic)
    request, later = request_body(case, 150)["request"], datetime.now(UTC) + timedelta(minutes=1)
    with monkeypatch.context() as patch:
        patch.setattr("audit.record.log._finish", crash)  # the entry is pending: it stands
        with pytest.raises(KeyboardInterrupt):
            say(clinic, "revoke", officer)
    with pytest.raises(LogError, match="was cut short before the log had all of it; run its command again"):
        find_answer(clinic.workspace, case, request, later)
    result = clinic.release(out="again")
    assert (result.exit_code, (clinic.folder / "again").exists()) == (2, False)
    refused = request_body(case_of(clinic, **strict(clinic)), 150)["request"]
    assert find_answer(clinic.workspace, case_of(clinic, **strict(clinic)), refused, later) is not None
    say(clinic, "revoke", officer, "once more")
    assert find_answer(clinic.workspace, case, request, later) is None


def strict(clinic: Clinic) -> dict[str, Any]:
    """The policy of the release that was denied."""
    policy_bytes, policy = read_policy(str(clinic.folder / "strict.toml"))
    return {"policy": policy, "policy_bytes": policy_bytes}


@pytest.mark.parametrize("loss", ["deleted", "among the records", "pending and deleted"])
def test_a_revocation_that_was_taken_away_hands_nothing_out(
    clinic: Clinic, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, case = officer_of(clinic), case_of(clinic)
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        if loss.startswith("pending"):
            patch.setattr("audit.record.log._finish", crash)
        say(clinic, "revoke", officer)
    (path,) = (clinic.folder / "ws" / "actions").iterdir()
    if loss == "among the records":
        path.rename(clinic.workspace.records / path.name)
    else:
        path.unlink()
    with pytest.raises(RecordError, match="the envelopes of 1 log entries are gone: an act may have been"):
        find_answer(clinic.workspace, case, request_body(case, 150)["request"], datetime.now(UTC))
    assert clinic.release(out="again").exit_code == 2
    assert not (clinic.folder / "again").exists()


def test_neither_new_keys_nor_another_release_s_lost_record_lock_the_answers(clinic: Clinic) -> None:
    officer, case = officer_of(clinic), case_of(clinic)
    say(clinic, "approve", officer)
    rotate(clinic.workspace, "gate", PASSPHRASE.encode())
    rotate(clinic.workspace, "log", PASSPHRASE.encode())
    request, later = request_body(case, 150)["request"], datetime.now(UTC) + timedelta(seconds=2)
    assert find_answer(clinic.workspace, case, request, later) is not None
    next(clinic.workspace.records.glob("00000001-*")).unlink()  # the ledger's decision says that it was a record
    assert find_answer(clinic.workspace, case, request, later) is not None


@pytest.mark.parametrize(
    ("words", "handed_out"),
    [
        (("refuse", "override"), True),
        (("refuse", "override", "refuse"), False),
        (("override", "refuse"), False),
        (("refuse", "approve"), True),
        (("approve", "refuse"), False),
    ],
)
def test_what_was_said_is_heard_in_its_order(clinic: Clinic, words: tuple[Action, ...], handed_out: bool) -> None:
    officer, case = officer_of(clinic), case_of(clinic)
    for number, word in enumerate(words):
        say(clinic, word, officer, f"reason {number}")
    acts = sorted((clinic.folder / "ws" / "actions").iterdir())
    for number, path in enumerate(acts):  # the order is the log's, whatever the files are called
        path.rename(path.with_name(f"{len(acts) - number}.dsse.json"))
    with contextlib.nullcontext() if handed_out else pytest.raises(GatewayError, match="a person has refused it"):
        assert find_answer(clinic.workspace, case, request_body(case, 150)["request"], datetime.now(UTC)) is not None


def test_who_asks_makes_a_difference_only_where_approvals_are_demanded(clinic: Clinic) -> None:
    def digest(requester: str, approvals: int) -> str:
        terms = Oversight(requester, "Oda", approvals, ("approver",) if approvals else ())
        return str(request_body(case_of(clinic, oversight=terms), 150)["request"])

    assert digest("Rosa", 0) == digest("Ben", 0)
    assert digest("Rosa", 1) != digest("Ben", 1)
