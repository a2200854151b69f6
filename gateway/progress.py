"""Stages on stderr: what is being done, how far, and how long it may still take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

_TELL_EVERY = 15.0  # seconds, where there is no terminal to redraw


class Progress:
    """One line per stage; on a terminal the line is redrawn with the share done and the time left.

    Names of stages are a program's own words, never data. Time left is extrapolated from the share done, and shown
    when at least a twentieth is done and two seconds have passed.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._quiet = quiet
        self._live = not quiet and self._stream.isatty()
        self._title = ""
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.done()

    def stage(self, title: str) -> Callable[[str, float], None]:
        """Begin a stage, closing the one before; returns what its work reports to.

        The returned function takes what is being done within the stage, and the share in [0, 1] of the whole stage
        that is done.
        """
        self.done()
        self._title = title
        self._began = self._told = time.monotonic()
        if not self._live:
            self._print(f"{title} ... ")

        def report(step: str, share: float) -> None:
            if self._title == title:
                self._show(step, share)

        if self._live:
            report("", 0.0)
        return report

    def done(self) -> None:
        """Close the running stage with the time it took."""
        if self._title:
            took = _span(time.monotonic() - self._began)
            self._print(f"\r\x1b[2K{self._title}  {took}\n" if self._live else f"{took}\n")
        self._title = ""

    def note(self, text: str) -> None:
        """Something the custodian should know, whether or not progress is wanted."""
        self.done()
        self._stream.write(f"Note: {text}\n")

    def heading(self, text: str) -> None:
        """A line of its own between stages."""
        self.done()
        self._print(f"\n{text}\n")

    def _show(self, step: str, share: float) -> None:
        now = time.monotonic()
        elapsed = now - self._began
        parts = [f"{share:4.0%}", step]
        if elapsed > 2 and 0.05 <= share < 1:
            parts.append(f"about {_span(elapsed * (1 - share) / share)} left")
        line = "  ".join(part for part in parts if part)
        if self._live:
            self._print(f"\r\x1b[2K{self._title}  {line}")
        elif now - self._told > _TELL_EVERY:
            self._told = now
            self._print(f"{line} ... ")

    def _print(self, text: str) -> None:
        if not self._quiet:
            self._stream.write(text)
            self._stream.flush()


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
