"""Real servers for the tests of the web, and a client over raw sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from chained_logging import AuditLog, verify

HERE = Path(__file__).parent
STARTING = 40.0
"""Seconds that a server may take to start on a busy machine."""


def command(kind: str, address: str, workers: int) -> list[str]:
    """Return how a server is started: ``fastapi``, ``flask``, ``django``, ``django-asgi``.

    :param address: ``port`` on loopback, or the path of a Unix socket.
    """
    unix = "/" in address
    if kind in ("fastapi", "django-asgi"):
        app = "web_fastapi:app" if kind == "fastapi" else "web_django:asgi_app"
        bind = ["--uds", address] if unix else ["--port", address]
        more = ["--no-proxy-headers", "--no-access-log", "--log-level", "warning"]
        return ["-m", "uvicorn", app, *bind, "--workers", str(workers), *more]
    app = "web_apps:flask_app" if kind == "flask" else "web_django:wsgi_app"
    bind = ["-b", f"unix:{address}" if unix else f"127.0.0.1:{address}"]
    more = ["--log-level", "warning", "--graceful-timeout", "5", "--threads", "4"]
    return ["-m", "gunicorn", app, *bind, "-w", str(workers), *more]


class Server:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, errors: Path) -> None:
        self.process = process
        self.address = address
        self.errors = errors

    def connect(self) -> socket.socket:
        if "/" in self.address:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(10)
            try:
                connection.connect(self.address)
            except OSError:
                connection.close()
                raise
        else:
            connection = socket.create_connection(("127.0.0.1", int(self.address)), 10)
        return connection

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        found = []
        for pid in children(self.process.pid):
            with suppress(OSError):
                text = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"resource_tracker" not in text:
                    found.append(pid)
        return found

    def stop(self) -> None:
        """Let it end by itself, as an operator does."""
        self.process.terminate()
        self.process.wait(20)


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def serving(
    kind: str,
    log: Path,
    *,
    workers: int = 1,
    address: str | None = None,
    seen: Path | None = None,
    **options: Any,
) -> Iterator[Server]:
    """Run a server on a log, until the block ends."""
    address = address or free_port()
    environment = {
        **os.environ,
        "AUDIT_LOG": str(log),
        "AUDIT_OPTIONS": json.dumps(options),
        "PYTHONPATH": str(HERE),
        "PYTHONWARNINGS": "default",
    }
    if seen is not None:
        environment["AUDIT_SEEN"] = str(seen)
    if kind.startswith("django"):
        code = "import web_django; web_django.prepare()"
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    errors = log.with_name(f"server-{time.time_ns()}.err")
    with errors.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command(kind, address, workers)],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(process, address, errors)
    try:
        deadline = time.monotonic() + STARTING
        while True:
            assert process.poll() is None, errors.read_text()[-3000:]
            assert time.monotonic() < deadline, f"it does not start: {errors.read_text()[-3000:]}"
            with suppress(OSError):
                if get(server, "/health").status == 200:
                    break
            time.sleep(0.05)
        yield server
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Reply(NamedTuple):
    """A whole response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Broken(OSError):
    """A response was not whole."""


def read_reply(
    connection: socket.socket, method: str = "GET", rest: bytearray | None = None
) -> Reply:
    """Read one response, and return as soon as the client knows that it has all of it.

    :raises Broken: if the connection ends before.
    """
    data = bytearray() if rest is None else rest

    def more() -> None:
        got = connection.recv(65536)
        if not got:
            raise Broken("the connection ended in the middle of a response")
        data.extend(got)

    def until(end: bytes, start: int = 0) -> int:
        while (place := data.find(end, start)) < 0:
            more()
        return place + len(end)

    while True:
        place = until(b"\r\n\r\n")
        head = bytes(data[:place]).decode("latin-1").split("\r\n")
        del data[:place]
        status = int(head[0].split()[1])
        if status != 100:
            break
    headers = {}
    for line in head[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    body = b""
    if method == "HEAD" or status in (204, 304):
        pass
    elif "content-length" in headers:
        length = int(headers["content-length"])
        while len(data) < length:
            more()
        body = bytes(data[:length])
        del data[:length]
    elif headers.get("transfer-encoding") == "chunked":
        while True:
            place = until(b"\r\n")
            size = int(bytes(data[: place - 2]), 16)
            del data[:place]
            while len(data) < size + 2:
                more()
            body += bytes(data[:size])
            del data[: size + 2]
            if size == 0:
                break
    else:
        while got := connection.recv(65536):
            data.extend(got)
        body = bytes(data)
    return Reply(status, headers, body)


def request_bytes(target: str, method: str = "GET", **headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {headers.pop('Host', 'test')}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def get(server: Server, target: str, method: str = "GET", **headers: str) -> Reply:
    """Make one request on a connection of its own, and return the whole response."""
    with server.connect() as connection:
        connection.sendall(request_bytes(target, method, Connection="close", **headers))
        return read_reply(connection, method)


def entries(log: Path) -> list[dict[str, Any]]:
    """Return the entries of requests (and what they logged), of a log that must verify."""
    report = verify(log)
    assert report.intact, report.faults[:3]
    return [fields for fields in everything(log) if not fields["action"].startswith("log.")]


def everything(log: Path) -> list[dict[str, Any]]:
    with AuditLog(log) as reader:
        return [entry.fields for entry in reader.entries()]


def by_request(log: Path) -> dict[str, dict[str, Any]]:
    """Return the entries by request id, of which none may come twice."""
    found = entries(log)
    ids = Counter(fields["context"]["request_id"] for fields in found)
    assert set(ids.values()) <= {1}, [id for id, count in ids.items() if count > 1]
    return {fields["context"]["request_id"]: fields for fields in found}


def wait_for(log: Path, id: str) -> dict[str, Any]:
    """Return the entry of a request once it is there: one that the client did not wait for."""
    deadline = time.monotonic() + 10
    while True:
        found = by_request(log)
        if id in found:
            return found[id]
        assert time.monotonic() < deadline, f"no entry for {id}"
        time.sleep(0.05)


REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
