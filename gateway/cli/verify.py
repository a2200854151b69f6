"""``gateway verify``: check a bundle offline; needs nothing heavier than cryptography (I-2)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from audit.record.errors import KeyFileError, RecordError
from audit.record.keys import load_public_key
from audit.record.statement import RECORD_FILE
from audit.record.timestamp import Authorities
from audit.record.verify import load_trusted, refusal, summary, to_dict, verify_bundle
from gateway.cli.shared import FILE, failing_cleanly, json_option, print_json
from gateway.exits import Exit


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "key_file",
    type=FILE,
    help="The custodian's public key (PEM), obtained from the custodian and not from the bundle.",
)
@click.option(
    "--trust",
    "trust_file",
    type=FILE,
    help="In place of --key: the custodian's trust file, which lists every key, past and revoked ones included.",
)
@click.option(
    "--root",
    "root_file",
    type=FILE,
    help="The root public key (PEM) that must have signed the trust file, obtained from the custodian in person.",
)
@click.option(
    "--timestamp-authority",
    "authority_file",
    type=FILE,
    help="Certificate (PEM) of a timestamp authority: checks the bundle's record.tsr where there is one.",
)
@click.option(
    "--witness",
    "witness_files",
    multiple=True,
    type=FILE,
    help="Public key (PEM) of a witness that must have seen the record in the log; repeatable.",
)
@json_option
@failing_cleanly
def verify(
    bundle: Path,
    key_file: Path | None,
    trust_file: Path | None,
    root_file: Path | None,
    authority_file: Path | None,
    witness_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Verify BUNDLE offline: signature, every file, and the place in the transparency log.

    With --trust and --root the record may be by any gate key of the custodian, retired ones included, if that key was
    valid, and not revoked, when the record was made.

    Exit status 0: verified, whether the record says allowed or denied. 1: not verified.

    \b
    Example:
        gateway verify bundle --key gate.pub.pem
        gateway verify bundle --trust trust.dsse.json --root root.pub.pem
    """
    if (key_file is None) == (trust_file is None) or (trust_file is None) != (root_file is None):
        raise click.UsageError("give --key, or --trust and --root")
    authorities = None if authority_file is None else Authorities.load(authority_file)
    witnesses = [load_public_key(file) for file in witness_files]
    if not bundle.is_dir():
        raise KeyFileError(f"{bundle.name}: is not a folder; give the folder that holds {RECORD_FILE}")
    try:
        trusted = load_trusted([] if key_file is None else [key_file], trust_file, root_file)
        verified = verify_bundle(bundle, trusted, witnesses=witnesses, authorities=authorities)
    except KeyFileError:
        raise
    except RecordError as cause:
        if as_json:
            print_json(refusal(cause))
        click.echo(f"NOT VERIFIED: {cause}", err=True)
        sys.exit(Exit.UNEXPECTED)
    for void in verified.overseen.void:
        click.secho(f"VOID: {void}", fg="red", err=True)
    if as_json:
        click.echo(json.dumps(to_dict(verified), indent=2, allow_nan=False, default=dict))
    else:
        click.echo(summary(verified), nl=False)
