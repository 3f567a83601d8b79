"""The system calls of a command that change something, at each of which it can be killed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

_CHANGING = "write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,unlink,unlinkat,openat,flock"

Run = Callable[..., subprocess.CompletedProcess[bytes]]
"""Runs a command under a tracer, whose words it is given."""


def calls(run: Run, trace: Path) -> list[tuple[str, int]]:
    """Return the calls that a command makes from where it first touches the log's files on, which
    are called ``audit.``: of each the name, and which of that name it is.

    :param trace: a file for what ``strace`` says.
    """
    run("strace", "-f", "-o", str(trace), "-e", f"trace={_CHANGING}")
    counts: dict[str, int] = {}
    found: list[tuple[str, int]] = []
    for line in trace.read_text(errors="replace").splitlines():
        call = line.split(maxsplit=1)[1].partition("(")[0]
        if call not in _CHANGING.split(","):
            continue
        counts[call] = counts.get(call, 0) + 1
        reads = call == "openat" and "O_CREAT" not in line
        if (found or "audit." in line) and not reads:
            found.append((call, counts[call]))
    return found


def kill_at(run: Run, call: str, number: int) -> None:
    """Run a command, and kill it at a call."""
    inject = f"inject={call}:signal=KILL:when={number}"
    run("strace", "-f", "-o", "/dev/null", "-e", inject)
