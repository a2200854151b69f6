"""Is this a timestamp token over that record, and is each of its bytes vouched for?

A timestamp token (RFC 3161) is a CMS SignedData (RFC 5652), and much in one lies under no signature: the status and its
text, version numbers, names of algorithms, further certificates, revocation lists, unsigned attributes. So a token is
kept in one form alone, rebuilt from what *is* vouched for, and bytes that are not exactly that form are refused:

* the information (which digest, when), by its digest in the signed attributes;
* the signed attributes, by the signature;
* the signer's certificate, by its digest in the signed attributes (RFC 5035, RFC 2634); there is no other certificate;
* names of algorithms follow from the key.

Whose certificate it is, is not asked here. No package for timestamps is needed, so that an altered token is refused
also where no authority is named (I-2).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_der_x509_certificate

from audit.record.der import CONTEXT_0, CONTEXT_1, INTEGER, NULL, OCTETS, OID, SEQUENCE, SET, items, node, of, whole
from audit.record.errors import VerificationError

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2
_INFORMATION = bytes.fromhex("2a864886f70d0109100104")  # id-ct-TSTInfo
_CONTENT_TYPE, _MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010903"), bytes.fromhex("2a864886f70d010904")
_SIGNING_CERTIFICATE = bytes.fromhex("2a864886f70d010910020c")  # RFC 2634: SHA-1
_SIGNING_CERTIFICATE_2 = bytes.fromhex("2a864886f70d010910022f")  # RFC 5035
_RSA = bytes.fromhex("2a864886f70d010101")  # rsaEncryption: RSA under the digest algorithm named before
_SHA256 = bytes.fromhex("608648016503040201")
_DIGESTS: dict[bytes, tuple[str, hashes.HashAlgorithm, bytes]] = {  # SHA-2 with its ecdsa-with-SHA2 (RFC 5754)
    _SHA256: ("sha256", hashes.SHA256(), bytes.fromhex("2a8648ce3d040302")),
    bytes.fromhex("608648016503040202"): ("sha384", hashes.SHA384(), bytes.fromhex("2a8648ce3d040303")),
    bytes.fromhex("608648016503040203"): ("sha512", hashes.SHA512(), bytes.fromhex("2a8648ce3d040304")),
}
_GRANTED, _ONE, _THREE = (bytes([INTEGER, 1, number]) for number in (0, 1, 3))


@dataclass(frozen=True)
class Token:
    """What an authority vouches for: each field is content without tag and length, but for the certificate's DER.

    ``digest`` is the object identifier of the algorithm that information and attributes were digested with.
    """

    information: bytes
    attributes: bytes
    signature: bytes
    certificate: bytes
    digest: bytes

    @classmethod
    def read(cls, answer: bytes) -> Self:
        """The token in an authority's answer, in whatever form; no signature is checked.

        Raises
        ------
        VerificationError
            Not an answer that grants a token: cut short, another form, or more than one signer.
        """
        try:
            return cls(*_parts(answer))
        except (ValueError, IndexError):
            raise VerificationError("is not an RFC 3161 answer that grants a token") from None

    @classmethod
    def open(cls, content: bytes, envelope: bytes) -> Self:
        """The token in a file, if every byte is vouched for and it is over the SHA-256 of ``envelope``.

        Raises
        ------
        VerificationError
            In another form than ``to_bytes`` gives, over something else, or the signature does not hold.
        """
        token = cls.read(content)
        token._check_bound(envelope)  # first, so that no certificate is parsed that nobody has signed for
        if not hmac.compare_digest(token.to_bytes(), content):
            raise VerificationError("was altered, or holds more than the token; have it made by gateway timestamp")
        token._check_signature()
        return token

    def to_bytes(self) -> bytes:
        """The one form in which a token is kept: an answer (DER) with nothing in it that nobody vouches for.

        Raises
        ------
        VerificationError
            The signer's key is of a kind that no form is known for.
        """
        algorithm = node(SEQUENCE, node(OID, self.digest))
        serial, issuer = _named_by(self.certificate)
        signer = node(
            SEQUENCE,
            _ONE,
            node(SEQUENCE, issuer, serial),
            algorithm,
            node(CONTEXT_0, self.attributes),
            self._signature_algorithm(),
            node(OCTETS, self.signature),
        )
        signed = node(
            SEQUENCE,
            _THREE,
            node(SET, algorithm),
            node(SEQUENCE, node(OID, _INFORMATION), node(CONTEXT_0, node(OCTETS, self.information))),
            node(CONTEXT_0, self.certificate),
            node(SET, signer),
        )
        wrapped = node(SEQUENCE, node(OID, _SIGNED_DATA), node(CONTEXT_0, signed))
        return node(SEQUENCE, node(SEQUENCE, _GRANTED), wrapped)

    def _check_bound(self, envelope: bytes) -> None:
        name = _DIGESTS[self.digest][0]
        try:
            found = dict(_attributes(self.attributes))
            imprinted = _imprint(self.information)
            bound = _is_bound(self.certificate, found)
        except (ValueError, IndexError):
            raise VerificationError("has not the signed attributes of a timestamp token") from None
        if imprinted != (_SHA256, hashlib.sha256(envelope).digest()):
            raise VerificationError("is over another record")
        digested = node(OCTETS, hashlib.new(name, self.information).digest())
        if not bound or found.get(_CONTENT_TYPE) != node(OID, _INFORMATION) or found.get(_MESSAGE_DIGEST) != digested:
            raise VerificationError("was altered: its signed attributes are of other contents or another certificate")

    def _check_signature(self) -> None:
        key, message, algorithm = self._key(), node(SET, self.attributes), _DIGESTS[self.digest][1]
        try:
            if isinstance(key, RSAPublicKey):
                key.verify(self.signature, message, PKCS1v15(), algorithm)
            else:
                key.verify(self.signature, message, ECDSA(algorithm))
        except (InvalidSignature, UnsupportedAlgorithm):
            raise VerificationError("was altered: its signature does not hold") from None

    def _signature_algorithm(self) -> bytes:
        if isinstance(self._key(), RSAPublicKey):
            return node(SEQUENCE, node(OID, _RSA), node(NULL))
        return node(SEQUENCE, node(OID, _DIGESTS[self.digest][2]))

    def _key(self) -> RSAPublicKey | EllipticCurvePublicKey:
        try:
            key = load_der_x509_certificate(self.certificate).public_key()
        except (ValueError, UnsupportedAlgorithm):
            raise VerificationError("holds a certificate that cannot be read") from None
        if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
            raise VerificationError("is signed by a kind of key that is not supported: neither RSA nor ECDSA")
        return key


def _parts(answer: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    (content,) = of(items(answer), SEQUENCE)
    status, wrapped = of(items(content), SEQUENCE, SEQUENCE)
    kind, explicit = of(items(wrapped), OID, CONTEXT_0)
    (signed,) = of(items(explicit), SEQUENCE)
    parts = items(signed)
    certificates = [each for tag, content in parts if tag == CONTEXT_0 for each in whole(content)]
    rest = [each for each in parts if each[0] not in (CONTEXT_0, CONTEXT_1)]  # [1]: revocation lists
    _, _, encapsulated, signers = of(rest, INTEGER, SET, SEQUENCE, SET)
    content_type, inner = of(items(encapsulated), OID, CONTEXT_0)
    (information,) = of(items(inner), OCTETS)
    (signer,) = of(items(signers), SEQUENCE)
    rest = [each for each in items(signer) if each[0] != CONTEXT_1]  # unsigned attributes
    tags = INTEGER, SEQUENCE, SEQUENCE, CONTEXT_0, SEQUENCE, OCTETS
    _, named, digest, attributes, _, signature = of(rest, *tags)
    issuer, serial = whole(named)
    certificate = next((each for each in certificates if _named_by(each) == (serial, issuer)), b"")
    algorithm = items(digest)[0][1]
    if items(status)[0] != (INTEGER, b"\0") or (kind, content_type) != (_SIGNED_DATA, _INFORMATION):
        raise ValueError("refused, or another kind of document")
    if not certificate or algorithm not in _DIGESTS:
        raise ValueError("no certificate of its signer, or no SHA-2")
    return information, attributes, signature, certificate, algorithm


def _named_by(certificate: bytes) -> tuple[bytes, bytes]:
    """Serial number and issuer of a certificate (RFC 5280, 4.1), each with tag and length."""
    (content,) = of(items(certificate), SEQUENCE)
    parts = whole(items(content)[0][1])
    first = 1 if parts[0][0] == CONTEXT_0 else 0  # the version
    return parts[first], parts[first + 2]


def _attributes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and single value of each signed attribute (RFC 5652, 5.3), the value with tag and length."""
    for tag, attribute in items(content):
        if tag != SEQUENCE:
            raise ValueError("no attribute")
        name, values = of(items(attribute), OID, SET)
        (value,) = whole(values)
        yield name, value


def _imprint(information: bytes) -> tuple[bytes, bytes]:
    """Digest algorithm and digest that a TSTInfo is about (RFC 3161, 2.4.2)."""
    (content,) = of(items(information), SEQUENCE)
    _, _, imprint = of(items(content)[:3], INTEGER, OID, SEQUENCE)
    algorithm, digest = of(items(imprint), SEQUENCE, OCTETS)
    return items(algorithm)[0][1], digest


def _is_bound(certificate: bytes, attributes: dict[bytes, bytes]) -> bool:
    """Whether the signer has signed the digest of this very certificate."""
    value, name = attributes.get(_SIGNING_CERTIFICATE_2), "sha256"
    if value is None:
        value, name = attributes.get(_SIGNING_CERTIFICATE, b""), "sha1"
    (content,) = of(items(value), SEQUENCE)
    (first, *_) = items(items(content)[0][1])
    parts = items(first[1])
    if parts[0][0] == SEQUENCE:  # an algorithm other than the default
        name = _DIGESTS[items(parts[0][1])[0][1]][0] if items(parts[0][1])[0][1] in _DIGESTS else ""
        parts = parts[1:]
    if not name or parts[0][0] != OCTETS:
        return False
    return hmac.compare_digest(parts[0][1], hashlib.new(name, certificate, usedforsecurity=name != "sha1").digest())
