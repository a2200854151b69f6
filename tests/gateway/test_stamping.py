"""A timestamp as part of a release: had before the bundle appears, and never at the release's cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit.record import timestamp
from audit.record.keys import load_verifying_key
from audit.record.verify import verify_bundle
from gateway.stamping import Timestamps
from tests.authority import Authority, serving
from tests.gateway.conftest import Clinic

pytestmark = pytest.mark.needs("openssl")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "one", "Example")


def stamped(url: str, authority: Authority) -> tuple[object, ...]:
    return "--timestamp-url", url, "--timestamp-authority", authority.certificate


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "status"), [("lenient.toml", 0), ("strict.toml", 3)])
def test_a_release_and_a_refusal_bear_a_timestamp_that_was_there_before_the_bundle(
    clinic: Clinic, authority: Authority, policy: str, status: int
) -> None:
    bundle, seen = clinic.folder / "bundle", []

    def reply(query: bytes) -> bytes:
        seen.append((bundle.exists(), len(list((clinic.folder / "ws" / "records").iterdir()))))
        assert clinic.run("log", "verify").exit_code == 0  # nobody waits for the log meanwhile
        return authority.reply(query)

    with serving(reply) as url:
        result = clinic.release(*stamped(url, authority), "--json", policy=policy)
    assert result.exit_code == status, result.stderr
    assert seen == [(False, 1)]
    told = json.loads(result.stdout)
    key = load_verifying_key(clinic.public_key)
    verified = verify_bundle(bundle, key, authorities=authority.authorities)
    assert verified.timestamp is not None
    assert told["timestampedAt"] == f"{verified.timestamp:%Y-%m-%dT%H:%M:%SZ}"
    assert told["noTimestamp"] is None
    assert clinic.release(out="again", policy=policy).exit_code == status  # the same answer, from the record
    assert (clinic.folder / "again" / "record.tsr").read_bytes() == (bundle / "record.tsr").read_bytes()


@pytest.mark.slow
def test_an_authority_that_cannot_be_asked_costs_the_timestamp_and_not_the_release(
    clinic: Clinic, authority: Authority
) -> None:
    with serving(authority.reply) as url:
        pass  # it is gone
    result = clinic.release(*stamped(url, authority), "--json")
    assert result.exit_code == 0, result.stderr
    assert "NO TIMESTAMP: the timestamp authority cannot be reached" in result.stderr
    assert "to add one: gateway timestamp" in result.stderr
    told = json.loads(result.stdout)
    assert told["timestampedAt"] is None
    assert "cannot be reached" in told["noTimestamp"]
    bundle, key = clinic.folder / "bundle", load_verifying_key(clinic.public_key)
    assert not (bundle / "record.tsr").exists()
    assert verify_bundle(bundle, key).record.allowed
    with serving(authority.reply) as url:
        later = clinic.run("timestamp", bundle, "--url", url, "--authority", authority.certificate)
    assert later.exit_code == 0, later.stderr
    assert verify_bundle(bundle, key, authorities=authority.authorities).timestamp is not None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--timestamp-url", "http://timestamp.example"], "together"),
        (["--timestamp-authority", "quick.toml"], "together"),
        (["--timestamp-url", "ftp://timestamp.example", "--timestamp-authority", "quick.toml"], "begins with http"),
        (["--timestamp-url", "http://[", "--timestamp-authority", "quick.toml"], "begins with http"),
        (["--timestamp-url", "http://timestamp.example", "--timestamp-authority", "quick.toml"], "not a PEM"),
    ],
)
def test_what_cannot_work_is_refused_before_the_table_is_read(clinic: Clinic, given: list[str], problem: str) -> None:
    result = clinic.release(*(clinic.folder / each if each == "quick.toml" else each for each in given))
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not list((clinic.folder / "ws" / "records").iterdir())


def test_an_answer_that_cannot_be_used_is_a_reason_and_no_error(authority: Authority, tmp_path: Path) -> None:
    with serving(lambda _: b"<html>") as url:
        asked = Timestamps.by(url, authority.certificate).ask(b"{}")
    assert (asked.token, asked.at, asked.files()) == (None, None, {})
    assert "cannot be used" in asked.problem
    assert "cannot be reached" in Timestamps.by("http://a b", authority.certificate).ask(b"{}").problem


def test_a_bundle_keeps_the_timestamp_that_it_has(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "record.dsse.json").write_bytes(b"{}")
    with serving(authority.reply) as url:
        service = Timestamps.by(url, authority.certificate)
        first = service.add_to(tmp_path)
        assert first.token == timestamp.read(tmp_path)
        assert service.add_to(tmp_path) == first
        other = Authority(tmp_path / "other", "Other")
        again = Timestamps.by(url, other.certificate).add_to(tmp_path)
    assert (again.token, again.at) == (first.token, None)
    assert "the bundle has one" in again.problem


def test_an_authority_whose_clock_is_another_is_not_believed(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timestamp, "CLOCK_TOLERANCE", timestamp.CLOCK_TOLERANCE * 0 - timestamp.CLOCK_TOLERANCE)
    with serving(authority.reply) as url:
        asked = Timestamps.by(url, authority.certificate).ask(b"{}")
    assert asked.token is None
    assert "are 0 minutes apart" in asked.problem
