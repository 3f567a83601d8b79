"""S3 servers that the tests start: moto's, from PyPI, and Ceph's radosgw, from the system.

Neither alone is proof. radosgw enforces Object Lock, and does not know ``If-None-Match``; moto
knows that, and lets anybody shorten a retention or suspend versioning.

``s3`` is each server in turn, ``moto`` and ``radosgw`` are one of them. Every server ends with this
process, however that ends (on Linux).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore_once  # noqa: F401
import pytest
from crash import lacking
from folders import SUPPORT
from programs import ends_with_parent, free_port

MOTO = (sys.executable, str(SUPPORT / "moto_server.py"), "-H", "127.0.0.1")

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AK",
    "AWS_SECRET_ACCESS_KEY": "SK",
    "AWS_DEFAULT_REGION": "us-east-1",
}

CEPH = """[global]
fsid={fsid}
mon host=v1:127.0.0.1:{mon}
ms bind msgr2=false
auth cluster required=none
auth service required=none
auth client required=none
osd pool default size=1
osd pool default min size=1
osd crush chooseleaf type=0
osd pool default pg num=4
osd pool default pg autoscale mode=off
mon allow pool size one=true
mon data avail crit=1
run dir={folder}
log file={folder}/$name.log
admin socket={folder}/$name.asok
pid file={folder}/$name.pid
[mon.a]
mon data={folder}/mon
mon addr=127.0.0.1:{mon}
public addr=127.0.0.1
[osd]
osd data={folder}/osd.$id
osd objectstore=memstore
osd memory target=939524096
public addr=127.0.0.1
cluster addr=127.0.0.1
[client.rgw]
rgw data={folder}/rgw
rgw frontends=beast endpoint=127.0.0.1:{port} tcp_nodelay=1
"""


class Server:
    """A server of S3, as a child of this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.children: list[subprocess.Popen[bytes]] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def spawn(self, *command: str) -> None:
        """Start a child that stays."""
        log = open(self.folder / "server.log", "ab")  # noqa: SIM115 -- the child's
        with log:
            self.children.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    preexec_fn=ends_with_parent(signal.SIGTERM),
                )
            )

    def await_port(self, patience: float = 60.0) -> None:
        """Wait until the server listens."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        pytest.fail(f"no server on {self.endpoint}: {(self.folder / 'server.log').read_text()}")

    def stop(self) -> None:
        """Stop what was started, the last one first."""
        while self.children:
            child = self.children.pop()
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class Radosgw(Server):
    """Ceph's S3 over one monitor and one disk, which is in memory.

    ``tcp_nodelay`` spares 40 ms an answer, and children in the foreground end with their parent.
    """

    def start_at_last(self, tries: int = 3) -> None:
        """Start it; once more from nothing where that fails, as under load it may (EPERM)."""
        folder = self.folder
        for left in reversed(range(tries)):
            self.folder, self.port = folder / str(left), free_port()
            self.folder.mkdir()
            try:
                self.start()
                return
            except pytest.fail.Exception:
                self.stop()
                if not left:
                    raise

    def start(self) -> None:
        for name in ("mon", "osd.0", "rgw"):
            (self.folder / name).mkdir()
        fsid, mon, folder = uuid.uuid4(), free_port(), self.folder
        conf = CEPH.format(fsid=fsid, mon=mon, port=self.port, folder=folder)
        (folder / "ceph.conf").write_text(conf)
        disk, conf_option = str(uuid.uuid4()), ("-c", "ceph.conf")
        address = ("--addv", "a", f"[v1:127.0.0.1:{mon}]", "--fsid", str(fsid))
        self.run("monmaptool", "--create", "--clobber", *address, "monmap")
        self.run("ceph-mon", *conf_option, "--mkfs", "-i", "a", "--monmap", "monmap")
        self.spawn("ceph-mon", *conf_option, "-i", "a", "-f")
        self.await_monitor()
        self.run("ceph", *conf_option, "osd", "new", disk)
        self.run("ceph-osd", *conf_option, "-i", "0", "--mkfs", "--osd-uuid", disk)
        self.spawn("ceph-osd", *conf_option, "-i", "0", "-f")
        self.await_disk()
        user = ("--uid", "t", "--display-name", "t", "--access-key", "AK", "--secret-key", "SK")
        self.run("radosgw-admin", *conf_option, "-n", "client.rgw", "user", "create", *user)
        self.go_on()

    def await_monitor(self) -> None:
        """Wait until the monitor answers: while it starts it may refuse a command (EPERM)."""
        deadline = time.monotonic() + 60
        status = ("ceph", "-c", "ceph.conf", "quorum_status")
        while time.monotonic() < deadline:
            answer = subprocess.run(status, cwd=self.folder, capture_output=True, timeout=90)
            if answer.returncode == 0:
                return
            time.sleep(0.1)
        pytest.fail(f"no monitor: {(self.folder / 'server.log').read_text()[-3000:]}")

    def await_disk(self) -> None:
        """Wait until the disk is up. Start it again where it ends at once ("wrong fsid")."""
        deadline = time.monotonic() + 60
        status = ("ceph", "-c", "ceph.conf", "osd", "stat", "--format=json")
        while time.monotonic() < deadline:
            if self.children[-1].poll() is not None:
                self.children.pop()
                self.spawn("ceph-osd", "-c", "ceph.conf", "-i", "0", "-f")
            answer = subprocess.run(status, cwd=self.folder, capture_output=True, timeout=30)
            if b'"num_up_osds":1' in answer.stdout:
                return
        pytest.fail(f"no disk: {(self.folder / 'server.log').read_text()[-3000:]}")

    def run(self, *command: str) -> None:
        """Run a command that ends."""
        with open(self.folder / "server.log", "ab") as log:
            try:
                options: dict[str, Any] = {"cwd": self.folder, "stdout": log, "stderr": log}
                subprocess.run(command, check=True, timeout=90, **options)
            except subprocess.SubprocessError as error:
                pytest.fail(f"{error}: {(self.folder / 'server.log').read_text()[-3000:]}")

    def halt(self) -> None:
        """Stop the S3 server; what it stored stays. (After SIGKILL the next one waits for 30 s.)"""
        child = self.children.pop()
        child.terminate()
        child.wait(30)

    def go_on(self) -> None:
        """Start it again."""
        self.spawn("radosgw", "-c", "ceph.conf", "-n", "client.rgw", "-f")
        self.await_port()


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("moto"))
    try:
        server.spawn(*MOTO, "-p", str(server.port))
        server.await_port()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def radosgw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radosgw]:
    missing = [
        name
        for name in ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "monmaptool")
        if shutil.which(name) is None
    ]
    if missing:
        lacking(
            f"{', '.join(missing)} not installed: apt-get install --no-install-recommends "
            "radosgw ceph-mon ceph-osd ceph-common"
        )
    server = Radosgw(tmp_path_factory.mktemp("radosgw"))
    try:
        server.start_at_last()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


class Bucket:
    """A new bucket with Object Lock on a server, and a client for whoever attacks it."""

    def __init__(self, server: Server, lock: bool = True) -> None:
        self.server = server
        self.enforces = isinstance(server, Radosgw)
        self.name = f"audit-{uuid.uuid4().hex[:12]}"
        self.url = f"s3://{self.name}/logs"
        self.client: Any = boto3.client("s3", endpoint_url=server.endpoint)
        self.client.create_bucket(Bucket=self.name, ObjectLockEnabledForBucket=lock)

    def versions(self, part: str = "") -> list[dict[str, Any]]:
        """Return the versions of all objects with this in their key, by key, the oldest first."""
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name)
        found = [version for page in pages for version in page.get("Versions", ())]
        found.reverse()
        found.sort(key=lambda version: (version["Key"], version["LastModified"]))
        return [version for version in found if part in version["Key"]]

    def content(self, version: dict[str, Any]) -> bytes:
        """Return what a version holds."""
        answer = self.client.get_object(
            Bucket=self.name, Key=version["Key"], VersionId=version["VersionId"]
        )
        with answer["Body"] as body:
            return bytes(body.read())

    def put(self, key: str, data: bytes, **more: Any) -> str:
        """Put an object as an attacker with the shipper's credentials does."""
        answer = self.client.put_object(
            Bucket=self.name, Key=key, Body=data, ChecksumAlgorithm="SHA256", **more
        )
        return str(answer.get("VersionId"))

    def delete(self, version: dict[str, Any]) -> None:
        """Delete a version for good, with the permission to bypass GOVERNANCE."""
        self.client.delete_object(
            Bucket=self.name,
            Key=version["Key"],
            VersionId=version["VersionId"],
            BypassGovernanceRetention=True,
        )


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def _bucket(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
    bucket = Bucket(server)
    try:
        yield bucket
    finally:
        bucket.client.close()


@pytest.fixture
def moto(
    moto_server: Server, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """A bucket of moto's server: the lax one."""
    yield from _bucket(moto_server, monkeypatch)


@pytest.fixture
def radosgw(
    radosgw_server: Radosgw, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """A bucket of radosgw: Object Lock is enforced."""
    yield from _bucket(radosgw_server, monkeypatch)


@pytest.fixture(params=[pytest.param("moto", marks=pytest.mark.long), "radosgw"])
def attacked_s3(request: pytest.FixtureRequest) -> Bucket:
    """As `s3`, for attacks: what the server that enforces Object Lock lets through is one."""
    bucket: Bucket = request.getfixturevalue(request.param)
    return bucket


@pytest.fixture(params=["moto", "radosgw"])
def s3(request: pytest.FixtureRequest) -> Bucket:
    """A bucket of each server in turn."""
    bucket: Bucket = request.getfixturevalue(request.param)
    return bucket
