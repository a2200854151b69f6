"""The log's commands: what its owner sees, what a witness signs, and that no history is shown twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from audit.record import keys, merkle
from audit.record.archive import LogGrowth
from audit.record.envelope import sign
from tests.gateway.conftest import PASSPHRASE, Clinic

NAME = "regulator.example/w1"
SMALL_INSTALL = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"numpy", "pandas", "pydantic", "torch", "sklearn", "scipy", "pyarrow"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Refuse())
from gateway.cli import run
run()
"""


class Regulator:
    """A second party beside a clinic: its own key, its own memory, and files that pass between the two."""

    def __init__(self, clinic: Clinic, name: str = "regulator") -> None:
        self.clinic = clinic
        self.folder = clinic.folder / name
        self.folder.mkdir()
        key = keys.generate_key()
        keys.write_private_key(self.folder / "witness.pem", key, PASSPHRASE.encode())
        keys.write_public_key(self.folder / "witness.pub.pem", key.public_key())
        self.public_key = self.folder / "witness.pub.pem"
        self.state = self.folder / "clinic.state"
        self._count = 0

    def export(self, *options: object) -> Path:
        self._count += 1
        out = self.folder / f"shown-{self._count}.json"
        result = self.clinic.run("log", "export", "--out", out, *options)
        assert result.exit_code == 0, result.stderr
        return out

    def witness(self, shown: Path, *options: object) -> Result:
        return self.clinic.run(
            "log", "witness", shown, "--log-key", self.clinic.folder / "log.pub.pem", "--key",
            self.folder / "witness.pem", "--name", NAME, "--state", self.state, "--out",
            shown.with_suffix(".cosigned"), *options,
        )  # fmt: skip

    def cosign(self, *options: object) -> None:
        """The whole exchange, as it goes when all is well."""
        shown = self.export()
        result = self.witness(shown, *options)
        assert result.exit_code == 0, result.stderr
        result = self.clinic.run("log", "accept", shown.with_suffix(".cosigned"), "--witness", self.public_key)
        assert result.exit_code == 0, result.stderr


@pytest.fixture
def watched(clinic: Clinic) -> tuple[Clinic, Regulator]:
    shutil.copy(clinic.folder / "ws" / "keys" / "log.pub.pem", clinic.folder / "log.pub.pem")
    return clinic, Regulator(clinic)


def add(clinic: Clinic, *texts: str) -> None:
    """Enter signed documents into the log and the records, as a release does."""
    workspace = clinic.workspace
    unlocked = workspace.unlock(PASSPHRASE.encode())
    for text in texts:
        envelope = sign(text.encode(), "text/plain", unlocked.gate)
        with workspace.log(unlocked).writer() as log:
            (workspace.records / f"{log.next_index:08d}-test.dsse.json").write_bytes(envelope)
            log.append(envelope)


def refusal(result: Result, problem: str, verdict: str = "NOT COSIGNED") -> None:
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith(verdict)
    assert problem in result.stderr


def rolled_back(clinic: Clinic, to: Path) -> None:
    """Yesterday's copy of the log and of its records put back, whole."""
    for part in ("log", "records"):
        shutil.rmtree(clinic.folder / "ws" / part)
        shutil.copytree(to / part, clinic.folder / "ws" / part)


def kept(clinic: Clinic) -> Path:
    copy = clinic.folder / "yesterday"
    for part in ("log", "records"):
        shutil.copytree(clinic.folder / "ws" / part, copy / part)
    return copy


def test_a_witness_cosigns_a_log_that_grows_and_everyone_can_see_it(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one", "two")
    regulator.cosign("--begin")
    add(clinic, "three", "four", "five")
    shown = regulator.export("--from", 2)  # a few hashes are enough from now on
    assert regulator.witness(shown).exit_code == 0
    cosigned = shown.with_suffix(".cosigned")
    assert clinic.run("log", "accept", cosigned, "--witness", regulator.public_key).exit_code == 0
    report = json.loads(clinic.run("log", "show", "--json").stdout)
    assert (report["size"], len(report["entries"])) == (5, 5)
    assert [(each["name"], each["size"]) for each in report["witnesses"]] == [(NAME, 5)]
    assert all(each["record"] for each in report["entries"])
    checked = clinic.run("log", "verify", "--witness", regulator.public_key, "--json")
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["verified"] is True
    assert f"{NAME} saw 5 entries" in clinic.run("log", "show").stdout


def test_an_exported_log_is_verified_without_a_workspace(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one", "two", "three")
    regulator.cosign("--begin")
    key = clinic.folder / "log.pub.pem"
    whole, part = regulator.export(), regulator.export("--from", 1, "--to", 2)
    shutil.rmtree(clinic.folder / "ws")
    assert clinic.run("log", "verify", whole, "--log-key", key, "--witness", regulator.public_key).exit_code == 0
    refusal(clinic.run("log", "verify", part, "--log-key", key), "nobody vouches for its trees", "NOT VERIFIED")
    entries = json.loads(whole.read_text())["entries"]
    whole.write_text(whole.read_text().replace(entries[1], "0" * 64))
    refusal(clinic.run("log", "verify", whole, "--log-key", key), "not those the checkpoint", "NOT VERIFIED")
    assert clinic.run("log", "verify", whole).exit_code == 2  # a file does not vouch for itself


def test_a_growth_says_what_is_vouched_for(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one")
    seen = clinic.write("head", (clinic.folder / "ws" / "log" / "checkpoint").read_bytes())
    add(clinic, "two")
    arguments = ("log", "verify", regulator.export("--from", 1), "--log-key", clinic.folder / "log.pub.pem")
    alone = clinic.run(*arguments)
    assert (alone.exit_code, "only --seen can say" in alone.stdout) == (0, True)
    assert json.loads(clinic.run(*arguments, "--seen", seen, "--json").stdout)["vouched"] == "both trees"


def test_growth_that_nobody_signed_is_refused(watched: tuple[Clinic, Regulator]) -> None:
    clinic, _ = watched
    leaves = [merkle.leaf_hash(bytes([each]) * 32) for each in range(5)]
    made_up = LogGrowth(
        clinic.workspace.log_origin(), (2, merkle.root(leaves[:2])), (5, merkle.root(leaves)),
        merkle.consistency_proof(leaves, 2), None,
    )  # fmt: skip
    growth = clinic.write("growth.json", made_up.to_bytes())
    result = clinic.run("log", "verify", growth, "--log-key", clinic.folder / "log.pub.pem")
    refusal(result, "nobody vouches for its trees", "NOT VERIFIED")


def test_a_witness_must_have_seen_the_log_as_it_is_now(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one")
    regulator.cosign("--begin")
    add(clinic, "two")
    demanded = ("--witness", regulator.public_key)
    refusal(clinic.run("log", "verify", *demanded), "has seen 1 entries of the log, 2 are needed", "NOT VERIFIED")
    whole = regulator.export()
    result = clinic.run("log", "verify", whole, "--log-key", clinic.folder / "log.pub.pem", *demanded)
    refusal(result, "has seen 1 entries of the log, 2 are needed", "NOT VERIFIED")
    regulator.cosign()
    assert clinic.run("log", "verify", *demanded).exit_code == 0


def test_a_rollback_is_seen_by_the_witness_and_by_a_kept_checkpoint(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one")
    yesterday = kept(clinic)
    add(clinic, "two")
    regulator.cosign("--begin")
    kept_checkpoint = clinic.write("head", (clinic.folder / "ws" / "log" / "checkpoint").read_bytes())
    before = regulator.state.read_bytes()
    rolled_back(clinic, yesterday)
    shown = regulator.export()
    refusal(regulator.witness(shown), "1 entries, a checkpoint that this witness has cosigned 2: an older copy")
    refusal(regulator.witness(regulator.export("--from", 1)), "an older copy")
    assert not shown.with_suffix(".cosigned").exists()
    assert regulator.state.read_bytes() == before
    refusal(clinic.run("log", "verify", "--seen", kept_checkpoint), "an older copy was put back", "NOT VERIFIED")
    assert clinic.run("log", "verify").exit_code == 0  # from inside, a whole older copy looks whole


def test_a_fork_is_seen_by_the_witness_and_by_a_kept_checkpoint(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one")
    yesterday = kept(clinic)
    add(clinic, "two")
    regulator.cosign("--begin")
    kept_checkpoint = clinic.write("head", (clinic.folder / "ws" / "log" / "checkpoint").read_bytes())
    rolled_back(clinic, yesterday)
    add(clinic, "another two", "three")
    refusal(regulator.witness(regulator.export()), "the log was forked")
    refusal(regulator.witness(regulator.export("--from", 2)), "the log was forked")
    refusal(clinic.run("log", "verify", "--seen", kept_checkpoint), "the log was forked", "NOT VERIFIED")


def test_a_gap_is_seen_in_what_the_witness_is_shown(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one", "two")
    refusal(regulator.witness(regulator.export("--from", 1), "--begin"), "gap: the proof begins at entry 1")
    regulator.cosign("--begin")
    add(clinic, "three", "four")
    refusal(regulator.witness(regulator.export("--from", 3)), "gap: the proof begins at size 3")
    refusal(regulator.witness(regulator.export("--from", 2, "--to", 3)), "no signed checkpoint")


def test_a_gap_is_seen_in_the_records(watched: tuple[Clinic, Regulator]) -> None:
    clinic, _ = watched
    add(clinic, "one", "two", "three")
    (clinic.folder / "ws" / "records" / "00000001-test.dsse.json").unlink()
    refusal(clinic.run("log", "verify"), "gap: the records of 1 log entries are missing", "NOT VERIFIED")
    assert json.loads(clinic.run("log", "verify", "--json").stdout)["verified"] is False
    assert "MISSING" in clinic.run("log", "show").stdout


def test_a_log_rolled_back_behind_its_witnesses_is_refused_by_its_own_gate(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one")
    yesterday = kept(clinic)
    add(clinic, "two")
    regulator.cosign("--begin")
    witnessed = (clinic.folder / "ws" / "log" / "witnessed").read_bytes()
    rolled_back(clinic, yesterday)
    (clinic.folder / "ws" / "log" / "witnessed").write_bytes(witnessed)
    refusal(clinic.run("log", "verify"), f"witness {NAME} has cosigned 2", "NOT VERIFIED")


def test_a_witness_without_its_memory_must_say_that_it_begins(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one")
    refusal(regulator.witness(regulator.export()), "no such state file")
    regulator.cosign("--begin")
    refusal(regulator.witness(regulator.export(), "--begin"), "leave out --begin")
    other = clinic.folder / "other.pub.pem"
    keys.write_public_key(other, keys.generate_key().public_key())
    shutil.copy(other, clinic.folder / "log.pub.pem")
    refusal(regulator.witness(regulator.export()), "another log key")


def test_only_what_the_named_witness_has_cosigned_is_accepted(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one")
    stranger = Regulator(clinic, "stranger")
    shown = stranger.export()
    assert stranger.witness(shown, "--begin").exit_code == 0
    cosigned = shown.with_suffix(".cosigned")
    result = clinic.run("log", "accept", cosigned, "--witness", regulator.public_key)
    assert result.exit_code == 2
    assert "another key" in result.stderr
    assert not (clinic.folder / "ws" / "log" / "witnessed").exists()
    assert clinic.run("log", "verify", "--witness", regulator.public_key).exit_code == 1


def test_witness_and_kept_checkpoint_outlive_a_rotation_of_the_logs_key(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    add(clinic, "one")
    regulator.cosign("--begin")
    kept_checkpoint = clinic.write("head", (clinic.folder / "ws" / "log" / "checkpoint").read_bytes())
    former = clinic.folder / "former.pub.pem"
    shutil.copy(clinic.folder / "log.pub.pem", former)
    assert clinic.run("keys", "rotate", "log").exit_code == 0
    shutil.copy(clinic.folder / "ws" / "keys" / "log.pub.pem", clinic.folder / "log.pub.pem")
    add(clinic, "two")
    refusal(regulator.witness(regulator.export()), "give the former key too")
    regulator.cosign("--former-log-key", former)
    add(clinic, "three")
    regulator.cosign()  # the state is under the new key from now on
    checked = clinic.run("log", "verify", "--seen", kept_checkpoint, "--witness", regulator.public_key)
    assert checked.exit_code == 0, checked.stderr


def test_a_witness_needs_no_more_than_the_small_install(watched: tuple[Clinic, Regulator]) -> None:
    """(I-2): click and cryptography, in a process in which nothing heavier can be imported."""
    clinic, regulator = watched
    add(clinic, "one")
    shown, log_key = regulator.export(), clinic.folder / "log.pub.pem"
    key, passphrase = regulator.folder / "own.pem", clinic.folder / "passphrase.txt"
    for arguments in (
        ["keys", "create", key, "--key-passphrase-file", passphrase],
        ["log", "witness", shown, "--log-key", log_key, "--key", key, "--name", NAME, "--state", regulator.state,
         "--out", regulator.folder / "out", "--begin", "--passphrase-file", passphrase],
        ["log", "verify", shown, "--log-key", log_key],
    ):  # fmt: skip
        command = [sys.executable, "-c", SMALL_INSTALL, *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_cosignatures_travel_in_bundles_and_a_verifier_can_demand_them(watched: tuple[Clinic, Regulator]) -> None:
    clinic, regulator = watched
    demanded = ("--key", clinic.public_key, "--witness", regulator.public_key)
    first, second = clinic.folder / "first", clinic.folder / "second"
    assert clinic.release(out="first").exit_code == 0
    refusal(clinic.run("verify", first, *demanded), "has not cosigned", "NOT VERIFIED")
    regulator.cosign("--begin")
    assert clinic.run("log", "prove", first, "--in-place").exit_code == 0
    verified = clinic.run("verify", first, *demanded)
    assert verified.exit_code == 0, verified.stderr
    assert f"{NAME} saw 1 entries" in verified.stdout
    assert clinic.release(out="second", rows=151).exit_code == 0
    proof = json.loads((second / "log-proof.json").read_text())
    assert proof["witnessed"][0]["checkpoint"].splitlines()[1] == "1"  # seen before this record was made
    refusal(clinic.run("verify", second, *demanded), "has seen 1 entries of the log, 2 are needed", "NOT VERIFIED")
    assert clinic.run("verify", second, "--key", clinic.public_key).exit_code == 0
    regulator.cosign()
    fresh = clinic.run("log", "prove", second)
    (second / "log-proof.json").write_text(fresh.stdout.rstrip("\n"))
    report = json.loads(clinic.run("verify", second, *demanded, "--json").stdout)
    assert report["witnessedBy"] == [keys.key_id(keys.load_public_key(regulator.public_key))]
