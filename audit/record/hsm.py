"""How does a key sign that never leaves its hardware token?

PKCS#11 through securesystemslib's ``HSMSigner``: ECDSA over P-256 or P-384, the curves that tokens agree on. What lies
on disk is no secret: which token and key (``hsm:2?label=gate``), which PKCS#11 module speaks to it, and the public key
it must turn out to have. The PIN is asked for once and kept in memory for one command.

Optional: needs ``securesystemslib[hsm]``, imported when a token is used; verifying never does (I-2).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from audit.record import canonical, fields, files
from audit.record.errors import KeyFileError, RecordError
from audit.record.keys import PublicKey, is_signed, parse_verifying_key, public_pem

MAX_BYTES = 16 * 1024
_MODULE_VARIABLE = "PYKCS11LIB"  # where securesystemslib looks for the PKCS#11 module
_PROOF = b"sluice: does this token hold the key that it is said to hold?"  # no envelope, no note: signs nothing


@dataclass(frozen=True)
class TokenReference:
    """Which key in which token. ``uri`` is securesystemslib's: ``hsm:`` key id ``?label=`` token label."""

    uri: str
    module: Path
    public_key: PublicKey

    @classmethod
    def find(cls, uri: str, module: Path, pin: Callable[[], str]) -> Self:
        """The key that ``uri`` names, its public half read from the token.

        Raises
        ------
        KeyFileError
            No such module, token or key, another kind of key, or the package is not installed.
        """
        hsm = _package()
        signer: Any = hsm.HSMSigner
        _use_module(module)
        number, label = _parts(uri)
        try:
            found_uri, key = signer.import_(number, label, lambda _: pin())
        except Exception as cause:  # noqa: BLE001  # whatever a vendor's module raises; it may not quote the PIN
            raise _refused(uri, cause) from None
        return cls(found_uri, module, parse_verifying_key(key.keyval["public"].encode(), name=uri))

    def to_bytes(self) -> bytes:
        """The reference file."""
        return canonical.encode(
            {
                "version": 1,
                "uri": self.uri,
                "module": str(self.module),
                "publicKey": public_pem(self.public_key).decode(),
            }
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """The reference in a file.

        Raises
        ------
        KeyFileError
            Not such a file.
        """
        content = files.read(path, maximum=MAX_BYTES, error=KeyFileError)
        try:
            document = canonical.parse(content, maximum=MAX_BYTES, what="token reference")
            found = fields.members(document, "token reference", ("version", "uri", "module", "publicKey"))
            texts = (found["uri"], found["module"], found["publicKey"])
            if found["version"] != 1 or not all(isinstance(each, str) for each in texts):
                raise KeyFileError("expected version 1, and text")
            return cls(texts[0], Path(texts[1]), parse_verifying_key(texts[2].encode(), name=path.name))
        except RecordError as cause:
            raise KeyFileError(f"{path.name}: is not a token reference as Sluice writes it: {cause}") from None

    def open(self, pin: Callable[[], str]) -> TokenKey:
        """The key, ready to sign: PIN asked for, token reached, and its key shown to be the expected one.

        Raises
        ------
        KeyFileError
            The token is away, the PIN is wrong, or the key in it is another one.
        """
        return TokenKey(self, pin())


class TokenKey:
    """A key in a token, for as long as one command runs; an ``EnvelopeSigner``."""

    def __init__(self, reference: TokenReference, pin: str) -> None:
        hsm = _package()
        self._reference = reference
        _use_module(reference.module)
        try:
            key = hsm.SSlibKey.from_crypto(reference.public_key)
            self._signer: Any = hsm.HSMSigner.from_priv_key_uri(reference.uri, key, lambda _: pin)
        except ValueError as cause:
            raise _refused(reference.uri, cause) from None
        self.sign(_PROOF)

    def sign(self, data: bytes, /) -> bytes:
        """The DER signature, checked against the expected public key before it is given out.

        Raises
        ------
        KeyFileError
            The token refuses, or signs with another key.
        """
        _use_module(self._reference.module)
        try:
            signature = bytes.fromhex(self._signer.sign(data).signature)
        except Exception as cause:  # noqa: BLE001
            raise _refused(self._reference.uri, cause) from None
        if not is_signed(self._reference.public_key, signature, data):
            raise KeyFileError(f"{self._reference.uri}: the token signs with another key than the one on record")
        return signature

    def public_key(self) -> PublicKey:
        """The key that its signatures verify under."""
        return self._reference.public_key

    def __repr__(self) -> str:
        return f"TokenKey({self._reference.uri})"  # never the PIN


def _parts(uri: str) -> tuple[int, str | None]:
    split = urlsplit(uri)
    labels = parse_qs(split.query).get("label", [])
    if split.scheme != "hsm" or not split.path.isdecimal() or len(labels) > 1:
        raise KeyFileError(f"{uri}: expected hsm:NUMBER?label=TOKEN, such as hsm:2?label=gate")
    return int(split.path), labels[0] if labels else None


def _use_module(module: Path) -> None:
    if not module.is_file():
        raise KeyFileError(f"{module.name}: no such PKCS#11 module; give the path of the token vendor's library")
    os.environ[_MODULE_VARIABLE] = str(module)


def _refused(uri: str, cause: Exception) -> KeyFileError:
    # the class alone: PinIncorrect, NoSuchToken, DeviceRemoved say it, and a vendor's text may hold anything
    detail = str(cause) if type(cause) is ValueError else type(cause).__name__
    return KeyFileError(f"{uri}: the token cannot be used ({detail}); check module, label, key id and PIN")


def _package() -> ModuleType:
    try:
        import pkcs11  # noqa: F401  # without it securesystemslib imports, and fails later
        from securesystemslib import signer
    except ModuleNotFoundError as cause:
        raise KeyFileError(f"hardware tokens need the package {cause.name}: pip install 'sluice-gate[hsm]'") from None
    module: ModuleType = signer
    return module
