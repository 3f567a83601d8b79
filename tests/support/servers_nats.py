"""A real nats-server with JetStream, started by the tests on a free port of the loopback."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import Child, free_port, missing

PASSWORD = "k7-hush/hush@%"
"""Of the user in tests that log in. It needs escaping in a URL, and must be shown nowhere."""


class NatsServer(Child):
    """One server, with its files in a folder of its own.

    :param config: more lines of its configuration.
    """

    def __init__(self, folder: Path, config: str = "", name: str = "one") -> None:
        self.folder = folder
        self.port = free_port()
        self.certificate: Path | None = None  # where it has TLS
        (folder / "nats.conf").write_text(
            f'server_name: {name}\nlisten: "127.0.0.1:{self.port}"\n{config}\n'
            + ("" if "jetstream" in config else f'jetstream {{ store_dir: "{folder}/store" }}\n')
        )

    def launch(self) -> None:
        if shutil.which("nats-server") is None:
            missing("nats-server is not installed")
        self.run(["nats-server", "-c", self.folder / "nats.conf"], self.folder / "log")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self.launch()
        assert self._process is not None
        deadline = time.monotonic() + 20
        while True:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1) as connection,
            ):
                if connection.recv(4) == b"INFO":
                    return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nats-server: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def url(self, stream: str, login: str = "", scheme: str = "nats") -> str:
        return f"{scheme}://{login and login + '@'}127.0.0.1:{self.port}/{stream}"


@contextlib.contextmanager
def running_nats(config: str = "") -> Iterator[NatsServer]:
    """Run a server of one's own for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="nats-"))
    server = NatsServer(folder, config)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_cluster() -> Iterator[list[NatsServer]]:
    """Run three servers that replicate to each other."""
    folder = Path(tempfile.mkdtemp(prefix="nats-"))
    routes = [free_port() for _ in range(3)]
    servers = []
    try:
        for number, port in enumerate(routes):
            own = folder / str(number)
            own.mkdir()
            urls = ", ".join(f'"nats://127.0.0.1:{other}"' for other in routes)
            config = (
                f'jetstream {{ store_dir: "{own}/store" }}\n'
                f'cluster {{ name: c, listen: "127.0.0.1:{port}", routes: [{urls}] }}'
            )
            servers.append(NatsServer(own, config, f"s{number}"))
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """One server for the whole run. Each test makes a stream of its own."""
    with running_nats() as server:
        yield server
