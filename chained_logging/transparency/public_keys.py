"""Keys of witnesses and logs, as users name them: a vkey, or a file with one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURES, ED25519, VerifierKey
from chained_logging.keys import load_public

_VKEY: Final = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}")
_SIZE_LIMIT: Final = 10_000


def witness_key(text_or_file: str) -> VerifierKey:
    """Return the public key of a witness.

    :param text_or_file: a vkey, or a file with one, such as what ``keygen --witness`` prints.
    :raises OSError: if the file cannot be read.
    :raises ValueError: if it is not the key of a witness.
    """
    text = text_or_file
    if os.path.exists(text):
        with open(text, encoding="utf-8", errors="replace") as file:
            text = file.read(_SIZE_LIMIT).strip()
    vkeys = [line for line in map(str.strip, text.splitlines()) if _VKEY.fullmatch(line)]
    if len(vkeys) == 1:  # as keygen prints it, under the PEM
        text = vkeys[0]
    try:
        key = VerifierKey.parse(text)
    except NoteError as error:
        why = str(error)
        if "-----BEGIN " in text:
            why = "PEM holds no name; give the vkey that keygen prints below it"
        raise ValueError(f"{text_or_file} is not a witness's key: {why}") from None
    if key.type not in COSIGNATURES:
        raise ValueError(f"{text_or_file} is a log's key, not a witness's")
    return key


def log_keys(texts_or_files: Iterable[str]) -> dict[str, list[VerifierKey]]:
    """Return the public keys of logs, by the log's name.

    :param texts_or_files: vkeys, or files with one each. A log may have several keys.
    :raises OSError: if a file cannot be read.
    :raises ValueError: if one is not a log's key, or does not contain the log's name.
    """
    known: dict[str, list[VerifierKey]] = {}
    for text in texts_or_files:
        public = load_public(text)
        if public.name is None:
            raise ValueError(f"{text} must be a vkey, which contains the log's name")
        key = VerifierKey(public.name, ED25519, public.raw)
        known.setdefault(public.name, []).append(key)
    return known
