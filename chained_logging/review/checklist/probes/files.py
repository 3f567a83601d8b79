"""The files of the log, and who may read or change them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from chained_logging.files.own import SIDE_FILES
from chained_logging.review.checklist.answer import Found, joined, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import Subject

_NOT_HERE: Final = "the log's files are on the machine that writes it"


def modes(subject: Subject, _: int = 0) -> Found:
    """Whether nobody but the log's user, and readers of its group, may touch its files."""
    path = subject.path
    if path is None:
        return unseen(_NOT_HERE, mend="run chained-logging checklist there")
    os.stat(path)  # nothing is judged of a log that is not there
    files = sorted(file for file in path.parent.iterdir() if _belongs(file, path))
    parts = [_judged(file, 0o027) for file in files if file.is_file()]
    return joined([*parts, _folder(path.parent)])


def _belongs(file: Path, log: Path) -> bool:
    rest = file.name.removeprefix(log.name)
    sealed = file.name.startswith(f"{log.stem}.") and file.suffix == log.suffix
    return rest in ("", *SIDE_FILES) or rest.startswith(".ship-") or sealed


def key(subject: Subject, _: int = 0) -> Found:
    """Whether nobody but the log's user may read the file with its private key."""
    file = subject.settings.get("key")
    if file is None:
        return unseen(
            "no file with the log's private key is configured here",
            mend="set key in chained-logging.toml, unless a program gives the key itself",
        )
    return _judged(Path(file), 0o077)


def _judged(file: Path, forbidden: int) -> Found:
    found = os.stat(file)
    mode, owner = stat.S_IMODE(found.st_mode), _owner(found.st_uid)
    seen = saw("mode and owner", str(file), f"{mode:04o} {owner}")
    if mode & forbidden:
        return not_met(
            f"{file.name} has the mode {mode:04o}", f"chmod {_less(mode, forbidden)} {file}", seen
        )
    return met("files can be read and changed by their owner alone", seen)


def _folder(folder: Path) -> Found:
    mode = stat.S_IMODE(os.stat(folder).st_mode)
    seen = saw("mode of the folder", str(folder), f"{mode:04o}")
    if mode & 0o022 and not mode & stat.S_ISVTX:
        return not_met(f"others may replace files in {folder}", f"chmod go-w {folder}", seen)
    return met("nobody else may replace them", seen)


def _less(mode: int, forbidden: int) -> str:
    return f"{mode & ~forbidden:04o}"


def _owner(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"uid-{uid}"
