"""``gateway release``: the main job."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

from gateway.cli.shared import (
    data_argument,
    dictionary_option,
    failing_cleanly,
    json_option,
    passphrase_option,
    policy_option,
    print_json,
    quiet_option,
    synthesizer_option,
    workspace_option,
)
from gateway.cli.verdict import echo_decision
from gateway.exits import Exit
from gateway.passphrase import read_passphrase
from gateway.progress import Progress
from gateway.release import Request, release_table
from gateway.settings import SynthesizerSettings, load_settings
from gateway.workspace import Workspace


@click.command()
@data_argument
@dictionary_option
@policy_option
@click.option("--rows", required=True, type=click.IntRange(min=1), help="How many synthetic rows to release.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the bundle; must not exist.")
@click.option("--requester", help="Who asks for the release; needed where the policy demands approvals.")
@click.option(
    "--operator",
    envvar="SLUICE_OPERATOR",
    show_envvar=True,
    help="Who runs this command; needed where the policy demands approvals. Neither of the two can approve.",
)
@synthesizer_option
@workspace_option
@passphrase_option
@quiet_option
@json_option
@failing_cleanly
def release(
    data: Path,
    dictionary_file: Path,
    policy_name: str,
    rows: int,
    out: Path,
    requester: str | None,
    operator: str | None,
    settings_file: Path | None,
    workspace_folder: Path,
    passphrase_file: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Synthesize DATA, audit the result against its policy, and write a signed release or a signed refusal.

    A refusal writes a bundle too, with the signed record and no data. Exit status 0: released. 3: refused.

    Where the policy demands differential privacy, the dataset's budget is charged before the table is read, and the
    charge stands however the request ends: run gateway dictionary check with --data first.

    \b
    Example:
        gateway release table.csv --dictionary table.toml --policy small-cohort --rows 500 --out bundle --workspace ws
    """
    settings = load_settings(settings_file) if settings_file is not None else SynthesizerSettings()
    request = Request(data, dictionary_file, policy_name, rows, out, settings, requester, operator)
    workspace = Workspace.open(workspace_folder)
    passphrase = read_passphrase(passphrase_file)
    with Progress(quiet=quiet) as progress:
        outcome = release_table(request, workspace, passphrase, np.random.SeedSequence(), progress)
    if as_json:
        print_json(outcome.to_dict())
    else:
        echo_decision(outcome.decision)
        click.echo(f"{'RELEASED' if outcome.decision.allowed else 'REFUSED'}: {outcome.reason}")
        if outcome.approvals_needed:
            needed = f"{outcome.approvals_needed} approval{'' if outcome.approvals_needed == 1 else 's'}"
            click.echo(f"Needs   {needed} before it verifies: gateway approve")
        click.echo(f"Bundle  {outcome.bundle}")
        click.echo(f"Report  {outcome.report} (stays with the custodian)")
        click.echo(
            f"Record  {outcome.log_index} in the log, attempt {outcome.attempt.number} of {outcome.attempt.maximum}, "
            f"{outcome.seconds:.1f} s, {outcome.peak_mebibytes:.0f} MiB",
            err=True,
        )
    sys.exit(Exit.ALLOWED if outcome.decision.allowed else Exit.DENIED)
