"""Passphrases of private keys: from the environment or a file, and what OpenSSL takes as one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from chained_logging.keys.owner_file import StrPath, read_private

PASSPHRASE_VARIABLE: Final = "CHAINED_LOGGING_PASSPHRASE"  # noqa: S105 -- a name
"""The environment variable that :func:`passphrase_from` reads."""

MAX_PASSPHRASE: Final = 1023
"""The longest passphrase in bytes that OpenSSL can use, and so that others can decrypt with."""


def passphrase_from(
    variable: str = PASSPHRASE_VARIABLE, *, file: StrPath | None = None
) -> bytes | None:
    """Return the passphrase from an environment variable, or from a file.

    A file is the better place: what is in the environment is handed to every child process.

    :param variable: the variable's name; not looked at if there is a file.
    :param file: a file whose first line, without its line feed, is the passphrase, as for
        ``openssl -passin file:``. It must be for its owner alone, as a key's file must.
    :return: None if the variable is not set: the key is not encrypted, then.
    :raises: as :meth:`PrivateKey.load`.
    :raises ValueError: if the passphrase is empty, or longer than OpenSSL takes.
    """
    if file is not None:
        return to_passphrase(read_private(Path(file)).split(b"\n", 1)[0], f" in {file}")
    value = os.environ.get(variable)
    # fsencode() gives back the very bytes that the process was started with.
    return None if value is None else to_passphrase(os.fsencode(value), f" in {variable}")


def to_passphrase(given: str | bytes, where: str = "") -> bytes:
    """Return a passphrase as OpenSSL takes it.

    :param where: names its source in the error, with a blank before it.
    :raises ValueError: if it is empty, too long, or has a lone surrogate.
    """
    encoded: bytes | None
    if isinstance(given, str):
        try:
            encoded = given.encode()
        except UnicodeEncodeError:
            encoded = None
        if encoded is None:
            # Raised out here, because that error has the passphrase in it and would be the context.
            raise ValueError(f"the passphrase{where} has a lone surrogate, which has no UTF-8")
    else:
        encoded = bytes(given)
    if not encoded:
        raise ValueError(f"the passphrase{where} is empty")
    if len(encoded) > MAX_PASSPHRASE:
        raise ValueError(f"the passphrase{where} has more than {MAX_PASSPHRASE} bytes")
    return encoded
