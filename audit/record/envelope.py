"""How is a payload signed, and how does it come out again only through the check?

Dead Simple Signing Envelope 1.0.0 (secure-systems-lab/dsse, protocol.md and envelope.md) with Ed25519 or ECDSA; the
kind of the key says which. Narrower than the specification where it leaves a choice, so that one envelope has one
spelling: the file is canonical JSON, base64 is the standard alphabet, and unknown fields are refused. Key ids are
hints; every trusted key is tried on every signature. (An ECDSA signature has a twin that anyone can compute; it is the
log entry, over the envelope's bytes, that holds a record to one of the two.)
"""

from __future__ import annotations

from collections.abc import Sequence

from audit.record import canonical
from audit.record.encoding import from_base64, to_base64
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import EnvelopeSigner, Trusted, is_signed, key_id, public_keys

IN_TOTO = "application/vnd.in-toto+json"
MAX_BYTES = 4 * 1024 * 1024
MAX_SIGNATURES = 32


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE pre-authentication encoding, lengths in UTF-8 bytes."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, payload_type: str, signer: EnvelopeSigner, *others: EnvelopeSigner) -> bytes:
    """The bytes of an envelope around ``payload``, signed by every signer, in the order given.

    Raises
    ------
    RecordError
        Two signers hold one key, or the envelope would exceed 4 MiB or 32 signatures.
    """
    signers = (signer, *others)
    ids = [key_id(each.public_key()) for each in signers]
    if len(set(ids)) != len(ids):
        raise RecordError("one key signs twice; give each signer once")
    if len(ids) > MAX_SIGNATURES:
        raise RecordError(f"{len(ids)} signers, expected at most {MAX_SIGNATURES}")
    message = pae(payload_type, payload)
    content = canonical.encode(
        {
            "payload": to_base64(payload),
            "payloadType": payload_type,
            "signatures": [
                {"keyid": name, "sig": to_base64(each.sign(message))} for name, each in zip(ids, signers, strict=True)
            ],
        }
    )
    if len(content) > MAX_BYTES:
        raise RecordError(f"the envelope has {len(content)} bytes, expected at most {MAX_BYTES}; shorten the record")
    return content


def verify(envelope: bytes, trusted: Trusted, *, payload_type: str, threshold: int = 1) -> bytes:
    """The payload, if at least ``threshold`` different trusted keys signed it as ``payload_type``.

    Signatures by keys that are not trusted neither help nor harm.

    Raises
    ------
    VerificationError
        Not a canonical envelope, another payload type, or too few good signatures by trusted keys.
    KeyFileError
        ``trusted`` holds no key, or bytes that are no public key.
    RecordError
        ``threshold`` is below 1 or above the number of trusted keys.
    """
    return verify_signers(envelope, trusted, payload_type=payload_type, threshold=threshold)[0]


def verify_signers(
    envelope: bytes, trusted: Trusted, *, payload_type: str, threshold: int = 1
) -> tuple[bytes, tuple[str, ...]]:
    """As ``verify``, with the ids of the trusted keys whose signatures are good, in the order trusted."""
    keys = public_keys(trusted)
    if not 1 <= threshold <= len(keys):
        raise RecordError(f"threshold is {threshold}, expected between 1 and the {len(keys)} trusted keys")
    kind, payload, signatures = _parse(envelope)
    message = pae(kind, payload)
    signed = tuple(key_id(key) for key in keys if any(is_signed(key, signature, message) for signature in signatures))
    if len(signed) < threshold:
        raise VerificationError(
            f"good signatures by {len(signed)} of {len(keys)} trusted keys, expected {threshold}: altered, or signed "
            "by another key; check that this is the custodian's public key, else do not use the record"
        )
    if kind != payload_type:
        raise VerificationError(f"the payload type is not {payload_type}; this envelope holds another kind of document")
    return payload, signed


def _parse(envelope: bytes) -> tuple[str, bytes, Sequence[bytes]]:
    document = canonical.parse(envelope, maximum=MAX_BYTES, what="envelope")
    try:
        return _parts(document)
    except RecordError as cause:
        raise VerificationError(f"envelope: {cause}; do not use the record") from None


def _parts(document: object) -> tuple[str, bytes, Sequence[bytes]]:
    fields = _fields(document, required={"payload", "payloadType", "signatures"}, optional=set())
    kind, listed = fields["payloadType"], fields["signatures"]
    if not isinstance(kind, str) or not isinstance(listed, list):
        raise RecordError("payloadType must be text and signatures a list")
    if not 1 <= len(listed) <= MAX_SIGNATURES:
        raise RecordError(f"{len(listed)} signatures, expected 1 to {MAX_SIGNATURES}")
    return kind, from_base64(fields["payload"], "payload"), [_signature(entry) for entry in listed]


def _signature(entry: object) -> bytes:
    fields = _fields(entry, required={"sig"}, optional={"keyid"})
    if not isinstance(fields.get("keyid", ""), str):
        raise RecordError("keyid must be text")
    return from_base64(fields["sig"], "sig")


def _fields(value: object, *, required: set[str], optional: set[str]) -> dict[str, object]:
    if not isinstance(value, dict) or not required <= value.keys() <= required | optional:
        raise RecordError(f"expected an object with exactly the fields {', '.join(sorted(required | optional))}")
    return value
