"""``gateway timestamp``: have somebody outside say when a record existed."""

from __future__ import annotations

from pathlib import Path

import click

from audit.record import files
from audit.record.envelope import MAX_BYTES
from audit.record.errors import RecordError
from audit.record.statement import RECORD_FILE
from audit.record.timestamp import TIMESTAMP_FILE, Authorities, obtain, read
from audit.record.timestamp import verify as verify_token
from gateway.cli.shared import FILE, failing_cleanly


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--url", required=True, help="The timestamp authority's address (RFC 3161 over HTTP).")
@click.option(
    "--authority",
    "authority_file",
    required=True,
    type=FILE,
    help="PEM file of the root and all certificates that lead to the authority's own; verifiers need the same file.",
)
@failing_cleanly
def timestamp(bundle: Path, url: str, authority_file: Path) -> None:
    """Have a timestamp authority say that BUNDLE's record exists now; its answer lies beside it as record.tsr.

    The authority sees a digest and nothing else. Should the gate's keys ever be stolen, the timestamp still shows that
    this record is older than the theft. Nothing else of the bundle changes; an existing timestamp is kept.

    \b
    Example:
        gateway timestamp bundle --url http://timestamp.example/tsr --authority tsa.pem
    """
    authorities = Authorities.load(authority_file)
    record = files.read(bundle / RECORD_FILE, maximum=MAX_BYTES, error=RecordError)
    if read(bundle) is not None:
        raise RecordError(f"{TIMESTAMP_FILE}: the bundle has a timestamp already, and an older one is worth more")
    token = obtain(record, url, authorities)
    files.create(bundle / TIMESTAMP_FILE, token, mode=0o644, error=RecordError)
    at = verify_token(token, record, authorities)
    click.echo(f"{TIMESTAMP_FILE}: the record existed by {at:%Y-%m-%d %H:%M:%S} UTC", err=True)
