"""The page of one release as its record vouches for it, and how a page becomes a PDF."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from audit.record import files
from audit.record.trail import Entry
from gateway.errors import GatewayError
from gateway.trail.reading import Kept
from gateway.workspace import Workspace

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
_FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
_SECONDS = 180
_MAX_PAGE = 256 * 1024 * 1024


def evidence_page(kept: Kept, entry: Entry, workspace: Workspace) -> bytes:
    """The evidence report of one release, if it is the one that was made then.

    Raises
    ------
    GatewayError
        The record does not hold, the evidence is not in the workspace, or it was altered since.
    """
    if entry.record is None:
        raise GatewayError(f"{entry.name}: does not hold, so nothing vouches for its evidence: {entry.problem}")
    folders = [
        str(event["evidence"])
        for event in kept.ledger
        if event["kind"] == "decision" and event.get("recordDigest") == entry.sha256
    ]
    if len(folders) != 1:
        raise GatewayError("the ledger names no evidence of this record; restore ledger and evidence from a backup")
    folder = workspace.folder / "evidence" / Path(folders[0]).name
    content = files.read(folder / "evidence.json", maximum=_MAX_PAGE, error=GatewayError)
    page = files.read(folder / "report.html", maximum=_MAX_PAGE, error=GatewayError)
    if hashlib.sha256(content).hexdigest() != entry.record.evidence_sha256:
        raise GatewayError("evidence.json: is not what the record was signed over; restore the evidence")
    if hashlib.sha256(page).hexdigest() != json.loads(content).get("reportDigest"):
        raise GatewayError("report.html: is not the page that was made with the record; restore the evidence")
    return page


def to_pdf(page: bytes) -> bytes:
    """A page printed by the browser that is installed, offline and without scripts.

    Raises
    ------
    GatewayError
        There is no such browser, or it made no PDF.
    """
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise GatewayError(
            f"a PDF is printed by a browser, and none of {', '.join(_BROWSERS)} is installed; install chromium, or "
            "leave out --pdf and print the page from any browser"
        )
    with tempfile.TemporaryDirectory(prefix="sluice-page-") as name:
        folder = Path(name)  # mode 0700
        source, printed = folder / "page.html", folder / "page.pdf"
        source.write_bytes(page)
        # a sandbox needs another user than root; what it would contain is a page of ours without scripts
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [browser, *_FLAGS, *sandbox, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={printed}"]
        try:
            subprocess.run(  # noqa: S603  # a browser by its full path, our own flags, our own file
                [*command, source.as_uri()], capture_output=True, timeout=_SECONDS, check=False
            )
            return files.read(printed, maximum=_MAX_PAGE, error=GatewayError)
        except (OSError, subprocess.TimeoutExpired, GatewayError):
            raise GatewayError(
                f"{Path(browser).name} made no PDF; print the HTML page from a browser by hand, or run it as a user "
                "with a home folder"
            ) from None
