"""``gateway replay``: compute the audit of a release again, and show value by value that it is the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.shared import (
    LOCATION,
    failing_cleanly,
    json_option,
    passphrase_option,
    print_json,
    quiet_option,
    workspace_option,
)
from gateway.exits import Exit
from gateway.passphrase import read_passphrase
from gateway.progress import Progress
from gateway.replay import Compared, Replay, replay_record
from gateway.workspace import Workspace

NOT_REMADE = (
    "the recipient's page, the metadata files and VERIFY.md; gateway verify holds them to the digests in the record"
)


@click.command()
@click.argument("record", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=LOCATION, help="The table the release was made of, byte for byte.")
@click.option(
    "--bundle",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with the released data: audit these bytes instead of making the candidate again.",
)
@workspace_option
@passphrase_option
@quiet_option
@json_option
@failing_cleanly
def replay(
    record: Path,
    data: str,
    bundle: Path | None,
    workspace_folder: Path,
    passphrase_file: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Compute the audit behind RECORD (a bundle, or a record's file) again, and compare every value with the evidence.

    The workspace holds policy, dictionary, seed and evidence; the table must be the same file, which a key under the
    workspace's passphrase tells. The candidate is made
    again and must come out byte for byte. The noise of a differentially private release cannot be drawn again, so there
    the released bytes are audited. What was not replayed is named with the reason.

    It uses up no attempt and no budget; the ledger remembers it. What it prints is exact and stays with the custodian.

    Exit status 0: every measurement was computed again and is the same. 1: something differs. 2: nothing can be
    replayed, for the table, the evidence or the released bytes are missing or are others.

    \b
    Example:
        gateway replay bundle --data table.csv --workspace ws
        gateway replay ws/records/00000000-0123456789ab.dsse.json --data table.csv --bundle bundle --workspace ws
    """
    workspace, passphrase = Workspace.open(workspace_folder), read_passphrase(passphrase_file)
    with Progress(quiet=quiet) as progress:
        found = replay_record(record, data, bundle, workspace, passphrase, progress)
    if as_json:
        print_json(found.to_dict())
    else:
        _echo(found)
    sys.exit(Exit.ALLOWED if found.same else Exit.UNEXPECTED)


def _echo(found: Replay) -> None:
    width = max(len(each.name) for each in (*found.others, *found.measurements))
    for each in (*found.others, *found.measurements):
        mark = click.style("same", fg="green") if each.same else click.style("DIFF", fg="red")
        click.echo(f"{mark} {each.name:{width}}  {_line(each)}", err=True)
    for gap in found.gaps:
        click.echo(f"not replayed: {gap.what}: {gap.why}", err=True)
    for change in found.surroundings:
        click.echo(f"Note: {change}", err=True)
    click.echo(f"not remade: {NOT_REMADE}", err=True)
    compared = len(found.others) + len(found.measurements)
    if found.same:
        click.echo(f"SAME: all {compared} values are as recorded, {len(found.measurements)} measurements among them")
    else:
        click.echo(f"DIFFERENT: {len(found.different)} of {compared} values are not as recorded")


def _line(each: Compared) -> str:
    if each.same:
        return _shown(each.recorded)
    if isinstance(each.recorded, dict) and isinstance(each.replayed, dict) and "status" not in each.recorded:
        names = {*each.recorded, *each.replayed}
        return f"in {', '.join(sorted(n for n in names if each.recorded.get(n) != each.replayed.get(n)))}"
    return f"recorded {_shown(each.recorded)}, now {_shown(each.replayed)}"


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "status" in value:
        if value["status"] != "measured":
            return str(value["status"])
        if value["lower"] == value["upper"]:
            return f"{value['value']!r}"
        return f"{value['value']!r} [{value['lower']!r}, {value['upper']!r}]"
    if isinstance(value, str):
        return value[:16]
    if isinstance(value, int):
        return str(value)
    return "nothing" if value is None else ""
