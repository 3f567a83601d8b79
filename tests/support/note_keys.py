"""The keys of a log and a witness, as anybody might keep them."""

from __future__ import annotations

import hashlib

import oracles

from chained_logging.format.vkey import COSIGNATURE, ED25519, VerifierKey

ed25519 = oracles.module("cryptography.hazmat.primitives.asymmetric.ed25519")


class Key:
    """A private key, as anybody might keep one."""

    def __init__(self, seed: bytes) -> None:
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        signature: bytes = self._key.sign(data)
        return signature


LOG, OTHER, WITNESS = (Key(hashlib.sha256(name).digest()) for name in (b"a", b"b", b"c"))
ORIGIN = "example.com/audit/web"
LOG_KEY = VerifierKey(ORIGIN, ED25519, LOG.public_key)
OTHER_KEY = VerifierKey("example.com/other", ED25519, OTHER.public_key)
WITNESS_KEY = VerifierKey("witness.example/w1", COSIGNATURE, WITNESS.public_key)
