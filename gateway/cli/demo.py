"""``gateway demo``: the main job, twice, on a real public table."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from audit.record.verify import summary
from gateway.cli.shared import failing_cleanly, json_option, print_json, quiet_option
from gateway.cli.verdict import echo_decision
from gateway.demo import POLICY, demonstrate
from gateway.exits import Exit
from gateway.progress import Progress
from gateway.release import Outcome


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("sluice-demo"),
    show_default=True,
    help="Folder to make; must not exist.",
)
@click.option("--rows", type=click.IntRange(min=20), default=569, show_default=True, help="Rows to release.")
@quiet_option
@json_option
@failing_cleanly
def demo(out: Path, rows: int, quiet: bool, as_json: bool) -> None:
    """Run the main job on the Wisconsin breast cancer table: one refusal, one release, both verified.

    Exit status 0: the copying configuration was refused, the default one released, and both records verified.

    \b
    Example:
        gateway demo --out sluice-demo
    """
    with Progress(quiet=quiet) as progress:
        shown = demonstrate(out, rows, progress)
    as_expected = not shown.refused.allowed and shown.released.allowed
    if as_json:
        print_json(
            {"refused": shown.refused.to_dict(), "released": shown.released.to_dict(), "asExpected": as_expected}
        )
    else:
        for title, outcome, verified in (
            (f"Copying configuration under policy {POLICY}", shown.refused, shown.refused_verified),
            (f"Default configuration under policy {POLICY}", shown.released, shown.released_verified),
        ):
            click.echo(f"\n{title}: {_verdict(outcome)}", err=True)
            if outcome.decision is not None:
                echo_decision(outcome.decision)
            click.echo(summary(verified), err=True, nl=False)
        click.echo("\nReports (open in a browser; they stay with the custodian):")
        for outcome in (shown.refused, shown.released):
            click.echo(f"  {_verdict(outcome):<8}  {outcome.report}")
        click.echo(f"Bundle for the recipient: {shown.released.bundle} ({_verdict(shown.released)})")
    sys.exit(Exit.ALLOWED if as_expected else Exit.UNEXPECTED)


def _verdict(outcome: Outcome) -> str:
    return "released" if outcome.allowed else "refused"
