"""``gateway audit export`` and ``report``: the trail as a table, a signed archive, or a page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit.record import files
from audit.record.keys import EnvelopeSigner
from gateway.cli.audit_wanted import finish, read, to_json, wanted_options
from gateway.cli.shared import FILE, failing_cleanly, passphrase_option, workspace_option
from gateway.errors import OutputError
from gateway.passphrase import read_passphrase, read_pin

if TYPE_CHECKING:  # needs more than the small install: imported where a workspace is read (I-2)
    from gateway.trail import Wanted

_MODE = 0o600


@click.command()
@click.option("--format", "kind", required=True, type=click.Choice(["csv", "json", "archive"]), help="What to write.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
              help="File to write; an existing one is kept. - for stdout (not for an archive).")  # fmt: skip
@click.option("--key", "key_file", type=FILE, help="An officer's private key to sign an archive; else the log's own.")
@click.option("--key-passphrase-file", type=FILE, envvar="SLUICE_KEY_PASSPHRASE_FILE", show_envvar=True,
              help="File whose first line is the passphrase of that key; asked for when not given.")  # fmt: skip
@wanted_options
@workspace_option
@passphrase_option
@failing_cleanly
def export(
    wanted: Wanted, kind: str, out: Path, key_file: Path | None, key_passphrase_file: Path | None,
    workspace_folder: Path, passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Export records: a line each (csv), all fields (json), or one signed file for somebody outside (archive).

    An archive holds records, acts, proofs, the log as hashes, public keys and an index of digests, signed by the log
    or an officer; gateway audit verify checks it without a workspace and without a network.

    \b
    Example:
        gateway audit export --format csv --out records.csv --workspace ws
        gateway audit export --format archive --since 2026-01-01 --out trail.tar --key officer.pem --workspace ws
    """
    from gateway.trail import archiving, tables, words
    from gateway.workspace import Workspace

    stdout = str(out) == "-"
    if kind == "archive" and stdout:
        raise click.UsageError("an archive needs a file: give --out")
    if not stdout and out.exists():
        raise OutputError(f"{out.name}: exists already and is not overwritten; choose another --out")
    kept, now = read(workspace_folder), datetime.now(UTC).replace(microsecond=0)
    chosen = wanted.of(kept.trail.entries)
    if kind == "archive":
        workspace = Workspace.open(workspace_folder)
        signer = (
            archiving.log_signer(workspace, read_passphrase(passphrase_file))
            if key_file is None
            else _officer(key_file, key_passphrase_file)
        )
        content = archiving.archive_of(kept, chosen, wanted, workspace, signer, now)
    elif kind == "csv":
        content = tables.to_csv(chosen, now).encode()
    else:
        shown = [words.to_dict(each, now) for each in chosen]
        document = {"chosen": wanted.to_dict(), "problems": list(kept.trail.problems), "records": shown}
        content = f"{to_json(document)}\n".encode()
    if stdout:
        click.echo(content, nl=False)
    else:
        files.create(out, content, mode=_MODE, error=OutputError)
        click.echo(f"Wrote {out}: {len(chosen)} of {len(kept.trail.entries)} records", err=True)
    finish(kept)


@click.command()
@click.option("--out", required=True, type=FILE, help="HTML file to write; an existing one is kept.")
@click.option("--pdf", is_flag=True, help="Print it too, beside --out with the ending .pdf; needs chromium.")
@click.option("--record", "which", help="In place of a period: the evidence report of this one release.")
@wanted_options
@workspace_option
@failing_cleanly
def report(wanted: Wanted, out: Path, pdf: bool, which: str | None, workspace_folder: Path) -> None:
    """Write the page about a period: releases, refusals and why, budgets over time, approvals and overrides.

    With --record, the evidence report of one release, if it is still the one its record vouches for; it holds exact
    values and stays with the custodian.

    \b
    Example:
        gateway audit report --since 2026-01-01 --until 2026-03-31 --out quarter.html --pdf --workspace ws
        gateway audit report --record 7 --out release-7.html --pdf --workspace ws
    """
    from audit.report.period import render_period_report
    from gateway.trail import find, pages
    from gateway.trail.period import period_of
    from gateway.workspace import Workspace

    printed = out.with_suffix(".pdf")
    for path in (out, *([printed] if pdf else [])):
        if path.exists() or (pdf and out == printed):
            raise OutputError(f"{path.name}: exists already and is not overwritten, or is the PDF's; choose another")
    kept, now = read(workspace_folder), datetime.now(UTC).replace(microsecond=0)
    if which is None:
        page = render_period_report(period_of(kept, wanted, now)).encode()
    else:
        page = pages.evidence_page(kept, find(kept.trail.entries, which), Workspace.open(workspace_folder))
    files.create(out, page, mode=_MODE, error=OutputError)
    click.echo(f"Wrote {out}", err=True)
    if pdf:
        files.create(printed, pages.to_pdf(page), mode=_MODE, error=OutputError)
        click.echo(f"Wrote {printed}", err=True)
    finish(kept)


def _officer(key_file: Path, passphrase_file: Path | None) -> EnvelopeSigner:
    from gateway.signing import open_key

    return open_key(key_file, lambda: read_passphrase(passphrase_file, of=key_file.name), read_pin)
