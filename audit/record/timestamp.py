"""Did a timestamp authority see this record, and when?

RFC 3161: the authority signs the SHA-256 of the envelope and its own time; it learns nothing else. The answer lies
beside the record as ``record.tsr`` and is checked without a network against the authority's certificate. It bounds a
record's date from outside the custodian's house, which is what is left when the gate's keys are stolen.

Optional: needs the package ``rfc3161-client``, imported when it is used; all else verifies without it (I-2).
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from cryptography.x509 import Certificate, load_pem_x509_certificates

from audit.record import files, tokenform
from audit.record.clock import CLOCK_TOLERANCE
from audit.record.errors import KeyFileError, TimestampError, VerificationError
from audit.record.statement import TIMESTAMP_FILE

__all__ = ["TIMESTAMP_FILE", "Authorities", "check", "check_address", "obtain", "read", "verify"]

MAX_BYTES = 64 * 1024
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Authorities:
    """Certificates that lead to the timestamp authorities a verifier trusts."""

    certificates: tuple[Certificate, ...]

    @classmethod
    def parse(cls, pem: bytes, *, name: str = "authority") -> Authorities:
        """The certificates in a PEM file: the authority's root, and whatever lies between that and its own.

        Raises
        ------
        KeyFileError
            Not certificates, or the package that checks timestamps is not installed.
        """
        _client()
        try:
            found = tuple(load_pem_x509_certificates(pem))
        except ValueError:
            raise KeyFileError(f"{name}: is not a PEM certificate; ask the timestamp authority for its own") from None
        return cls(tuple(dict.fromkeys(found)))

    @classmethod
    def load(cls, path: Path) -> Authorities:
        """As ``parse``, from a file."""
        return cls.parse(files.read(path, maximum=MAX_BYTES, error=KeyFileError), name=path.name)


def read(folder: Path) -> bytes | None:
    """The token that lies in a bundle, or ``None``; it is not checked here.

    Raises
    ------
    VerificationError
        There is one, and it is a link, no file, or longer than any token.
    """
    path = folder / TIMESTAMP_FILE
    if not os.path.lexists(path):
        return None
    return files.read(path, maximum=MAX_BYTES, error=VerificationError)


def check(token: bytes, envelope: bytes) -> None:
    """Return if every byte of ``token`` is vouched for and it is over ``envelope``; by whom is not asked. No package.

    Raises
    ------
    VerificationError
        Altered, over another record, or no token: it says nothing to anybody.
    """
    try:
        tokenform.Token.open(token, envelope)
    except VerificationError as cause:
        raise VerificationError(f"{TIMESTAMP_FILE}: {cause}; remove it, or ask for another") from None


def obtain(envelope: bytes, url: str, authorities: Authorities, *, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """A token over ``envelope`` from the authority at ``url`` (http or https), checked before it is returned.

    It is returned in the one form in which tokens are kept (``tokenform``), without the authority's other certificates:
    ``authorities`` must lead to the signer's own.

    Raises
    ------
    TimestampError
        The authority cannot be reached, refuses, or answers with something else than a token for this request; or its
        clock is another than this computer's.
    """
    check_address(url)
    client = _client()
    builder = client.TimestampRequestBuilder().data(envelope).hash_algorithm(client.HashAlgorithm.SHA256)
    asked = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    answer = _post(url, asked.as_bytes(), timeout)
    try:
        _check(answer, envelope, authorities, nonce=asked.nonce)
        token = tokenform.Token.read(answer).to_bytes()
        check(token, envelope)
    except VerificationError as cause:
        raise TimestampError(f"the timestamp authority's answer cannot be used: {cause}") from None
    try:
        at = verify(token, envelope, authorities)
    except VerificationError as cause:
        raise TimestampError(
            f"the timestamp authority's answer holds only with certificates that a verifier does not get: {cause}; add "
            "those between the root and the authority's own to the file of its certificates"
        ) from None
    apart = abs(at - datetime.now(UTC))
    if apart > CLOCK_TOLERANCE:
        raise TimestampError(
            f"the timestamp authority's clock and this computer's are {apart.total_seconds() / 60:.0f} minutes apart, "
            "and a verifier would refuse the record for that; set the clock and try again"
        )
    return token


def check_address(url: str) -> None:
    """Return if this can be a timestamp authority's address.

    Raises
    ------
    TimestampError
        Neither http nor https.
    """
    try:
        usable = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        usable = False
    if not usable:
        raise TimestampError("a timestamp authority's address begins with http:// or https://")


def verify(token: bytes, envelope: bytes, authorities: Authorities) -> datetime:
    """When one of ``authorities`` saw ``envelope``; certificates must have been valid then, not now.

    Raises
    ------
    VerificationError
        Not a token, altered in any byte, over another record, or not by one of them.
    """
    check(token, envelope)
    return _check(token, envelope, authorities, nonce=None)


def _check(token: bytes, envelope: bytes, authorities: Authorities, *, nonce: int | None) -> datetime:
    client = _client()
    try:
        response = client.decode_timestamp_response(token)
        status, info = response.status, response.tst_info if response.status == 0 else None
    except ValueError:  # the parser takes DER alone, and nothing after it
        raise VerificationError(f"{TIMESTAMP_FILE}: is not an RFC 3161 answer") from None
    if info is None:
        raise VerificationError(f"{TIMESTAMP_FILE}: the authority refused (status {status})")
    verifier: Any = client.VerifierBuilder(roots=list(authorities.certificates), nonce=nonce).build()
    try:
        verifier.verify_message(response, envelope)
    except (client.VerificationError, ValueError) as cause:
        raise VerificationError(
            f"{TIMESTAMP_FILE}: is not a timestamp of this record by that authority ({cause}); ask for another"
        ) from None
    at: datetime = info.gen_time
    return at.astimezone(UTC)


def _post(url: str, body: bytes, timeout: float) -> bytes:
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    request = urllib.request.Request(url, body, headers)  # noqa: S310  # the scheme has been checked
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            content: bytes = answer.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as cause:
        with cause:
            raise TimestampError(f"the timestamp authority answered with HTTP status {cause.code}; try again") from None
    except (OSError, http.client.HTTPException, ValueError) as cause:  # ValueError: no name of a host
        raise TimestampError(
            f"the timestamp authority cannot be reached ({type(cause).__name__}); check the address and try again"
        ) from None
    if len(content) > MAX_BYTES:
        raise TimestampError(f"the timestamp authority's answer is longer than {MAX_BYTES} bytes; check the address")
    return content


def _client() -> ModuleType:
    try:
        import rfc3161_client
    except ModuleNotFoundError:
        raise KeyFileError("timestamps need the package rfc3161-client: pip install 'sluice-gate[timestamp]'") from None
    return rfc3161_client
