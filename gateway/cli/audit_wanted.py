"""Which records does a command of ``gateway audit`` mean, and how does it end where something does not hold?"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from gateway.exits import Exit

if TYPE_CHECKING:  # needs more than the small install: imported where a workspace is read (I-2)
    from gateway.trail import Kept


def wanted_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose records, handed over as one ``wanted``."""

    @functools.wraps(command)
    def run(
        *,
        dataset: str | None,
        requester: str | None,
        policy: str | None,
        decision: Literal["allowed", "denied"] | None,
        since: datetime | None,
        until: datetime | None,
        min_epsilon: float | None,
        **given: Any,
    ) -> Any:
        from gateway.trail import Wanted

        last = None if until is None else until.replace(tzinfo=UTC) + timedelta(days=1)  # a day is meant to its end
        first = None if since is None else since.replace(tzinfo=UTC)
        if first is not None and last is not None and first >= last:
            raise click.UsageError("--until lies before --since")
        return command(wanted=Wanted(dataset, requester, policy, decision, first, last, min_epsilon), **given)

    day = click.DateTime(["%Y-%m-%d"])
    for option in reversed(
        (
            click.option("--dataset", help="Only the dataset of this name (its dictionary's name)."),
            click.option("--requester", help="Only what this person asked for."),
            click.option("--policy", help="Only under the policy with this id."),
            click.option("--decision", type=click.Choice(["allowed", "denied"]), help="Only these decisions."),
            click.option("--since", type=day, help="Decided on this day (UTC) or later."),
            click.option("--until", type=day, help="Decided on this day (UTC) or earlier."),
            click.option(
                "--min-epsilon", type=click.FloatRange(min=0), help="Only records that claim an epsilon so large."
            ),
        )
    ):
        run = option(run)
    return run


def read(workspace_folder: Path) -> Kept:
    """The trail of a workspace, everything in it verified."""
    from gateway.trail import read_workspace
    from gateway.workspace import Workspace

    return read_workspace(Workspace.open(workspace_folder))


def finish(kept: Kept) -> None:
    """Say what does not hold, and end with status 1 if anything does not."""
    broken = sum(bool(each.problem) for each in kept.trail.entries)
    for problem in kept.trail.problems:
        click.secho(f"PROBLEM: {problem}", fg="red", err=True)
    if broken:
        click.secho(f"PROBLEM: {broken} of {len(kept.trail.entries)} records do not hold", fg="red", err=True)
    if not kept.trail.sound:
        sys.exit(Exit.UNEXPECTED)


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """JSON text; read-only mappings are objects."""
    return json.dumps(value, indent=indent, allow_nan=False, default=dict)
