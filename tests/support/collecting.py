"""A collector in this process or of its own, and a client that has nothing of the package."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chains import check_chain

from chained_logging import AuditLog
from chained_logging.collector import Collector

EVENT = {"action": "read", "actor": "user-1", "resource": "patient/456", "ip": "10.0.0.1"}
COLLECT = (sys.executable, "-m", "chained_logging", "collect")
TOKEN = "0123456789abcdef0123"


class Client:
    """A program that speaks the protocol, with nothing of the package."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def send(self, *events: Any) -> None:
        lines = [e if isinstance(e, bytes) else json.dumps(e).encode() + b"\n" for e in events]
        self.socket.sendall(b"".join(lines))

    def answer(self) -> Any:
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, *events: Any) -> Any:
        self.send(*events)
        answers = [self.answer() for _ in events]
        return answers[0] if len(answers) == 1 else answers

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Here:
    """A collector in this process, whose log a test can look at."""

    def __init__(self, folder: Path, **options: Any) -> None:
        strict = options.pop("strict", False)
        self.path = folder / "audit.jsonl"
        self.socket = folder / "s"
        self.log = AuditLog(self.path, on_failure="raise", strict=strict)
        self.collector = Collector(self.log, self.socket, **options)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        self.collector.stop()
        self.log.close()

    def entries(self) -> list[dict[str, Any]]:
        return check_chain(self.path)[1:]


@contextlib.contextmanager
def command(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run `chained-logging collect`; it has said that it listens."""
    process = subprocess.Popen(
        [*COLLECT, str(folder / "audit.jsonl"), "--socket", str(folder / "s"), *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert "collecting on" in process.stderr.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
