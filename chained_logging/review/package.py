"""A package of evidence: a zip file that can be written in one way only.

Nothing is compressed, no date is kept, and the files have one order, so the same evidence has the
same bytes, and a verifier can tell what each byte must be. ``docs/format.md`` specifies it.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from chained_logging.files.own import new_file
from chained_logging.format.canonical import canonical
from chained_logging.format.note import sign_note
from chained_logging.format.vkey import Signer

MANIFEST: Final = "manifest.json"
FORMAT: Final = "chained-logging evidence 1"
_DATE: Final = (1980, 1, 1, 0, 0, 0)

_README: Final = """\
Evidence from the audit log {origin}.
{statement}
The entries are in entries.jsonl, one a line, with the bytes that the log holds.
The checkpoint in checkpoint.note is signed, and covers the first {size:,} entries of the log.
The hashes in proof.txt show that each entry here is one of these, at its place.
{meaning}
To check all of it, with Python 3.9 or later: python3 verify.py --evidence evidence.zip
Signatures need the package cryptography. The report says what was not checked.
Get verify.py and the log's public key from elsewhere too, and add: --public-key FILE
Exit status 0: all is as the log has it. 1: something was changed or left out. 2: not checked.
"""


def readme(origin: str, statement: str, meaning: str, size: int) -> bytes:
    """Return ``README.txt``, for the auditor, in ten lines."""
    return _README.format(origin=origin, statement=statement, meaning=meaning, size=size).encode()


def verifier() -> bytes:
    """Return ``verify.py``, the auditor's one file."""
    return resources.files("chained_logging").joinpath("verify.py").read_bytes()


def _unpacked_as(name: str) -> str:
    """Return the file that a name means on systems such as Windows: it may be another one's."""
    return name.lower().rstrip(".")


class Package:
    """A package that is written, file by file. A failure leaves nothing behind.

    :param path: where it is made. Nothing may be there.
    :raises FileExistsError: if something is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hashes: dict[str, str] = {}
        self._file = new_file(path)
        self._archive = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED, allowZip64=False)

    def __enter__(self) -> Package:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        whole = False
        try:
            with _bounded():
                self._archive.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            whole = kind is None
        except ValueError:
            if kind is None:  # else what went wrong first is said
                raise
        finally:
            self._file.close()
            if not whole:
                self._path.unlink()

    def add(self, name: str, parts: Iterable[bytes]) -> None:
        """Add a file.

        :param parts: its content.
        :raises ValueError: if the name is taken, or the package would have more than 2 GiB.
        """
        if _unpacked_as(name) in map(_unpacked_as, self._hashes):
            raise ValueError(f"{name} is in the package already")
        info = zipfile.ZipInfo(name, _DATE)
        info.create_system = 3  # as on Unix, everywhere
        info.external_attr = 0o100644 << 16
        digest = sha256()
        with _bounded(), self._archive.open(info, "w") as member:
            for part in parts:
                digest.update(part)
                member.write(part)
        self._hashes[name] = digest.hexdigest()

    def seal(self, origin: str, claim: Mapping[str, Any], key: Signer | None) -> str:
        """Add the manifest, and with a key the signature over it.

        :returns: the SHA-256 of the manifest, in hexadecimal.
        """
        files = dict(self._hashes)
        manifest = canonical({**claim, "files": files, "format": FORMAT, "origin": origin})
        self.add(MANIFEST, [manifest])
        digest = self._hashes[MANIFEST]
        if key is not None:
            text = f"chained-logging evidence v1\n{origin}\n{digest}\n"
            self.add("claim.note", [sign_note(text, origin, key).format()])
        return digest


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Say in plain words that the form of zip files without extensions ends at 2 GiB."""
    try:
        yield
    except (zipfile.LargeZipFile, RuntimeError):
        raise ValueError(
            "the evidence would have more than 2 GiB: choose a shorter period, or a sample"
        ) from None
