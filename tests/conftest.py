"""System packages that tests with real parts need: skipped for want of them on a user's machine, never in CI."""

from __future__ import annotations

import os
import shutil

import pytest

SYSTEM_PACKAGES = {"chromium": "chromium"}  # executable -> Debian package


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(executable): skipped where that system package is not installed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        executable = marker.args[0]
        if shutil.which(executable) is None:
            pytest.skip(f"needs {executable}: apt-get install {SYSTEM_PACKAGES[executable]}")


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
