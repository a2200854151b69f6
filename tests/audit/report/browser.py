"""A real Chromium that a test can press keys in and print from, spoken to over a pipe (Chrome DevTools Protocol).

The pages run no script of their own; questions to the document are asked from outside, past its security policy.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
]  # fmt: skip
PATIENCE = 120.0  # seconds for one answer, on a busy machine
KEYS = {"Tab": 9, "Enter": 13}


@dataclass
class Page:
    """One tab of a browser."""

    _commands: int
    _answers: int
    _session: str = ""
    _rest: bytes = b""
    _last: int = 0
    _met: set[str] = field(default_factory=set)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command of the protocol."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def open(self, url: str, width: int, height: int = 900) -> None:
        """Load a page into a window of this size."""
        if not self._session:
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self.ask("Page.enable")
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._met.clear()
        self.ask("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._met:
            self._next()
        self.ask("Page.bringToFront")

    def tell(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited where it is a promise."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        code = KEYS[key]
        text = {"text": "\r"} if key == "Enter" else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def printed(self) -> bytes:
        """The page as PDF on A4, margins as the page itself asks for, with an outline of its headings."""
        answer = self.ask(
            "Page.printToPDF", preferCSSPageSize=True, paperWidth=210 / 25.4, paperHeight=297 / 25.4,
            printBackground=False, generateTaggedPDF=True, generateDocumentOutline=True,
        )  # fmt: skip
        return base64.b64decode(answer["data"])

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], max(end - time.monotonic(), 0))
            assert ready, f"the browser did not answer within {PATIENCE:g} s"
            part = os.read(self._answers, 1 << 20)
            assert part, "the browser ended"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        self._met.add(answer.get("method", ""))
        return answer


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A Chromium with its profile in ``folder``, ended with the block."""
    its_in, commands = os.pipe()
    answers, its_out = os.pipe()
    # Chromium reads commands from descriptor 3 and answers on 4; its_out, opened last, is neither
    process = subprocess.Popen(
        ["bash", "-c", 'exec "${@:3}" 3<&"$1" 4>&"$2"', "bash", str(its_in), str(its_out), "chromium", *FLAGS,
         f"--user-data-dir={folder / 'profile'}"],
        pass_fds=(its_in, its_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(its_in)
    os.close(its_out)
    page = Page(commands, answers)
    try:
        yield page
        page._session = ""
        page.ask("Browser.close")
    finally:
        for descriptor in (commands, answers):
            os.close(descriptor)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
