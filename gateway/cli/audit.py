"""``gateway audit``: what was released and refused, for the officer, the regulator and the file."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.audit_export import export, report
from gateway.cli.audit_verify import verify
from gateway.cli.audit_wanted import finish, read, to_json, wanted_options
from gateway.cli.shared import failing_cleanly, json_option, workspace_option
from gateway.exits import Exit

if TYPE_CHECKING:  # needs more than the small install: imported where a workspace is read (I-2)
    from gateway.trail import Wanted


@click.group()
def audit() -> None:
    """Show, compare, export and report what was released and refused.

    Every record is verified while it is read; one that does not hold is shown as such, whatever the filter.
    Exit status 1: something does not hold.

    \b
    Example:
        gateway audit list --since 2026-01-01 --decision denied --workspace ws
        gateway audit report --since 2026-01-01 --until 2026-03-31 --out quarter.html --pdf --workspace ws
    """


audit.add_command(export)
audit.add_command(report)
audit.add_command(verify)


@audit.command("list")
@wanted_options
@workspace_option
@json_option
@failing_cleanly
def list_(wanted: Wanted, workspace_folder: Path, as_json: bool) -> None:
    """List records in the order of the log: a table, or with --json every field of each.

    \b
    Example:
        gateway audit list --workspace ws
        gateway audit list --dataset heart-disease --min-epsilon 1 --json --workspace ws
    """
    from gateway.trail import tables, words

    kept, now = read(workspace_folder), datetime.now(UTC)
    chosen = wanted.of(kept.trail.entries)
    if as_json:
        shown = [words.to_dict(each, now) for each in chosen]
        click.echo(to_json({"sound": kept.trail.sound, "problems": list(kept.trail.problems), "records": shown}))
    elif chosen:
        click.echo("\n".join(tables.listing(chosen, now)))
    else:
        click.echo("No record is of this kind.")
    finish(kept)


@audit.command()
@click.argument("which", metavar="RECORD")
@workspace_option
@json_option
@failing_cleanly
def show(which: str, workspace_folder: Path, as_json: bool) -> None:
    """Show one RECORD in words: its place in the log, its file name, or the beginning of its SHA-256.

    \b
    Example:
        gateway audit show 7 --workspace ws
    """
    from gateway.trail import find, words

    kept, now = read(workspace_folder), datetime.now(UTC)
    entry = find(kept.trail.entries, which)
    if as_json:
        click.echo(to_json(words.to_dict(entry, now)))
    else:
        click.echo(words.in_words(entry, now), nl=False)
    for void in entry.void:
        click.secho(f"VOID: {void}", fg="red", err=True)
    sys.exit(Exit.UNEXPECTED if entry.problem or entry.void else Exit.ALLOWED)


@audit.command()
@click.argument("left")
@click.argument("right")
@workspace_option
@json_option
@failing_cleanly
def diff(left: str, right: str, workspace_folder: Path, as_json: bool) -> None:
    """Compare two records field by field; what both have in common is not shown.

    \b
    Example:
        gateway audit diff 7 9 --workspace ws
    """
    from gateway.trail import find, words

    entries = read(workspace_folder).trail.entries
    one, other = find(entries, left), find(entries, right)
    for each in (one, other):
        if each.record is None:
            click.echo(f"NOT COMPARED: {words.safe(each.name)} does not hold: {words.safe(each.problem)}", err=True)
            sys.exit(Exit.UNEXPECTED)
    found = words.differences(one, other)
    if as_json:
        click.echo(to_json([{"field": each.field, "left": each.left, "right": each.right} for each in found]))
        return
    click.echo(f"--- {one.name}\n+++ {other.name}")
    for field in found:
        click.echo(f"{field.field}\n  - {_value(field.left)}\n  + {_value(field.right)}")
    click.echo(f"{len(found)} fields differ", err=True)


def _value(value: Any) -> str:
    return "none" if value is None else to_json(value, indent=None)
