"""``gateway init``: make a workspace."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.shared import failing_cleanly, json_option, passphrase_option, print_json, workspace_option
from gateway.passphrase import new_passphrase
from gateway.workspace import Workspace


@click.command()
@workspace_option
@passphrase_option
@click.option(
    "--ledger",
    "ledger_url",
    metavar="URL",
    help="Keep the ledger in PostgreSQL: postgresql://user@host:port/database. The password comes from PGPASSWORD or "
    "~/.pgpass; one in the URL is used once and stored nowhere.",
)
@json_option
@failing_cleanly
def init(workspace_folder: Path, passphrase_file: Path | None, ledger_url: str | None, as_json: bool) -> None:
    """Make a workspace: keys, ledger, log, folders with strict permissions.

    Hand keys/gate.pub.pem to everyone who will verify your records. Workspaces that name one PostgreSQL database
    share one ledger: a dataset's budget is then one for all of them.

    \b
    Example:
        gateway init --workspace ws
        gateway init --workspace ws --ledger postgresql://gate@db.example/ledger
    """
    workspace = Workspace.create(workspace_folder, new_passphrase(passphrase_file), ledger=ledger_url)
    public_key = workspace.gate_public_key
    if as_json:
        print_json({"workspace": str(workspace_folder), "gatePublicKey": str(public_key), "keyId": workspace.key_id()})
        return
    click.echo(f"Workspace {workspace_folder} is ready.", err=True)
    click.echo(f"Public key for verifiers: {public_key}", err=True)
