"""What a log's key signs beside checkpoints: entries one by one, and statements about keys."""

from __future__ import annotations

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
    """Return what a log's key signs to name the next key, or to revoke one.

    It is bound to its position, because ``prev_hash`` fixes all entries before. So a statement is
    valid nowhere else. The format is in ``docs/format.md``.

    :param action: ``key.rotate`` or ``key.revoke``.
    :param seq: of the entry that holds the statement, as is `prev_hash`.
    :param signer: the log's key until then, as a vkey.
    :param key: the key that it names or revokes.
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
