"""Commands, run as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import ready
from chains import EVENT

ORIGIN = "example.com/audit"


def run(*arguments: object, stdin: str = "", status: int = 0, **environment: str) -> str:
    """Run a command; return what it printed, or the error where `status` says that it fails."""
    done = ready.run(list(map(str, arguments)), stdin, {**os.environ, **environment})
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stderr if status else done.stdout


def events(count: int) -> str:
    return "".join(json.dumps({"action": f"a-{n}", **EVENT}) + "\n" for n in range(count))


def command(
    *arguments: object, program: Sequence[object] = ("-m", "chained_logging")
) -> subprocess.CompletedProcess[str]:
    """Run a command, however it ends."""
    if tuple(program) == ("-m", "chained_logging"):
        return ready.run(list(map(str, arguments)))
    words = [sys.executable, *map(str, (*program, *arguments))]
    return subprocess.run(words, capture_output=True, text=True, check=False)


class Running:
    """The command ``witness`` in a process of its own."""

    def __init__(self, folder: Path, name: str, *logs: Path) -> None:
        folder.mkdir()
        self.vkey = run("keygen", folder / "key", "--witness", name).splitlines()[-1]
        self.command = [sys.executable, "-m", "chained_logging", "witness", str(folder / "state")]
        self.command += ["--name", name, "--key", str(folder / "key"), "--port", "0"]
        self.command += [text for log in logs for text in ("--log", str(log))]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == self.vkey
        self.url = self.process.stdout.readline().strip()

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def options(self) -> list[str]:
        return ["--witness", self.url, "--witness-key", self.vkey]
