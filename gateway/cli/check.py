"""``gateway check``: gate any file, made by any tool, without synthesis."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

from gateway.check import check_file
from gateway.cli.shared import (
    FILE,
    dictionary_option,
    failing_cleanly,
    json_option,
    policy_option,
    print_json,
    quiet_option,
)
from gateway.cli.verdict import echo_decision
from gateway.exits import Exit
from gateway.progress import Progress


@click.command()
@click.argument("synthetic", type=click.Path(path_type=Path))
@click.option("--real", required=True, type=click.Path(path_type=Path), help="The real rows the tool has learned from.")
@click.option(
    "--holdout",
    type=click.Path(path_type=Path),
    help="Real rows of other people that the tool has never seen. Without it nothing that compares the two can be "
    "measured, and a policy that limits such a measure denies.",
)
@dictionary_option
@policy_option
@click.option("--report", type=FILE, help="Also write the report page here.")
@quiet_option
@json_option
@failing_cleanly
def check(
    synthetic: Path,
    real: Path,
    holdout: Path | None,
    dictionary_file: Path,
    policy_name: str,
    report: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Hold SYNTHETIC (CSV or Parquet, made by any tool) against a policy. Writes no record and uses no attempt.

    What it prints is exact and stays with the custodian: repeated to a requester it is an oracle.

    \b
    Example:
        gateway check synthetic.csv --real train.csv --holdout holdout.csv --dictionary table.toml --policy small-cohort
    """
    seed = np.random.SeedSequence()
    with Progress(quiet=quiet) as progress:
        decision = check_file(
            synthetic, real, holdout, dictionary_file, policy_name, report, seed=seed, progress=progress
        )
    if as_json:
        print_json(decision.to_dict())
    else:
        echo_decision(decision)
        click.echo(
            "ALLOWED" if decision.allowed else f"DENIED: {len(decision.unmet)} of {len(decision.findings)} limits"
        )
    sys.exit(Exit.ALLOWED if decision.allowed else Exit.DENIED)
