"""``gateway keys``: every key, its role and its standing; rotation, revocation, the trust file."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit.record import files
from audit.record.errors import KeyFileError, RecordError
from audit.record.hsm import TokenReference
from audit.record.keys import generate_key, key_id, load_verifying_key, write_private_key, write_public_key
from audit.record.trust import MAX_BYTES, ROLES, Revocation, TrustedKey, TrustFile
from gateway.cli.shared import FILE, failing_cleanly, json_option, passphrase_option, print_json, workspace_option
from gateway.keyring import DEFAULT_DAYS, changing
from gateway.passphrase import new_passphrase, read_passphrase, read_pin

if TYPE_CHECKING:  # at run time only where it is used: root and approvers need no more than the small install (I-2)
    from gateway.workspace import Workspace

_INSTANT = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]
_days = click.option(
    "--days",
    default=DEFAULT_DAYS,
    show_default=True,
    type=click.IntRange(1, 3660),
    help="How long the key is to be valid.",
)
_pin = "Key in a token: hsm:NUMBER?label=TOKEN. Its PIN is in the file SLUICE_PIN_FILE names, or asked for."
_hsm = click.option("--hsm", "uri", metavar="URI", help=_pin)
_module = click.option("--module", type=FILE, help="The token vendor's PKCS#11 library; needed with --hsm.")
_own_passphrase = click.option(
    "--key-passphrase-file",
    type=FILE,
    envvar="SLUICE_KEY_PASSPHRASE_FILE",
    show_envvar=True,
    help="File whose first line is the passphrase of this key, not of the workspace; asked for when not given.",
)


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke keys; make the trust file by which others verify.

    A trust file lists every key there has been, with role, holder, window and revocation. A root key signs it, which is
    kept offline and signs nothing else.

    \b
    Example:
        gateway keys create root.pem
        gateway keys propose --out trust.json --workspace ws
        gateway keys sign trust.json --root-key root.pem --out trust.dsse.json
        gateway keys accept trust.dsse.json --root root.pub.pem --workspace ws
    """


@keys.command()
@click.argument("file", type=FILE)
@_hsm
@_module
@_own_passphrase
@failing_cleanly
def create(file: Path, uri: str | None, module: Path | None, key_passphrase_file: Path | None) -> None:
    """Make a key of one's own, for a root, an approver or an officer: FILE, and its public half beside it.

    Needs no workspace. With --hsm the key is in a hardware token already, and FILE says which and where.

    \b
    Example:
        gateway keys create root.pem
        gateway keys create approver.json --hsm 'hsm:2?label=approver' --module /usr/lib/softhsm/libsofthsm2.so
    """
    public = file.with_suffix(".pub.pem")
    for path in (file, public):
        if path.exists():
            raise KeyFileError(f"{path.name}: exists already and is not overwritten; choose another name")
    token = _token(uri, module)
    if token is not None:
        files.create(file, token.to_bytes(), mode=0o600, error=KeyFileError)
        write_public_key(public, token.public_key)
    else:
        key = generate_key()
        write_private_key(file, key, new_passphrase(key_passphrase_file, of=file.name))
        write_public_key(public, key.public_key())
    click.echo(f"{file} and {public}", err=True)
    click.echo(key_id(load_verifying_key(public)))


@keys.command("list")
@workspace_option
@json_option
@failing_cleanly
def list_(workspace_folder: Path, as_json: bool) -> None:
    """List every key of the workspace: role, standing, holder, window, and whether the trust file in force says so.

    \b
    Example:
        gateway keys list --workspace ws
    """
    from gateway.trusting import in_force, standing

    workspace, now = _workspace(workspace_folder), datetime.now(UTC)
    trust = in_force(workspace)
    rows = [
        {
            **entry.to_dict(),
            "standing": standing(entry, workspace, now),
            "trusted": trust is not None and trust.find(entry.id) == entry,
        }
        for entry in workspace.keyring.keys
    ]
    if as_json:
        print_json({"trustVersion": None if trust is None else trust.version, "keys": rows})
        return
    for row in rows:
        signed = "" if row["trusted"] else "  not yet in a trust file"
        click.echo(
            f"{row['keyId'][:16]}  {row['role']:8}  {row['standing']:8}  {row['validFrom'][:10]} to "
            f"{row['validUntil'][:10]}  {row['holder']}{signed}"
        )
    click.echo("No trust file yet." if trust is None else f"Trust file: version {trust.version}.", err=True)


@keys.command()
@click.argument("public_key", type=FILE)
@click.option("--role", required=True, type=click.Choice([role for role in ROLES if role not in ("gate", "log")]))
@click.option("--holder", required=True, help="Whose key it is, as readers of the trust file are to see it.")
@_days
@workspace_option
@failing_cleanly
def add(public_key: Path, role: Any, holder: str, days: int, workspace_folder: Path) -> None:
    """List PUBLIC_KEY, of an approver or an officer, for the next trust file.

    \b
    Example:
        gateway keys add approver.pub.pem --role approver --holder "Dr Ada Example" --workspace ws
    """
    workspace, key = _workspace(workspace_folder), load_verifying_key(public_key)
    with changing(workspace.folder / "keys"):
        ring = workspace.keyring.with_key(role, holder, key, days=days, now=datetime.now(UTC))
        ring.save(workspace.folder / "keys")
    _say(ring.named(key_id(key)))


@keys.command()
@click.argument("role", type=click.Choice(["gate", "log"]))
@_days
@_hsm
@_module
@workspace_option
@passphrase_option
@failing_cleanly
def rotate(
    role: Any, days: int, uri: str | None, module: Path | None, workspace_folder: Path, passphrase_file: Path | None
) -> None:
    """Put a new key of ROLE in force. What the old one signed stays good; the old private key is gone.

    Verifiers who use a trust file need its next version to check what the new key signs. A rotation that was cut short
    is finished by running the command again.

    \b
    Example:
        gateway keys rotate gate --workspace ws
        gateway keys rotate gate --hsm 'hsm:2?label=gate' --module /usr/lib/softhsm/libsofthsm2.so --workspace ws
    """
    from gateway.rotation import rotate as rotate_key

    workspace, passphrase = _workspace(workspace_folder), read_passphrase(passphrase_file)
    _say(rotate_key(workspace, role, passphrase, days=days, token=_token(uri, module)))


@keys.command()
@click.argument("key")
@click.option("--reason", required=True, help="Why, in one line that readers of the trust file see.")
@click.option("--since", type=click.DateTime(_INSTANT), help="From when on the key is void (UTC); now when not given.")
@click.option("--stolen", is_flag=True, help="Somebody else may have the key: no date that it signs is believed.")
@click.option(
    "--from-log-index",
    type=click.IntRange(min=0),
    help="First log entry that is void; found from --since if not given.",
)
@workspace_option
@failing_cleanly
def revoke(
    key: str, reason: str, since: datetime | None, stolen: bool, from_log_index: int | None, workspace_folder: Path
) -> None:
    """Revoke KEY, named by its id or the beginning of it. This cannot be taken back.

    What the key signed before stays good; with --stolen only what the log holds before the first void entry. Look at it
    with gateway log show: an entry that is not your own, under whatever date, belongs behind --from-log-index. Releases
    stop until gateway keys rotate; verifiers learn of it with the next trust file.

    \b
    Example:
        gateway keys revoke 3f9ac2d1 --reason "left the hospital" --workspace ws
        gateway keys revoke 3f9ac2d1 --reason "laptop stolen" --stolen --since 2031-05-01T12:00:00Z --workspace ws
    """
    from gateway.trusting import revoke as revoke_key

    workspace, now = _workspace(workspace_folder), datetime.now(UTC).replace(microsecond=0)
    start = now if since is None else since.replace(tzinfo=UTC)
    if start > now:
        raise click.UsageError("--since lies in the future; a key is revoked from a moment that is known")
    entry = workspace.keyring.named(key)
    _say(revoke_key(workspace, entry, Revocation(start, reason, stolen, from_log_index)).named(entry.id))


@keys.command()
@click.option("--out", required=True, type=FILE, help="File to write; an existing one is kept.")
@workspace_option
@failing_cleanly
def propose(out: Path, workspace_folder: Path) -> None:
    """Write the next version of the trust file, unsigned, to be carried to the root key.

    \b
    Example:
        gateway keys propose --out trust.json --workspace ws
    """
    from gateway.trusting import propose as propose_trust

    trust = propose_trust(_workspace(workspace_folder))
    files.create(out, trust.to_payload(), mode=0o644, error=RecordError)
    click.echo(f"Wrote {out}: version {trust.version} with {len(trust.keys)} keys; have it signed", err=True)


@keys.command()
@click.argument("file", type=FILE)
@click.option(
    "--root-key", "root_files", required=True, multiple=True, type=FILE,
    help="The root's private key; the former root's too where the root is being replaced.",
)  # fmt: skip
@click.option("--out", required=True, type=FILE, help="The trust file to write; an existing one is kept.")
@_own_passphrase
@failing_cleanly
def sign(file: Path, root_files: tuple[Path, ...], out: Path, key_passphrase_file: Path | None) -> None:
    """Sign FILE, from gateway keys propose, with the root key: on a machine that nothing else is done on.

    Read what is shown before the passphrase is given: every key listed will be believed.

    \b
    Example:
        gateway keys sign trust.json --root-key root.pem --out trust.dsse.json
    """
    from gateway.signing import open_key

    trust = TrustFile.from_payload(files.read(file, maximum=MAX_BYTES, error=RecordError))
    click.echo(f"Version {trust.version} of {trust.issued_at:%Y-%m-%d %H:%M:%S} UTC", err=True)
    for entry in trust.keys:
        _say(entry)
    roots = [
        open_key(path, partial(read_passphrase, key_passphrase_file, of=path.name), read_pin) for path in root_files
    ]
    files.create(out, trust.sign(*roots), mode=0o644, error=RecordError)
    click.echo(f"Wrote {out}", err=True)


@keys.command()
@click.argument("file", type=FILE)
@click.option("--root", "root_file", type=FILE, help="The root public key; the first time, and when it is replaced.")
@workspace_option
@failing_cleanly
def accept(file: Path, root_file: Path | None, workspace_folder: Path) -> None:
    """Put FILE, a signed trust file, in force: it lies in the workspace as keys/trust.dsse.json.

    An older version than the one in force is refused, and one by another root key. Hand the file to everyone who
    verifies your records; keys/root.pub.pem they must have from you in person.

    \b
    Example:
        gateway keys accept trust.dsse.json --root root.pub.pem --workspace ws
    """
    from gateway.trusting import accept as accept_trust

    root = None if root_file is None else load_verifying_key(root_file)
    trust = accept_trust(_workspace(workspace_folder), file, root)
    click.echo(f"Version {trust.version} is in force: {len(trust.keys)} keys", err=True)


def _workspace(folder: Path) -> Workspace:
    from gateway.workspace import Workspace

    return Workspace.open(folder)


def _token(uri: str | None, module: Path | None) -> TokenReference | None:
    if (uri is None) != (module is None):
        raise click.UsageError("--hsm and --module go together")
    return None if uri is None or module is None else TokenReference.find(uri, module, read_pin)


def _say(entry: TrustedKey) -> None:
    revoked = "" if entry.revocation is None else f", void from {entry.revocation.since:%Y-%m-%d %H:%M:%S} UTC"
    if entry.revocation is not None and entry.revocation.from_log_index is not None:
        revoked += f" and log entry {entry.revocation.from_log_index}"
    window = f"{entry.valid_from:%Y-%m-%d} to {entry.valid_until:%Y-%m-%d}"
    click.echo(f"{entry.id[:16]}  {entry.role:8}  {entry.holder}  {window}{revoked}", err=True)
