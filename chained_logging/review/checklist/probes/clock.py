"""Whether this machine's clock is synchronised, and who may change that."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from chained_logging.review.checklist.answer import Found, Seen, joined, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import Subject

_MEND: Final = "apt-get install chrony && systemctl enable --now chrony"
_UNSYNCHRONISED: Final = 0x40  # STA_UNSYNC of linux/timex.h
_ERROR: Final = 5  # TIME_ERROR: what adjtimex returns then
_TIMEOUT: Final = 10.0
SETTINGS: Final = (
    *("/etc/chrony/chrony.conf", "/etc/chrony.conf", "/etc/ntp.conf", "/etc/ntpsec/ntp.conf"),
    *("/etc/systemd/timesyncd.conf", "/etc/openntpd/ntpd.conf"),
)
"""Files in which servers of time are configured."""


class _Source(NamedTuple):
    """What says whether the clock is synchronised.

    :ivar synchronised: None if it does not say.
    """

    synchronised: bool | None
    seen: Seen


def clock(subject: Subject, _: int = 0) -> Found:
    """Whether the clock of the machine that writes the log is synchronised."""
    if subject.written_here is None:
        return unseen(
            "the clock that counts is that of the machine that writes the log",
            mend="run chained-logging checklist there",
        )
    sources = [*_chrony(), *_timedatectl(), *_kernel()]
    seen = [one.seen for one in sources]
    said = [one.synchronised for one in sources if one.synchronised is not None]
    if not said:
        return unseen("nothing on this machine says whether its clock is synchronised", *seen)
    if not all(said):
        return not_met("the clock is not synchronised", _MEND, *seen)
    return met("the clock is synchronised", *seen)


def is_synchronised() -> bool | None:
    """Return whether this machine's clock is synchronised; None if nothing here says so."""
    sources = (*_chrony(), *_timedatectl(), *_kernel())
    said = [one.synchronised for one in sources if one.synchronised is not None]
    return all(said) if said else None


def _chrony() -> Iterator[_Source]:
    """Ask chrony: the first line of its leap status says `Normal` if it is synchronised."""
    answer = _run("chronyc", "-n", "tracking")
    for line in (answer or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "Leap status":
            status = value.strip()
            yield _Source(
                status != "Not synchronised", saw("Leap status", "chronyc tracking", status)
            )


def _timedatectl() -> Iterator[_Source]:
    answer = _run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if answer is not None and (value := answer.strip()) in ("yes", "no"):
        yield _Source(value == "yes", saw("NTPSynchronized", "timedatectl show", value))


def _kernel() -> Iterator[_Source]:
    """Ask the kernel (Linux): a daemon of any make tells it."""
    found = adjtimex()
    if found is None:
        return
    state, status, error = found
    synchronised = state != _ERROR and not status & _UNSYNCHRONISED
    value = (
        f"{'synchronised' if synchronised else 'unsynchronised'}, at most {error / 1e6:.3f} s off"
    )
    yield _Source(synchronised, saw("the kernel's clock", "adjtimex(2)", value))


def adjtimex() -> tuple[int, int, int] | None:
    """Return what the kernel says of its clock: the state, the status bits, and the largest error
    in microseconds; None if it cannot be asked."""
    if not sys.platform.startswith("linux"):
        return None
    timex = _Timex()
    try:
        library = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", use_errno=True)
        state = library.adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else (state, timex.status, timex.maxerror)


class _Timex(ctypes.Structure):
    """``struct timex`` up to what is read; the rest is room. ``modes`` 0 changes nothing."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_byte * 512),
    )


def _run(program: str, *arguments: str) -> str | None:
    """Return what a program prints; None if it is not there, fails or takes long."""
    path = shutil.which(program)
    if path is None:
        return None
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 -- a program that the machine's path names
            [path, *arguments], capture_output=True, text=True, timeout=_TIMEOUT, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def clock_settings(subject: Subject, _: int = 0) -> Found:
    """Whether only administrators may change from where the clock is set."""
    if subject.written_here is None:
        return unseen("the clock that counts is that of the machine that writes the log")
    files = [Path(name) for name in SETTINGS if os.path.exists(name)]
    if not files:
        return unseen("no file with settings of the clock was found on this machine")
    return joined([_guarded(file) for file in files])


def _guarded(file: Path) -> Found:
    found = os.stat(file)
    mode = stat.S_IMODE(found.st_mode)
    seen = saw("mode and owner", str(file), f"{mode:04o} uid {found.st_uid}")
    if found.st_uid != 0 or mode & 0o022:
        return not_met(
            f"{file} can be changed by others", f"chown root {file}; chmod go-w {file}", seen
        )
    return met("settings of the clock can be changed by root alone", seen)
