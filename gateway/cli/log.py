"""``gateway log``: the transparency log, for its owner and for those who watch it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from audit.record import archive, files
from audit.record.cosignature import Cosigned, Sighting, demand
from audit.record.envelope import MAX_BYTES as MAX_ENVELOPE
from audit.record.errors import LogError, RecordError, VerificationError
from audit.record.keys import key_id, load_private_key, load_public_key
from audit.record.log import accept_cosigned
from audit.record.note import MAX_NOTE, Checkpoint
from audit.record.statement import PROOF_FILE, RECORD_FILE
from audit.record.witness import observe, witness_file
from gateway.cli.shared import FILE, failing_cleanly, json_option, passphrase_option, print_json, workspace_option
from gateway.exits import Exit
from gateway.passphrase import read_passphrase

_MODE = 0o644  # what leaves a log is hashes and signatures
_Found = tuple[Checkpoint, tuple[Sighting, ...], dict[str, Any]]


@click.group()
def log() -> None:
    """Show, check and export the transparency log; watch somebody else's.

    \b
    Example:
        gateway log verify --workspace ws
    """


@log.command()
@workspace_option
@json_option
@failing_cleanly
def show(workspace_folder: Path, as_json: bool) -> None:
    """Show the log: its checkpoint, its witnesses, and which record each entry is.

    \b
    Example:
        gateway log show --workspace ws
    """
    from gateway.logbook import open_logbook  # here, because a witness needs no more than the small install (I-2)

    book = open_logbook(workspace_folder)
    entries = [
        {"index": index, "sha256": entry.hex(), "record": name}
        for index, (entry, name) in enumerate(zip(book.state.entries, book.held, strict=True))
    ]
    if as_json:
        shown = _described(book.state.checkpoint, book.sightings)
        print_json({**shown, "checkpoint": book.state.note.decode(), "entries": entries})
        return
    _say(book.state.checkpoint, book.sightings)
    for each in entries:
        click.echo(f"{each['index']:8d}  {each['sha256']}  {each['record'] or 'MISSING'}")


@log.command()
@click.argument("file", required=False, type=FILE)
@click.option("--log-key", "log_key_file", type=FILE, help="The log's public key (PEM); needed with FILE.")
@click.option("--seen", "seen_file", type=FILE, help="A signed checkpoint kept elsewhere; the log must begin with it.")
@click.option(
    "--witness",
    "witness_files",
    multiple=True,
    type=FILE,
    help="Public key (PEM) of a witness that must have cosigned the log at its present size; repeatable.",
)
@workspace_option
@json_option
@failing_cleanly
def verify(
    file: Path | None,
    log_key_file: Path | None,
    seen_file: Path | None,
    witness_files: tuple[Path, ...],
    workspace_folder: Path,
    as_json: bool,
) -> None:
    """Verify the workspace's log, or FILE from gateway log export, for which no workspace is needed.

    Exit status 1: altered, rolled back, forked, or the records of some entries are missing.

    \b
    Example:
        gateway log verify --workspace ws --witness regulator.pub.pem
        gateway log verify log.json --log-key log.pub.pem
    """
    witnesses = [load_public_key(path) for path in witness_files]
    seen = None if seen_file is None else files.read(seen_file, maximum=MAX_NOTE, error=RecordError)
    if (file is None) != (log_key_file is None):
        raise click.UsageError("FILE and --log-key go together: a file does not vouch for itself")
    try:
        if file is None or log_key_file is None:
            found = _verify_workspace(workspace_folder, seen)
        else:
            found = _verify_file(file, log_key_file, seen)
        checkpoint, sightings, more = found
        demand(sightings, witnesses, size=checkpoint.size)
    except (LogError, VerificationError) as cause:
        if as_json:
            print_json({"verified": False, "problem": str(cause)})
        click.echo(f"NOT VERIFIED: {cause}", err=True)
        sys.exit(Exit.UNEXPECTED)
    click.echo("VERIFIED", err=True)
    if as_json:
        print_json({"verified": True, **_described(checkpoint, sightings), **more})
        return
    _say(checkpoint, sightings)
    for name, value in more.items():
        click.echo(f"{name:10}{value}")


@log.command()
@click.option("--out", required=True, type=FILE, help="File to write; an existing one is kept.")
@click.option("--from", "old_size", type=click.IntRange(min=0), help="Only show that the log has grown from this size.")
@click.option(
    "--to",
    "new_size",
    type=click.IntRange(min=0),
    help="With --from: up to this size, for whoever holds a signed checkpoint of it; up to the log's end without.",
)
@workspace_option
@failing_cleanly
def export(out: Path, old_size: int | None, new_size: int | None, workspace_folder: Path) -> None:
    """Export the log for somebody outside: an archive of checkpoint and entries (hashes, no content).

    With --from, a consistency proof instead: a few hashes that show the log to begin with its first entries unchanged.

    \b
    Example:
        gateway log export --out log.json --workspace ws
        gateway log export --from 12 --out growth.json --workspace ws
    """
    from gateway.logbook import open_logbook

    if old_size is None and new_size is not None:
        raise click.UsageError("--to needs --from")
    whole = open_logbook(workspace_folder).archive
    shown: archive.LogArchive | archive.LogGrowth = whole
    if old_size is not None:
        shown = whole.growth(old_size, len(whole.entries) if new_size is None else new_size)
    files.create(out, shown.to_bytes(), mode=_MODE, error=RecordError)
    click.echo(f"Wrote {out}: {len(whole.entries)} entries in the log {whole.origin}", err=True)


@log.command()
@click.argument("file", type=FILE)
@click.option("--log-key", "log_key_file", required=True, type=FILE, help="The log's public key, from the custodian.")
@click.option("--key", "key_file", required=True, type=FILE, help="The witness's own private key (PEM, encrypted).")
@click.option("--name", required=True, help="The witness's name: a URL without its scheme.")
@click.option("--state", required=True, type=FILE, help="The witness's memory: the checkpoint it has cosigned last.")
@click.option("--out", required=True, type=FILE, help="File for the cosigned checkpoint; an existing one is kept.")
@click.option(
    "--former-log-key",
    "former_files",
    multiple=True,
    type=FILE,
    help="After a rotation of the log's key: the key it had before; repeatable.",
)
@click.option("--begin", is_flag=True, help="There is no state yet: believe this checkpoint, and start from it.")
@passphrase_option
@failing_cleanly
def witness(
    file: Path,
    log_key_file: Path,
    key_file: Path,
    name: str,
    state: Path,
    out: Path,
    former_files: tuple[Path, ...],
    begin: bool,
    passphrase_file: Path | None,
) -> None:
    """Cosign a log as a second party, if FILE (from gateway log export) goes on from what was seen last.

    Needs no workspace; gateway keys create makes the witness's own key. Exit status 1: the log was rolled back or
    forked, or there is a gap; nothing was cosigned, and the state is as it was. Keep FILE then: with the state it
    proves that the log has shown two histories.

    \b
    Example:
        gateway log witness log.json --log-key log.pub.pem --key witness.pem --name regulator.example/w1 \\
            --state hospital.state --out cosigned.json
    """
    content = files.read(file, maximum=archive.MAX_BYTES, error=RecordError)
    log_key, signer = load_public_key(log_key_file), load_private_key(key_file, read_passphrase(passphrase_file))
    former = [load_public_key(path) for path in former_files]
    if out.exists():
        raise RecordError(f"{out.name}: exists already and is not overwritten; choose another --out")
    try:
        cosigned = witness_file(content, log_key, state, name, signer, datetime.now(UTC), begin=begin, former=former)
    except (LogError, VerificationError) as cause:
        click.echo(f"NOT COSIGNED: {cause}", err=True)
        sys.exit(Exit.UNEXPECTED)
    files.create(out, cosigned.to_bytes(), mode=_MODE, error=RecordError)
    sighting = cosigned.open(archive.parse(content).origin, log_key)
    click.echo(f"Cosigned {sighting.checkpoint.size} entries of {sighting.checkpoint.origin}", err=True)
    click.echo(cosigned.witness.vkey)


@log.command()
@click.argument("file", type=FILE)
@click.option("--witness", "witness_file_", required=True, type=FILE, help="The witness's public key (PEM).")
@workspace_option
@failing_cleanly
def accept(file: Path, witness_file_: Path, workspace_folder: Path) -> None:
    """Keep FILE, a checkpoint cosigned by a witness; it travels in the log proofs of bundles from now on.

    \b
    Example:
        gateway log accept cosigned.json --witness regulator.pub.pem --workspace ws
    """
    from gateway.workspace import Workspace

    workspace = Workspace.open(workspace_folder)
    cosigned = Cosigned.from_bytes(files.read(file, maximum=4 * MAX_NOTE, error=RecordError))
    if cosigned.witness.key != load_public_key(witness_file_):
        raise LogError(f"{file.name}: is cosigned by another key than {witness_file_.name}; ask the witness")
    key = load_public_key(workspace.log_public_key)
    sighting = accept_cosigned(workspace.folder / "log", workspace.log_origin(), key, cosigned)
    click.echo(f"{cosigned.witness.name} vouches for the first {sighting.checkpoint.size} entries", err=True)


@log.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--in-place", is_flag=True, help="Put the new proof into BUNDLE in place of the old one.")
@workspace_option
@failing_cleanly
def prove(bundle: Path, in_place: bool, workspace_folder: Path) -> None:
    """Make a new log proof for BUNDLE, with what witnesses have cosigned since. Nothing else of a bundle changes.

    \b
    Example:
        gateway log prove bundle --in-place --workspace ws
    """
    from gateway.logbook import open_logbook

    envelope = files.read(bundle / RECORD_FILE, maximum=MAX_ENVELOPE, error=RecordError)
    content = open_logbook(workspace_folder).prove(envelope).to_bytes()
    if in_place:
        files.replace(bundle / PROOF_FILE, content, mode=0o600, error=RecordError)
        click.echo(f"Wrote {bundle / PROOF_FILE}", err=True)
        return
    click.echo(content)


def _verify_workspace(folder: Path, seen: bytes | None) -> _Found:
    from gateway.logbook import open_logbook

    book = open_logbook(folder, seen=seen)
    book.check_whole()
    return book.state.checkpoint, book.sightings, {"records": len(book.held), "unlogged": len(book.unlogged)}


def _verify_file(file: Path, key_file: Path, seen: bytes | None) -> _Found:
    key = load_public_key(key_file)
    shown = archive.parse(files.read(file, maximum=archive.MAX_BYTES, error=RecordError))
    if seen is not None:
        observe(shown, key, Checkpoint.open(seen, shown.origin, key))
    if isinstance(shown, archive.LogArchive):
        return *shown.open(key), {}
    vouched = "both trees" if seen is not None else "the new tree, which begins with the old one"
    more = "" if seen is not None else "; that the old one was ever shown, only --seen can say"
    return shown.open(key), (), {"from": shown.old[0], "to": shown.new[0], "vouched": f"{vouched}{more}"}


def _described(checkpoint: Checkpoint, sightings: tuple[Sighting, ...]) -> dict[str, Any]:
    seen = [
        {
            "name": each.witness.name,
            "keyId": key_id(each.witness.key),
            "size": each.checkpoint.size,
            "at": f"{each.at:%Y-%m-%dT%H:%M:%SZ}",
        }
        for each in sightings
    ]
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex(), "witnesses": seen}


def _say(checkpoint: Checkpoint | None, sightings: tuple[Sighting, ...]) -> None:
    if checkpoint is not None:
        click.echo(f"log       {checkpoint.origin}\nsize      {checkpoint.size}\nroot      {checkpoint.root.hex()}")
    for each in sightings:
        click.echo(
            f"witness   {each.witness.name} saw {each.checkpoint.size} entries, {each.at:%Y-%m-%d %H:%M:%S} UTC "
            f"(key {key_id(each.witness.key)[:12]}, yours to trust)"
        )
