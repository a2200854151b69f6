"""Private keys in use: where each is kept, and whether it may still sign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from audit.record import files
from audit.record.errors import KeyFileError, VerificationError
from audit.record.hsm import TokenReference
from audit.record.keys import MAX_KEY_FILE, EnvelopeSigner, PublicKey, load_private_key, load_verifying_key
from audit.record.trust import Role
from gateway.errors import WorkspaceError
from gateway.keyring import Keyring

PRIVATE, TOKEN, PUBLIC, NEXT = ".pem", ".token.json", ".pub.pem", ".next"


def open_key(path: Path, passphrase: Callable[[], bytes], pin: Callable[[], str]) -> EnvelopeSigner:
    """The key in a file: encrypted (PEM), or a reference to a hardware token. Only what is needed is asked for.

    Raises
    ------
    KeyFileError
        Not such a file, wrong passphrase or PIN, or the token is away.
    """
    if files.read(path, maximum=MAX_KEY_FILE, error=KeyFileError).startswith(b"{"):
        return TokenReference.load(path).open(pin)
    return load_private_key(path, passphrase())


def check_in_force(folder: Path, role: Role, *, now: datetime | None = None) -> PublicKey:
    """The public key of ``role`` in a ``keys`` folder, if it may sign now.

    Raises
    ------
    WorkspaceError
        A rotation was cut short, or the key is not listed, expired or revoked.
    """
    if (folder / f"{role}{NEXT}{PUBLIC}").exists():
        raise WorkspaceError(f"a rotation of the {role} key was cut short; finish it: gateway keys rotate {role}")
    key = load_verifying_key(folder / f"{role}{PUBLIC}")
    entry = Keyring.load(folder).find(key)
    if entry is None:
        raise WorkspaceError(f"the {role} key in the workspace is not one that it lists; restore the keys folder")
    try:
        entry.check(role, (now or datetime.now(UTC)).replace(microsecond=0))
    except VerificationError as cause:
        raise WorkspaceError(f"{cause}; make a new one: gateway keys rotate {role}") from None
    return key


class GateSigner:
    """The gate's key for the length of one command: a release that was overtaken by a rotation cannot use it."""

    def __init__(self, folder: Path, signer: EnvelopeSigner) -> None:
        self._folder = folder
        self._signer = signer

    def sign(self, data: bytes, /) -> bytes:
        """The signature, if the key is still the gate's.

        Raises
        ------
        WorkspaceError
            It was rotated, revoked, or has expired since the command began.
        """
        if check_in_force(self._folder, "gate") != self._signer.public_key():
            raise WorkspaceError("the gate key was rotated while this command ran; nothing was signed; run it again")
        return self._signer.sign(data)

    def public_key(self) -> PublicKey:
        return self._signer.public_key()


def open_gate(folder: Path, passphrase: bytes, pin: Callable[[], str]) -> GateSigner:
    """The gate's key of a ``keys`` folder.

    Raises
    ------
    WorkspaceError
        It may not sign, or is another one than its public half says.
    KeyFileError
        Wrong passphrase or PIN, or the token is away.
    """
    expected = check_in_force(folder, "gate")
    token = folder / f"gate{TOKEN}"
    path = token if token.exists() else folder / f"gate{PRIVATE}"
    signer = open_key(path, lambda: passphrase, pin)
    if signer.public_key() != expected:
        raise WorkspaceError(f"{path.name}: is another key than gate{PUBLIC} says; restore the keys folder")
    return GateSigner(folder, signer)
