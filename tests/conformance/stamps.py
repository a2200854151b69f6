"""Records with a timestamp by an authority whose key everybody knows, and timestamps that must not be believed.

The tokens are put together here, from RFC 3161 and RFC 5652 alone: a second opinion on the form that is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.conformance.parts import AHEAD, DECIDED, EXPIRES, PAST, RECORD_FILE, Case, Files, bundle

Authority = ec.EllipticCurvePrivateKey
TSR = "record.tsr"
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST, CERTIFICATE = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.16.2.47"
SHA256, ECDSA = "2.16.840.1.101.3.4.2.1", "1.2.840.10045.4.3.2"


def key(number: int) -> Authority:
    """A key everybody knows: the private number."""
    return ec.derive_private_key(number, ec.SECP256R1())


ROOT, SIGNER, STRANGER = key(8), key(9), key(10)


def certificate(name: str, holder: Authority, issuer: Authority) -> x509.Certificate:
    """Of the root, or of an authority under it; signed the same each time (RFC 6979)."""
    root = holder is issuer
    use = x509.KeyUsage(not root, False, False, False, False, root, False, False, False)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Timestamps")]))
        .public_key(holder.public_key())
        .serial_number(7 if root else 8)
        .not_valid_before(PAST)
        .not_valid_after(EXPIRES)
        .add_extension(x509.BasicConstraints(root, None), critical=True)
        .add_extension(use, critical=True)
    )
    if not root:
        made = made.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return made.sign(issuer, hashes.SHA256(), ecdsa_deterministic=True)


def root_pem() -> bytes:
    return certificate("Timestamps", ROOT, ROOT).public_bytes(Encoding.PEM)


def token(over: bytes, at: datetime, *, signer: Authority = SIGNER, unsigned: bytes = b"", text: bytes = b"") -> bytes:
    """An authority's answer; ``unsigned`` attributes and a status ``text`` where they are given."""
    own = certificate("Timestamps one", signer, ROOT if signer is SIGNER else STRANGER)
    sha256 = sequence(oid(SHA256))
    imprint = sequence(sha256, element(0x04, hashlib.sha256(over).digest()))
    when = element(0x18, f"{at:%Y%m%d%H%M%SZ}".encode())
    information = sequence(integer(1), oid("1.2.3.4.1"), imprint, integer(1), when)
    whole = own.public_bytes(Encoding.DER)
    named = sequence(sequence(sequence(element(0x04, hashlib.sha256(whole).digest()))))
    attributes = b"".join(
        sorted(
            sequence(oid(name), element(0x31, value))
            for name, value in (
                (CONTENT_TYPE, oid(TST_INFO)),
                (MESSAGE_DIGEST, element(0x04, hashlib.sha256(information).digest())),
                (CERTIFICATE, named),
            )
        )
    )
    signature = signer.sign(element(0x31, attributes), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    signed = sequence(
        integer(1),
        sequence(own.issuer.public_bytes(), integer(own.serial_number)),
        sha256,
        element(0xA0, attributes),
        sequence(oid(ECDSA)),
        element(0x04, signature),
        unsigned,
    )
    content = sequence(oid(TST_INFO), element(0xA0, element(0x04, information)))
    data = sequence(integer(3), element(0x31, sha256), content, element(0xA0, whole), element(0x31, signed))
    return sequence(sequence(integer(0), text), sequence(oid(SIGNED_DATA), element(0xA0, data)))


def timestamps() -> Iterator[Case]:
    good = bundle()
    record, seen = good[RECORD_FILE], DECIDED + timedelta(hours=1)
    plain = token(record, seen)

    def case(name: str, about: str, content: bytes, why: str | None = "timestamp", *, asked: bool = True) -> Case:
        files: Files = {**good, TSR: content}
        return Case(f"timestamp-{name}", about, files, why, authority="authority" if asked else None)

    yield case("valid", "The authority that is named saw the record.", plain, None)
    yield case("unread", "A timestamp, and no authority is named: it counts for nothing.", plain, None, asked=False)
    yield case("other-record", "Of another record; no authority is named.", token(b"other", seen), asked=False)
    yield case("other-authority", "By an authority that nobody named.", token(record, seen, signer=STRANGER))
    early = token(record, DECIDED - timedelta(hours=1))
    yield case("too-early", "The authority saw the record an hour before it was decided.", early)
    yield case("ahead", "The authority says that it saw the record in the year 9998.", token(record, AHEAD), "clock")
    text = sequence(element(0x0C, b"fine"))
    yield case(
        "text", "A text beside the status, which nobody has signed.", token(record, seen, text=text), asked=False
    )
    more = element(0xA1, sequence(oid("1.2.3.4"), element(0x31, element(0x04, b"x"))))
    yield case("unsigned", "An attribute that nobody has signed.", token(record, seen, unsigned=more), asked=False)
    status = plain.replace(sequence(integer(0)), sequence(integer(1)), 1)
    yield case("status", "Granted with modifications, says a byte that nobody has signed.", status, asked=False)
    version = plain.replace(integer(3) + b"\x31", integer(4) + b"\x31", 1)
    yield case("version", "Another version of the format, in a byte that nobody has signed.", version, asked=False)
    yield case("flipped", "One bit of the signature.", plain[:-1] + bytes([plain[-1] ^ 1]), asked=False)
    yield case("truncated", "The end is missing.", plain[:-1], asked=False)
    yield case("text-file", "No timestamp at all.", b"seen\n", asked=False)


def element(tag: int, *parts: bytes) -> bytes:
    """DER (X.690)."""
    content = b"".join(parts)
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, size] if size < 128 else [tag, 128 + len(long), *long]) + content


def sequence(*parts: bytes) -> bytes:
    return element(0x30, *parts)


def integer(number: int) -> bytes:
    return element(0x02, bytes([number]))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray([40 * first + second])
    for number in rest:
        groups = [number & 127]
        while number := number >> 7:
            groups.append(number & 127 | 128)
        content += bytes(reversed(groups))
    return element(0x06, bytes(content))
