"""How is a private key encrypted under a passphrase, so that a stolen file does not yield to guessing?

PKCS#8 as ``cryptography`` and OpenSSL read it, with PBES2 (RFC 8018, section 6.2): the passphrase is stretched by
scrypt (RFC 7914), then the key is encrypted with AES-256 in CBC mode. ``cryptography`` reads this but itself writes
PBKDF2 with 2048 rounds alone, and its OpenSSH format needs a further package, so the few bytes around are put
together here. The OpenSSL command line reads such a file only with its own limit of 32 MiB raised.
"""

from __future__ import annotations

import base64
import os
import textwrap

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit.record.der import INTEGER, OCTETS, SEQUENCE, node

FIRST_LINE = "-----BEGIN ENCRYPTED PRIVATE KEY-----"
# scrypt's N: 128 MiB and about 0.45 s for each guess on one core; the least that the OWASP Password Storage Cheat Sheet
# asks for with r = 8, p = 1
SCRYPT_COST = 2**17
_BLOCK, _PARALLEL = 8, 1

# object identifiers, as DER: RFC 8018, appendix A.4; RFC 7914, section 7; RFC 8018, appendix B.2.5
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def encrypted_pem(key: Ed25519PrivateKey, passphrase: bytes) -> bytes:
    """An EncryptedPrivateKeyInfo (RFC 5958) as PEM, with salt and initialisation vector of its own."""
    salt, start = os.urandom(16), os.urandom(16)
    secret = Scrypt(salt=salt, length=32, n=SCRYPT_COST, r=_BLOCK, p=_PARALLEL).derive(passphrase)
    padder = PKCS7(algorithms.AES.block_size).padder()
    plain = padder.update(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())) + padder.finalize()
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(start)).encryptor()
    encrypted = encryptor.update(plain) + encryptor.finalize()
    work = _sequence(node(OCTETS, salt), *map(_integer, (SCRYPT_COST, _BLOCK, _PARALLEL)))
    method = _sequence(_sequence(_SCRYPT, work), _sequence(_AES_256_CBC, node(OCTETS, start)))
    body = base64.b64encode(_sequence(_sequence(_PBES2, method), node(OCTETS, encrypted))).decode()
    return "\n".join((FIRST_LINE, *textwrap.wrap(body, 64), FIRST_LINE.replace("BEGIN", "END"), "")).encode()


def _sequence(*parts: bytes) -> bytes:
    return node(SEQUENCE, *parts)


def _integer(number: int) -> bytes:
    return node(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
