"""A real PostgreSQL for tests, from the binaries that the package ``pgserver`` carries.

It is started here and not by that package's own code, because a test kills it, restarts it and
lets it ask for passwords.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import ends_with_parent, free_port, missing

psutil = pytest.importorskip("psutil", reason="pgserver is not installed, nor what it needs")

PASSWORD = "k7-hush/hush@%"
"""Of every role that tests log in as. It needs escaping in a URL, and must be shown nowhere."""


class PostgresServer:
    """One cluster in a folder of its own, on a free port of the loopback."""

    def __init__(self, folder: Path, binaries: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.binaries = binaries
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
            self._user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run(
            "initdb", "--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-D", str(self.data),
        )  # fmt: skip
        self.start()

    def run(
        self, program: str, *arguments: str, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs, as the user that the server is run by."""
        env = {"PGPASSWORD": PASSWORD, "PATH": os.environ["PATH"], "LC_ALL": "C"}
        done = subprocess.run(
            [self.binaries / program, *arguments],
            env=env, check=False, capture_output=True, text=True, cwd=self.folder, **self._user,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1", "port": str(self.port),
            "unix_socket_directories": str(self.folder), **self._settings,
        }  # fmt: skip
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                preexec_fn=ends_with_parent(signal.SIGQUIT), **self._user,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        ready = ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        while True:
            with contextlib.suppress(RuntimeError):
                self.run(*ready)
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill every process of it with SIGKILL, in the middle of whatever it does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)  # it starts no other meanwhile
        children = psutil.Process(self._process.pid).children(recursive=True)
        for process in (self._process, *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        # The next server does not start while one of them still holds the shared memory.
        while any(map(_runs, children)):
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop it at once: what it would have to write is thrown away."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # "immediate shutdown"
            self._process.wait(60)
            self._process = None

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the URL of a database for one who knows the password."""
        secret = PASSWORD.replace("%", "%25").replace("/", "%2F").replace("@", "%40")
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def find_binaries(folder: Path) -> Path:
    """Return where PostgreSQL's programs are, copied to `folder` where another user must run them.

    ``POSTGRES_BIN`` names those of another version. The test is skipped if there are none.
    """
    if os.environ.get("POSTGRES_BIN"):
        return Path(os.environ["POSTGRES_BIN"])
    found = importlib.util.find_spec("pgserver")
    if found is None or not found.submodule_search_locations:
        missing("the package pgserver, which carries PostgreSQL, is not installed")
        raise AssertionError
    install = Path(found.submodule_search_locations[0]) / "pginstall"
    if os.geteuid() == 0:
        test = subprocess.run(["test", "-x", install / "bin" / "postgres"], user="nobody")
        if test.returncode:
            shutil.copytree(install, folder / "pginstall")
            install = folder / "pginstall"
            for path in [install, *install.rglob("*")]:
                path.chmod(path.stat().st_mode | 0o055)
    return install / "bin"


def _fast_folder() -> str | None:
    """Return a folder in memory with room for a server: what it syncs then costs nothing."""
    memory = "/dev/shm"
    roomy = os.path.isdir(memory) and shutil.disk_usage(memory).free > 4 << 30
    return memory if roomy and os.access(memory, os.W_OK) else None


@contextlib.contextmanager
def running_server(**settings: str) -> Iterator[PostgresServer]:
    """Run a server of one's own for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=_fast_folder()))
    folder.chmod(0o755)
    server = None
    try:
        server = PostgresServer(folder, find_binaries(folder), **settings)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole run. Each test makes a database of its own."""
    with running_server() as server:
        yield server
