"""What a log's key signs beside checkpoints: entries one by one, and statements about keys."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from chained_logging.format.canonical import canonical
from chained_logging.format.vkey import ED25519, Signer, VerifierKey


def verifier_key(origin: str, signer: Signer) -> str:
    """Return a log's public key as a C2SP ``vkey``: ``origin+key ID+key``."""
    return named_key(origin, signer.public_key)


def named_key(origin: str, public_key: bytes) -> str:
    """As :func:`verifier_key`, for the 32 bytes of a public key."""
    return VerifierKey(origin, ED25519, public_key).format()


def entry_message(hash: str) -> bytes:
    """Return what ``sign="each"`` signs for an entry: a line of its own, so that the signature
    is of use for nothing else, and the entry's hash."""
    return f"chained-logging entry v1\n{hash}\n".encode()


def statement_message(
    action: str, origin: str, seq: int, prev_hash: str, signer: str, key: str
) -> bytes:
    """Return what a log's key signs to name the next key, to revoke one, or to state a decision.

    It is bound to its position, because ``prev_hash`` fixes all entries before. So a statement is
    valid nowhere else. The format is in ``docs/format.md``.

    :param action: that of the entry, such as ``key.rotate``.
    :param seq: of the entry that holds the statement, as is `prev_hash`.
    :param signer: the log's key until then, as a vkey.
    :param key: the key that it names or revokes; of a decision, :func:`context_digest`.
    """
    return f"chained-logging {action} v1\n{origin}\n{seq}\n{prev_hash}\n{signer}\n{key}\n".encode()


def made_statement(key: VerifierKey, message: bytes, signature: bytes) -> bool:
    """Whether `key` signed this message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def context_digest(context: Mapping[str, Any]) -> str:
    """Return what a statement about a decision names: the SHA-256, in hexadecimal digits, of the
    entry's context without the statement itself.

    :raises ValueError: if the context has no canonical form.
    """
    about = {name: value for name, value in context.items() if name != "statement"}
    return hashlib.sha256(canonical(about)).hexdigest()


def is_stated(
    action: str, origin: str, seq: int, prev_hash: str, key: VerifierKey, context: Mapping[str, Any]
) -> bool:
    """Whether the context of a decision holds a statement about it that `key` signed.

    :param seq: of the entry, as are `action`, `prev_hash` and `context`.
    """
    try:
        signature = base64.b64decode(str(context.get("statement")), validate=True)
        digest = context_digest(context)
    except (ValueError, RecursionError):
        return False
    message = statement_message(action, origin, seq, prev_hash, key.format(), digest)
    return made_statement(key, message, signature)
