"""Programs that run beside a test, and what they were told was stored."""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from chains import EVENT, check_chain, stored

from chained_logging.event.entry import AuditEntry
from chained_logging.verify import verify

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

SECONDS = 60
"""What any one thing may take. It is reached only where something hangs."""

_PRELUDE = f"""
import os, signal, sys, threading, time
from pathlib import Path
from chained_logging.log import AuditLog
EVENT = {EVENT!r}
path = sys.argv[1]
_notes = os.open(Path(path).absolute().with_name("notes"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def note(*entries):
    assert all(e.hash for e in entries), "an entry was put off"
    # In one write, once the append has returned: it stands even if this process is killed.
    os.write(_notes, "".join(f"{{e.id}} {{e.seq}} {{e.hash}}\\n" for e in entries).encode())
"""


class Program:
    """A running program, whose standard input says when it may go on."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        self.process = process
        self.pid = process.pid
        self._errors = errors

    def says(self, expected: str) -> None:
        """Wait for its next line of output, which must be this."""
        assert self.line() == expected, self.errors()

    def line(self) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        assert ready, f"it says nothing: {self.errors()}"
        return self.process.stdout.readline().decode().strip()

    def go(self) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    def wait(self) -> int:
        """Wait until it is at its end, and return its exit status."""
        return self.process.wait(SECONDS)

    def ends(self) -> None:
        """Wait until it is at its end, which must be a good one."""
        assert self.wait() == 0, self.errors()

    def errors(self) -> str:
        return self._errors.read_text()[-3000:]


@contextmanager
def running(path: Path, text: str, *arguments: object) -> Iterator[Program]:
    """Run a program of its own process on a log; it has `path`, EVENT and note()."""
    file = path.with_name(f"program-{time.time_ns()}.py")
    file.write_text(_PRELUDE + textwrap.dedent(text))
    errors = file.with_suffix(".err")
    with errors.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, file, path, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            bufsize=0,
        )
    try:
        yield Program(process, errors)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def run_to_end(code: str, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, to its end, which must be a good one.

    A warning is an error in it.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def noted(path: Path) -> dict[str, tuple[int, str]]:
    """Return what programs were told was stored: id -> (seq, hash)."""
    found = {}
    for line in path.with_name("notes").read_text().splitlines():
        id, seq, hash = line.split()
        assert id not in found
        found[id] = (int(seq), hash)
    return found


def place(entry: AuditEntry) -> tuple[str, tuple[int, str]]:
    """Return an appended entry as `noted` does one."""
    return entry.id, (entry.seq, entry.hash or "")


def check_all_there(
    path: Path, *more: AuditEntry, expected: int | None = None
) -> list[dict[str, Any]]:
    """Check that a log is one chain of just what was acknowledged, and what it says of itself."""
    bodies = check_chain(path)
    report = verify(path)
    assert report.intact, report.faults[:3]
    acknowledged = noted(path) | dict(map(place, more))
    hashes = {seq: hash for seq, _, hash in stored(path)}
    found = {
        fields["id"]: (fields["seq"], hashes[fields["seq"]])
        for fields in bodies
        if not fields["action"].startswith("log.")
    }
    lost = acknowledged.items() - found.items()
    assert not lost, f"{len(lost)} acknowledged entries are not in the log"
    assert found == acknowledged
    assert expected is None or len(found) == expected
    return bodies


def until(ready: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.005)


def needed(command: str, package: str) -> str:
    """Return the path of a program; without it the test is skipped, but not in CI."""
    found = shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return found or missing(f"{command} is not installed (apt-get install {package})")


def missing(reason: str) -> NoReturn:
    """Skip a test for want of something, or fail it in CI, where nothing may be wanting."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ends_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return what a child calls first, so that it gets a signal when this process is gone, however
    that ends (prctl(2), PR_SET_PDEATHSIG)."""

    def ask() -> None:
        if _LIBC is not None:
            _LIBC.prctl(1, number)

    return ask


class Child:
    """A program that runs beside the tests, and is gone when they are."""

    _process: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str | Path], output: Path) -> None:
        """Start it, and do not wait until it is ready."""
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                preexec_fn=ends_with_parent(signal.SIGKILL),
            )

    def kill(self) -> None:
        """Kill it with SIGKILL, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Kept:
    """A process that is started again whenever it was killed."""

    def __init__(self, program: str, *arguments: str) -> None:
        self.command = [sys.executable, "-c", program, *arguments]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, preexec_fn=ends_with_parent(signal.SIGKILL))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
