"""``gateway audit verify``: check an archive offline; needs nothing heavier than cryptography (I-2)."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from audit.record import files, trailfile, trust
from audit.record.errors import KeyFileError, RecordError
from audit.record.fields import instant_text
from audit.record.keys import load_verifying_key
from audit.record.trail import Entry
from audit.record.trust import TrustFile
from gateway.cli.shared import FILE, failing_cleanly, json_option, print_json
from gateway.exits import Exit


@click.command()
@click.argument("archive", type=FILE)
@click.option("--key", "key_file", type=FILE, help="Public key (PEM) that signed it: the log's or an officer's.")
@click.option("--root", "root_file", type=FILE, help="In place of --key: the custodian's root public key (PEM).")
@click.option("--trust", "trust_file", type=FILE, help="With --root: your own newest trust file, which then decides.")
@json_option
@failing_cleanly
def verify(
    archive: Path, key_file: Path | None, root_file: Path | None, trust_file: Path | None, as_json: bool
) -> None:
    """Verify ARCHIVE offline: its index, every file, the log, and every record in it.

    Get the key from the custodian, not from the archive. With --root the trust file in the archive says whose
    signature counts, and it may be older than a revocation: with --trust your own says so. Exit status 0: all holds.
    1: not verified, or a record in it does not hold, or a log entry is missing although nothing was filtered.

    \b
    Example:
        gateway audit verify trail.tar --key officer.pub.pem
        gateway audit verify trail.tar --root root.pub.pem --trust trust.dsse.json --json
    """
    if (key_file is None) == (root_file is None):
        raise click.UsageError("give --key or --root")
    if trust_file is not None and root_file is None:
        raise click.UsageError("--trust needs --root, the key that signed the trust file")
    key = None if key_file is None else load_verifying_key(key_file)
    root = None if root_file is None else load_verifying_key(root_file)
    content = files.read(archive, maximum=trailfile.MAX_BYTES, error=KeyFileError)
    newest = None if trust_file is None else files.read(trust_file, maximum=2 * trust.MAX_BYTES, error=KeyFileError)
    try:
        own = None if newest is None or root is None else TrustFile.open(newest, root)
        opened = trailfile.unpack(content, key, root=root, own=own)
    except KeyFileError:
        raise
    except RecordError as cause:
        if as_json:
            print_json({"verified": False, "problem": str(cause)})
        click.echo(f"NOT VERIFIED: {cause}", err=True)
        sys.exit(Exit.UNEXPECTED)
    sound = opened.trail.sound and not opened.index.problems
    if as_json:
        print_json(_to_dict(opened, sound=sound))
    else:
        _echo(opened, sound=sound)
    sys.exit(Exit.ALLOWED if sound else Exit.UNEXPECTED)


def _to_dict(opened: trailfile.Opened, *, sound: bool) -> dict[str, Any]:
    index, now = opened.index, datetime.now(UTC)
    return {
        "verified": True,
        "sound": sound,
        "signedBy": [{"role": each.role, "holder": each.holder, "keyId": each.id} for each in opened.signed_by],
        "exportedAt": instant_text(index.exported_at),
        "trustVersion": None if opened.trust is None else opened.trust.version,
        "trustIssuedAt": None if opened.trust is None else instant_text(opened.trust.issued_at),
        "chosen": dict(index.chosen),
        "notShown": opened.not_shown,
        "log": {"origin": index.origin, "size": opened.checkpoint.size, "root": opened.checkpoint.root.hex()},
        "problems": [*index.problems, *opened.trail.problems],
        "records": [each.to_dict(now) for each in opened.trail.entries],
    }


def _echo(opened: trailfile.Opened, *, sound: bool) -> None:
    index, trail, now = opened.index, opened.trail, datetime.now(UTC)
    signers = ", ".join(f"{each.holder} ({each.role}, {each.id[:16]})" for each in opened.signed_by)
    click.echo(f"{'VERIFIED' if sound else 'GENUINE, BUT NOT ALL OF IT HOLDS'}: signed by {signers}")
    if opened.trust is not None:
        issued = opened.trust.issued_at
        click.echo(f"trust     version {opened.trust.version} of {issued:%Y-%m-%d}; knows of no later revocation")
    click.echo(f"exported  {index.exported_at:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"chosen    {', '.join(f'{name} {value}' for name, value in index.chosen.items()) or 'everything'}")
    click.echo(f"log       {opened.checkpoint.size} entries of {index.origin}")
    if opened.not_shown:
        click.echo(f"BEWARE    {opened.not_shown} of {index.entries} log entries are not shown here")
    counts: dict[str, int] = {}
    for each in trail.entries:
        counts[each.standing(now)] = counts.get(each.standing(now), 0) + 1
    click.echo(f"records   {index.records}: {', '.join(f'{count} {name}' for name, count in counts.items()) or 'none'}")
    for each in _broken(trail.entries):
        click.echo(f"BROKEN    {each.name}: {each.problem}")
    for problem in (*index.problems, *trail.problems):
        click.echo(f"PROBLEM   {problem}")


def _broken(entries: tuple[Entry, ...]) -> list[Entry]:
    return [each for each in entries if each.problem]
