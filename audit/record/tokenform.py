"""Is this a timestamp token by its form, and does it name the algorithms that its signature was made with?

A timestamp token (RFC 3161) is a CMS SignedData (RFC 5652). Its version numbers and the name of its signature algorithm
are under no signature, and what checks the signature never looks at them: here they are held against the key. No
package for timestamps is needed, so that what is no token is refused also where no authority is named (I-2).
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from audit.record.errors import VerificationError

_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET, _CONTEXT_0, _CONTEXT_1 = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0, 0xA1
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2
_VERSIONS = (b"\3", b"\1")  # RFC 5652, 5.1 and 5.3: content that is not plain data; a signer named by its issuer
_NO_PARAMETERS: tuple[list[tuple[int, bytes]], ...] = ([], [(0x05, b"")])  # absent, or NULL (RFC 5754)
_RSA = bytes.fromhex("2a864886f70d010101")  # rsaEncryption: RSA under the digest algorithm named before
_NAMES = {  # by SHA-2: its own name, ecdsa-with-SHA2, sha2WithRSAEncryption (RFC 5754)
    bytes.fromhex("6086480165030402" + digest): (
        bytes.fromhex("2a8648ce3d0403" + ecdsa),
        bytes.fromhex("2a864886f70d0101" + rsa),
    )
    for digest, ecdsa, rsa in (("01", "02", "0b"), ("02", "03", "0c"), ("03", "04", "0d"))
}


@dataclass(frozen=True)
class TokenForm:
    """Object identifiers (DER, without tag) of what the signer says it has used."""

    digest: bytes
    signature: bytes

    def check_key(self, key: object) -> None:
        """Return if the names fit a signature by ``key``.

        Raises
        ------
        VerificationError
            Another algorithm than the key's, or one that is not known here.
        """
        ecdsa, rsa = _NAMES.get(self.digest, (b"", b""))
        fitting = {ecdsa} if isinstance(key, EllipticCurvePublicKey) else set()
        if isinstance(key, RSAPublicKey):
            fitting = {rsa, _RSA}
        if not ecdsa or self.signature not in fitting:
            raise VerificationError("names another signature algorithm than the one of its key")


def parse(token: bytes) -> TokenForm:
    """What a timestamp authority's answer that grants a token names; no signature is checked.

    Raises
    ------
    VerificationError
        Not such an answer: cut short, another form, more than one signer, or other version numbers.
    """
    try:
        return _parse(token)
    except (ValueError, IndexError):
        raise VerificationError("is not an RFC 3161 answer") from None


def _parse(token: bytes) -> TokenForm:
    (answer,) = _of(_items(token), _SEQUENCE)
    _, wrapped = _of(_items(answer), _SEQUENCE, _SEQUENCE)
    kind, explicit = _of(_items(wrapped), _OID, _CONTEXT_0)
    (signed,) = _of(_items(explicit), _SEQUENCE)
    parts = [each for each in _items(signed) if each[0] not in (_CONTEXT_0, _CONTEXT_1)]  # certificates, CRLs
    version, _, _, signers = _of(parts, _INTEGER, _SET, _SEQUENCE, _SET)
    (signer,) = _of(_items(signers), _SEQUENCE)
    parts = [each for each in _items(signer) if each[0] not in (_CONTEXT_0, _CONTEXT_1)]  # attributes
    signer_version, _, digest, signature, _ = _of(parts, _INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _OCTETS)
    if kind != _SIGNED_DATA or (version, signer_version) != _VERSIONS:
        raise ValueError("another kind or version")
    return TokenForm(_algorithm(digest), _algorithm(signature))


def _algorithm(content: bytes) -> bytes:
    first, *parameters = _items(content)
    if first[0] != _OID or parameters not in _NO_PARAMETERS:
        raise ValueError("parameters that no algorithm here has")
    return first[1]


def _of(items: list[tuple[int, bytes]], *tags: int) -> list[bytes]:
    if [tag for tag, _ in items] != list(tags):
        raise ValueError("other elements")
    return [content for _, content in items]


def _items(content: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each element (X.690: one byte of tag, a definite length, nothing left over)."""
    found = []
    while content:
        tag, length, start = content[0], content[1], 2
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(content[2:start], "big")
        if start + length > len(content):
            raise ValueError("cut short")
        found.append((tag, content[start : start + length]))
        content = content[start + length :]
    return found
