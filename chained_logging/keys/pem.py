"""Keys as PEM (RFC 7468), and private ones as encrypted PKCS#8 (RFC 5958)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Final

ITERATIONS: Final = 600_000
"""Rounds of PBKDF2-HMAC-SHA256 for an encrypted key, as OWASP has it; OpenSSL's default is 2,048.
They are what each guess of a passphrase costs: about 0.2 s."""

LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----(.*?)-----END \1-----", re.DOTALL)


def to_pem(label: str, der: bytes) -> str:
    """Return bytes as a PEM block (RFC 7468)."""
    encoded = base64.b64encode(der).decode()
    lines = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    return "".join(
        f"{line}\n" for line in (f"-----BEGIN {label}-----", *lines, f"-----END {label}-----")
    )


_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("300c06082a864886f70d02090500")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def encrypted_pkcs8(der: bytes, passphrase: bytes) -> bytes:
    """Return a PKCS#8 key as an EncryptedPrivateKeyInfo (RFC 5958, 3; RFC 8018, A.4).

    Put together here because `cryptography` leaves the number of rounds at OpenSSL's 2,048.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    key = hashlib.pbkdf2_hmac("sha256", passphrase, salt, ITERATIONS, 32)
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(der) + padder.finalize()) + encryptor.finalize()
    rounds = ITERATIONS.to_bytes(ITERATIONS.bit_length() // 8 + 1, "big")  # never negative
    derivation = _tlv(0x30, _tlv(0x04, salt), _tlv(0x02, rounds), _HMAC_SHA256)
    scheme = _tlv(
        0x30,
        _PBES2,
        _tlv(
            0x30,
            _tlv(0x30, _PBKDF2, derivation),
            _tlv(0x30, _AES_256_CBC, _tlv(0x04, iv)),
        ),
    )
    return _tlv(0x30, scheme, _tlv(0x04, ciphertext))


def _tlv(tag: int, *parts: bytes) -> bytes:
    """Return a DER value of less than 256 bytes."""
    content = b"".join(parts)
    length = bytes([len(content)])
    return bytes([tag]) + (length if len(content) < 128 else b"\x81" + length) + content
