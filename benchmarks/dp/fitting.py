"""Which options does every script that fits one table take? Those of the peers' own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])

_READ = click.Path(exists=True, dir_okay=False, path_type=Path)
_WRITTEN = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option("--train", type=_READ, required=True),
    click.option("--schema", type=_READ, required=True),
    click.option("--epsilon", type=float, required=True),
    click.option("--delta", type=float, default=1e-5),
    click.option("--rows", type=int, required=True),
    click.option("--seed", type=int, required=True),
    click.option("--out", type=_WRITTEN, required=True),
    click.option("--report", type=_WRITTEN, required=True),
)


def fit_options(command: Command) -> Command:
    """One table, its budget, how many rows to draw, and where to write them and what the fit took."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
