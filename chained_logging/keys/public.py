"""Public keys as text: PEM, or a C2SP vkey."""

from __future__ import annotations

import base64
import os
import re
from typing import NamedTuple

from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys.owner_file import MAX_FILE, StrPath
from chained_logging.keys.pem import BLOCK, to_pem


class PublicKey(NamedTuple):
    """A public key, and its name if it has one."""

    name: str | None
    """That of a vkey. Of a log it is the origin, by custom."""
    raw: bytes
    """The 32 bytes of the key (RFC 8032)."""


_VKEY = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}")

_SPKI = bytes.fromhex("302a300506032b6570032100")
"""The prefix of the 32 bytes in a SubjectPublicKeyInfo of Ed25519 (RFC 8410, 4)."""


def public_pem(raw: bytes) -> str:
    """Return a public key as PEM, for ``openssl pkeyutl -verify -pubin`` and other programs.

    :param raw: the 32 bytes of the key.
    :raises ValueError: if they are not 32.
    """
    if len(raw) != 32:
        raise ValueError(f"an Ed25519 public key must have 32 bytes, not {len(raw)}")
    return to_pem("PUBLIC KEY", _SPKI + raw)


def load_public(path_or_text: StrPath) -> PublicKey:
    """Return the public key that a file or a text holds: as PEM, as a C2SP vkey, or as both.

    If it is both, as the command ``keygen`` prints them, they must be the same key. Other text
    around a PEM block is ignored (RFC 7468, 2).

    :param path_or_text: a string is a text if it has a PEM block or several lines, or is formed
        like a vkey; else it is a file's name, as a :class:`~pathlib.Path` always is.
    :raises OSError: if the file cannot be read.
    :raises ValueError: if there is no public key in it, or more than one; or it is not an Ed25519
        key that signs notes. The key of a witness (a vkey of type 0x04) is not one.
    """
    text = os.fspath(path_or_text)
    if isinstance(path_or_text, str) and _is_key_text(text):
        return _public_key(text, "the text")
    try:
        with open(text, "rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise FileNotFoundError(f"{text} is neither a file nor a public key") from None
    if len(data) > MAX_FILE:
        raise ValueError(f"{text} is not a public key: it has more than {MAX_FILE} bytes")
    try:
        return _public_key(data.decode(), text)
    except UnicodeDecodeError:
        raise ValueError(f"{text} is not a public key: it is not text") from None


def _is_key_text(text: str) -> bool:
    stripped = text.strip()
    return "-----BEGIN " in text or "\n" in stripped or bool(_VKEY.fullmatch(stripped))


def _public_key(text: str, where: str) -> PublicKey:
    if len(text) > MAX_FILE:
        raise ValueError(f"{where} is not a public key: it has more than {MAX_FILE} bytes")
    blocks = BLOCK.findall(text) if text.count("-----BEGIN ") == 1 else []
    # Without PEM all there is must be a vkey; beside it, it may be any text.
    lines = BLOCK.sub("", text).split("\n") if blocks else [text]
    vkeys = [line for line in map(str.strip, lines) if _VKEY.fullmatch(line)]
    if len(vkeys) > 1 or not (blocks or vkeys):
        raise ValueError(f"{where} is not one public key, as PEM or as a vkey (name+ID+key)")
    keys = [_from_pem(label, body, where) for label, body in blocks]
    keys += [_from_vkey(vkey, where) for vkey in vkeys]
    if len({key.raw for key in keys}) > 1:
        raise ValueError(f"the PEM and the vkey in {where} are not the same key")
    return keys[-1]


def _from_pem(label: str, body: str, where: str) -> PublicKey:
    if label != "PUBLIC KEY":
        raise ValueError(f"{where} has a {label} in it, not a PUBLIC KEY")
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
    except ValueError:
        raise ValueError(f"the public key in {where} is damaged") from None
    if len(der) != len(_SPKI) + 32 or not der.startswith(_SPKI):
        raise ValueError(f"the public key in {where} is not an Ed25519 key")
    raw = der[len(_SPKI) :]
    try:
        VerifierKey("any", ED25519, raw)  # not a point of small order
    except NoteError as error:
        raise ValueError(f"the public key in {where} is not valid: {error}") from None
    return PublicKey(None, raw)


def _from_vkey(vkey: str, where: str) -> PublicKey:
    try:
        key = VerifierKey.parse(vkey)
    except NoteError as error:
        raise ValueError(f"the public key in {where} is not valid: {error}") from None
    if key.type != ED25519:
        raise ValueError(f"the public key in {where} is a witness's, which signs no notes")
    return PublicKey(key.name, key.public_key)
