"""``gateway release``: the main job."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

from gateway.cli.shared import (
    FILE,
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
from gateway.release import Outcome, Request, release_table
from gateway.settings import SynthesizerSettings, load_settings
from gateway.stamping import Timestamps
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
@click.option(
    "--timestamp-url",
    envvar="SLUICE_TIMESTAMP_URL",
    show_envvar=True,
    help="Timestamp authority (RFC 3161 over HTTP) to show the record's digest to before the bundle appears.",
)
@click.option(
    "--timestamp-authority",
    type=FILE,
    envvar="SLUICE_TIMESTAMP_AUTHORITY",
    show_envvar=True,
    help="PEM file of the root and all certificates that lead to the authority's own; needed with --timestamp-url.",
)
@synthesizer_option
@workspace_option
@passphrase_option
@quiet_option
@json_option
@failing_cleanly
def release(
    data: str,
    dictionary_file: Path,
    policy_name: str,
    rows: int,
    out: Path,
    requester: str | None,
    operator: str | None,
    timestamp_url: str | None,
    timestamp_authority: Path | None,
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

    With --timestamp-url somebody outside says when the record existed. If they cannot be asked, the release stands
    without it, a message says so, and gateway timestamp adds it later.

    A request that was made before (same table, dictionary, policy, settings, rows) is answered from its record.

    \b
    Example:
        gateway release table.csv --dictionary table.toml --policy small-cohort --rows 500 --out bundle --workspace ws
    """
    settings = load_settings(settings_file) if settings_file is not None else SynthesizerSettings()
    if (timestamp_url is None) != (timestamp_authority is None):
        raise click.UsageError("give --timestamp-url and --timestamp-authority together")
    timestamps = Timestamps.by(timestamp_url, timestamp_authority) if timestamp_url and timestamp_authority else None
    request = Request(data, dictionary_file, policy_name, rows, out, settings, requester, operator, timestamps)
    workspace = Workspace.open(workspace_folder)
    passphrase = read_passphrase(passphrase_file)
    with Progress(quiet=quiet) as progress:
        outcome = release_table(request, workspace, passphrase, np.random.SeedSequence(), progress)
    if outcome.stamped.problem:
        click.secho(f"NO TIMESTAMP: {outcome.stamped.problem}", fg="red", err=True)
        click.echo("The record stands without it; to add one: gateway timestamp", err=True)
    if as_json:
        print_json(outcome.to_dict())
    else:
        _echo(outcome)
    sys.exit(Exit.ALLOWED if outcome.allowed else Exit.DENIED)


def _echo(outcome: Outcome) -> None:
    if outcome.decision is not None:
        echo_decision(outcome.decision)
    click.echo(f"{'RELEASED' if outcome.allowed else 'REFUSED'}: {outcome.reason}")
    answer = outcome.answer
    if answer is not None:
        click.echo(
            f"Answer  from the record of {answer.record.decided_at:%Y-%m-%d %H:%M} UTC: the same was asked then; no "
            "row was read, and neither an attempt nor budget was spent"
        )
        if answer.reworded:
            click.echo(
                f"Texts   policy sha256 {answer.record.policy.sha256[:12]} and dictionary sha256 "
                f"{answer.record.dictionary.sha256[:12]}, as they were worded then; those given now hold to the same"
            )
    if outcome.approvals_needed:
        needed = f"{outcome.approvals_needed} approval{'' if outcome.approvals_needed == 1 else 's'}"
        click.echo(f"Needs   {needed} before it verifies: gateway approve")
    if outcome.bundle is not None:
        click.echo(f"Bundle  {outcome.bundle}")
    elif answer is not None:
        written = f"; it was written to {answer.written_to} then" if answer.written_to else ""
        click.echo(f"Bundle  none: the workspace no longer holds its bytes{written}")
    if outcome.stamped.at is not None:
        click.echo(f"Seen    by the timestamp authority, {outcome.stamped.at:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"Report  {outcome.report} (stays with the custodian)")
    click.echo(
        f"Record  {outcome.log_index} in the log, attempt {outcome.attempt.number} of {outcome.attempt.maximum}, "
        f"{outcome.seconds:.1f} s, {outcome.peak_mebibytes:.0f} MiB",
        err=True,
    )
