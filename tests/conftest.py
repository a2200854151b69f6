"""What all tests share: keys that are cheap to write, and system packages that tests with real parts need.

A test is skipped for want of a system package on a user's machine, never in CI.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.record import pkcs8

# executable -> Debian package
SYSTEM_PACKAGES = {
    "cc": "gcc",
    "chromium": "chromium",
    "openssl": "openssl",
    "postgres": "postgresql",
    "softhsm2-util": "softhsm2",
}


@pytest.fixture(scope="session", autouse=True)
def _cheap_key_files() -> Iterator[None]:
    """Keys of a test are stolen by nobody: 4 MiB and 15 ms each, not 128 MiB and half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pkcs8, "SCRYPT_COST", 2**12)
        yield


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(executable): skipped where that system package is not installed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        executable = marker.args[0]
        if find_executable(executable) is None:
            pytest.skip(f"needs {executable}: apt-get install {SYSTEM_PACKAGES[executable]}")


def find_executable(name: str) -> Path | None:
    """A system package's program: on the path, or where Debian keeps those of PostgreSQL, newest version first."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    versions = sorted(Path("/usr/lib/postgresql").glob("*"), key=lambda folder: int(folder.name), reverse=True)
    return next((folder / "bin" / name for folder in versions if (folder / "bin" / name).exists()), None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = bool(reporter and reporter.stats.get("skipped"))
    if skipped and os.environ.get("CI") == "true" and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last lines: which system packages were missed, and how to get them."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    skipped = reporter.stats.get("skipped", [])
    reasons = sorted({str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped})
    for reason in reasons:
        count = sum(reason in str(report.longrepr[2]) for report in skipped)
        reporter.write_line(f"{count} skipped: {reason}")
    if reasons and os.environ.get("CI") == "true":
        reporter.write_line("CI=true: a skipped test is a failure")
