"""``gateway verify``: check a bundle offline; needs nothing heavier than cryptography (I-2)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from audit.record.errors import KeyFileError, RecordError
from audit.record.keys import load_public_key
from audit.record.statement import RECORD_FILE
from audit.record.verify import summary, to_dict, verify_bundle
from gateway.cli.shared import failing_cleanly, json_option, print_json
from gateway.exits import Exit


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The custodian's public key (PEM), obtained from the custodian and not from the bundle.",
)
@json_option
@failing_cleanly
def verify(bundle: Path, key_file: Path, as_json: bool) -> None:
    """Verify BUNDLE offline: signature, every file, and the place in the transparency log.

    Exit status 0: verified, whether the record says allowed or denied. 1: not verified.

    \b
    Example:
        gateway verify bundle --key gate.pub.pem
    """
    key = load_public_key(key_file)
    if not bundle.is_dir():
        raise KeyFileError(f"{bundle.name}: is not a folder; give the folder that holds {RECORD_FILE}")
    try:
        verified = verify_bundle(bundle, key)
    except RecordError as cause:
        if as_json:
            print_json({"verified": False, "problem": str(cause)})
        click.echo(f"NOT VERIFIED: {cause}", err=True)
        sys.exit(Exit.UNEXPECTED)
    if as_json:
        click.echo(json.dumps(to_dict(verified), indent=2, allow_nan=False, default=dict))
    else:
        click.echo(summary(verified), nl=False)
