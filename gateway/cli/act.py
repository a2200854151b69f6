"""``gateway approve``, ``refuse``, ``override``, ``revoke``, ``supersede``: what people say about a release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from audit.record import files
from audit.record.approval import Action
from audit.record.errors import RecordError
from gateway.actions import act
from gateway.cli.shared import FILE, failing_cleanly, json_option, passphrase_option, print_json, workspace_option
from gateway.passphrase import read_passphrase, read_pin
from gateway.signing import open_key
from gateway.workspace import Workspace

_PATH = click.Path(path_type=Path, exists=True)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all five take."""
    for option in reversed(
        (
            click.argument("target", metavar="BUNDLE", type=_PATH),
            click.option("--key", "key_file", required=True, type=FILE, help="Your own private key, or its token."),
            click.option("--reason", required=True, help="Why, in one line; it is public."),
            click.option("--meaning", default="", help="What your signature means, if not what it usually does."),
            click.option(
                "--key-passphrase-file",
                type=FILE,
                envvar="SLUICE_KEY_PASSPHRASE_FILE",
                show_envvar=True,
                help="File whose first line is the passphrase of your key; asked for when not given.",
            ),
            click.option("--out", type=FILE, help="Also write the record's actions file here, for who has the bundle."),
            workspace_option,
            passphrase_option,
            json_option,
            failing_cleanly,
        )
    ):
        command = option(command)
    return command


@click.command()
@_options
def approve(**given: Any) -> None:
    """Approve the release in BUNDLE (or a record's file), as an approver or officer who had no part in it.

    \b
    Example:
        gateway approve bundle --key ada.pem --reason "small cells checked by hand" --workspace ws
    """
    _act("approve", **given)


@click.command()
@_options
def refuse(**given: Any) -> None:
    """Refuse the release in BUNDLE: nobody may rely on it until you approve, or an officer overrides you.

    \b
    Example:
        gateway refuse bundle --key ada.pem --reason "the cohort is known in town" --workspace ws
    """
    _act("refuse", **given)


@click.command()
@_options
def override(**given: Any) -> None:
    """Overrule, as an officer, those who refuse the release in BUNDLE. A policy's own denial nobody can overrule.

    \b
    Example:
        gateway override bundle --key officer.pem --reason "board decision 7/2031" --workspace ws
    """
    _act("override", **given)


@click.command()
@_options
def revoke(**given: Any) -> None:
    """Withdraw, as an officer, the release in BUNDLE for good: verification refuses it from then on.

    Send the new actions.json to everybody who has the bundle.

    \b
    Example:
        gateway revoke bundle --key officer.pem --reason "a patient withdrew consent" --workspace ws
    """
    _act("revoke", **given)


@click.command()
@_options
@click.option("--by", "successor", required=True, type=_PATH, help="The bundle, or record, that takes its place.")
def supersede(successor: Path, **given: Any) -> None:
    """Say, as an officer, that another release takes the place of the one in BUNDLE.

    \b
    Example:
        gateway supersede old --by new --key officer.pem --reason "corrected dates" --workspace ws
    """
    _act("supersede", successor=successor, **given)


def _act(
    action: Action,
    *,
    target: Path,
    key_file: Path,
    reason: str,
    meaning: str,
    key_passphrase_file: Path | None,
    out: Path | None,
    workspace_folder: Path,
    passphrase_file: Path | None,
    as_json: bool,
    successor: Path | None = None,
) -> None:
    workspace = Workspace.open(workspace_folder)
    signer = open_key(key_file, lambda: read_passphrase(key_passphrase_file, of=key_file.name), read_pin)
    said = act(
        workspace, read_passphrase(passphrase_file), target, action, signer,
        reason=reason, meaning=meaning, successor=successor,
    )  # fmt: skip
    if out is not None:
        files.replace(out, said.content, mode=0o600, error=RecordError)
    for each in said.void:
        click.secho(f"VOID: {each}", fg="red", err=True)
    for name in said.foreign:
        click.secho(f"PROBLEM: {name!a}: is signed by no listed key; see gateway audit list", fg="red", err=True)
    if not said.counts:
        click.echo(f"Note: the policy does not count approvals by an {said.action.role}", err=True)
    if as_json:
        print_json(
            {**said.action.to_dict()["predicate"], "record": said.action.record_sha256, "logIndex": said.log_index}
        )
        return
    click.echo(f"{said.action.by} ({said.action.role}): {said.action.meaning}")
    click.echo(f"Log entry {said.log_index}", err=True)
