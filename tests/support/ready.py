"""Commands in processes of their own that need not import anything first.

A process imports once what commands need, and forks for each. A command starts in milliseconds
instead of half a second. It has its own memory, files, signals and exit, as after
``python -m chained_logging``. A test about the start of a command starts one itself.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from typing import IO, Any

IMPORTED = (
    "chained_logging.cli",
    "chained_logging.collector",
    "chained_logging.review.stores",
    "chained_logging.ship.nats",
    "chained_logging.ship.postgres",
    "chained_logging.ship.s3",
    "chained_logging.transparency.witness",
    "botocore_once",
    "nats",
    "psycopg",
)
STARTED = ("PYTHON", "LC_", "LANG")
"""What Python asks of the environment only when it starts."""


class Starter:
    """A process that forks for each command."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        self.started_with = _of_the_start(os.environ)
        self.lock = threading.Lock()
        atexit.register(self.close)

    def close(self) -> None:
        """End the process, which reads that there are no more commands."""
        self._ours.close()
        self.process.wait()

    def run(self, request: dict[str, Any], files: Sequence[IO[str]]) -> int:
        """Run a command on these files, its input, output and errors. Return how it ended."""
        data = json.dumps(request).encode()
        socket.send_fds(self._ours, [len(data).to_bytes(4)], [file.fileno() for file in files])
        self._ours.sendall(data)
        return int.from_bytes(_exactly(self._ours, 4), signed=True)


_starter: list[Starter] = []
_making = threading.Lock()


def run(
    arguments: Sequence[str], stdin: str = "", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m chained_logging`` with these arguments, however it ends."""
    environ = dict(os.environ) if environment is None else environment
    with _making:
        if not _starter:
            _starter.append(Starter())
    starter = _starter[0]
    busy = not starter.lock.acquire(blocking=False)
    if busy or _of_the_start(environ) != starter.started_with:
        if not busy:
            starter.lock.release()
        command = [sys.executable, "-m", "chained_logging", *arguments]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, env=environ
        )
    os.umask(mask := os.umask(0o077))
    request = {"arguments": arguments, "environ": environ, "folder": os.getcwd(), "umask": mask}
    with contextlib.ExitStack() as stack:
        stack.callback(starter.lock.release)
        files = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(3)]
        files[0].write(stdin)
        files[0].seek(0)
        status = starter.run(request, files)
        for file in files:
            file.seek(0)
        return subprocess.CompletedProcess(arguments, status, files[1].read(), files[2].read())


def _of_the_start(environ: Any) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(STARTED)}


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := source.recv(size - len(data))):
            raise EOFError
        data += more
    return data


def _serve(source: socket.socket) -> dict[str, Any]:
    """Fork for each request until there are no more. Return in the child, with its request."""
    while True:
        head, files, _, _ = socket.recv_fds(source, 4, 3)
        if not head:
            os._exit(0)
        request: dict[str, Any] = json.loads(_exactly(source, int.from_bytes(head)))
        child = os.fork()
        if not child:
            source.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            return request
        for file in files:
            os.close(file)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        source.sendall(status.to_bytes(4, signed=True))


def main() -> None:
    for name in IMPORTED:
        with contextlib.suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    list(importlib.import_module("chained_logging.cli").cli.commands.values())
    if "botocore_once" in sys.modules:
        sys.modules["botocore_once"].read()
    gc.freeze()  # so that children share what they do not change
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    os.umask(request["umask"])
    os.chdir(request["folder"])
    sys.argv[1:] = request["arguments"]
    sys.path[0] = request["folder"]
    os._exit(_status())


def _status() -> int:
    """Run the command to its end, with what runs at the exit of Python. (To take all modules down
    would then cost ten times what most commands do.)"""
    status: object = 0
    try:
        runpy.run_module("chained_logging", run_name="__main__", alter_sys=True)
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if isinstance(status, str):
        print(status, file=sys.stderr, flush=True)
    return status if isinstance(status, int) else int(status is not None)


if __name__ == "__main__":
    main()
