"""Backups against real things: a writer that goes on, kills at any moment, full disks, servers."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from backed_up import ORIGIN, backed_up, elsewhere, folder, key, written
from chains import EVENT, often
from commands import command, run
from postgres_logs import Database, database
from retention_logs import fill, old, purge, stubs
from servers_postgres import PostgresServer, running_server
from servers_s3 import Bucket, Radosgw

from chained_logging import AuditLog, verify
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys import PrivateKey
from chained_logging.review.retention.policies import Policy
from chained_logging.ship.s3 import init as init_s3
from chained_logging.sinks import open_sink

__all__ = ["database", "elsewhere", "folder", "key"]  # fixtures

BACKUP = """
import sys
from chained_logging import AuditLog
from chained_logging.review.backup.make import make_backup
with AuditLog(sys.argv[1], sign="follow", on_failure="raise") as log:
    make_backup(log, sys.argv[2], same_place=True)
"""


@pytest.fixture
def log(path: Path, key: PrivateKey) -> Path:
    return written(path, 150, key=key)


def vkey_of(key: PrivateKey) -> str:
    return VerifierKey(ORIGIN, ED25519, key.public_key).format()


class Writing:
    """A writer that appends, and seals segments, until it is told to stop."""

    def __init__(self, path: Path, key: PrivateKey) -> None:
        rotation = {"max_bytes": 8_000} if path.suffix == ".jsonl" else {}
        self.options: dict[str, Any] = {"key": key, "checkpoint_every": 50, **rotation}
        self.path = path
        self.count = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        with AuditLog(self.path, on_failure="raise", **self.options) as log:
            while not self._stop.is_set():
                log.append(f"w-{self.count}", **EVENT)
                self.count += 1

    def __enter__(self) -> Writing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_a_backup_is_consistent_while_the_log_is_written_to(
    log: Path, folder: Path, key: PrivateKey
) -> None:
    with Writing(log, key) as writing:
        for _ in range(often(15)):
            before = writing.count
            done = backed_up(log, folder)
            copy = folder / log.name
            assert verify(copy, public_key=vkey_of(key)).intact
            assert done.entries >= 150 + before
        tried = json.loads(run("backup-test", log, folder, "--json"))
        assert tried["result"] == "intact", tried
        assert writing.count > before
    assert verify(log).intact


def test_a_killed_backup_leaves_a_log_and_is_finished_by_the_next(
    log: Path, folder: Path, key: PrivateKey
) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    backed_up(log, folder)
    killed = 0
    with Writing(log, key):
        for _ in range(often(24)):
            arguments = [sys.executable, "-c", BACKUP, str(log), str(folder)]
            process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
            time.sleep(0.15 + chance.random() * 0.5)
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
            assert verify(folder / log.name).intact
    backed_up(log, folder)
    assert killed
    assert not list(folder.glob(".*"))
    assert verify(folder / log.name).intact
    assert json.loads(run("backup-test", log, folder, "--json"))["result"] == "intact"


DIES = """
import os, sys
from pathlib import Path
from chained_logging.review.backup import staging
step, count = int(sys.argv[3]), 0
def dying(function):
    def call(*arguments, **options):
        global count
        count += 1
        if count == step:
            os._exit(9)
        return function(*arguments, **options)
    return call
for owner, name in ((os, "rename"), (os, "fsync"), (staging, "sync_file"), (Path, "unlink")):
    setattr(owner, name, dying(getattr(owner, name)))
"""


@pytest.mark.long
def test_at_each_step_of_a_backup_its_folder_holds_a_log(
    path: Path, folder: Path, tmp_path: Path, key: PrivateKey
) -> None:
    written(path, 12, key=key)
    backed_up(path, folder)
    for step in range(1, 200):
        with AuditLog(path, sign="follow") as log:
            log.note("log.heartbeat")
        arguments = [sys.executable, "-c", DIES + BACKUP, str(path), str(folder), str(step)]
        status = subprocess.run(arguments, check=False).returncode
        assert status in (0, 9)
        report = verify(folder / path.name)
        assert report.intact, (step, report.reason, report.faults)
        if status == 0:
            break
    assert step > 4
    assert not list(folder.glob(".*"))


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    point = tmp_path / "small"
    point.mkdir()
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    mount = [*sudo, "mount", "-t", "tmpfs", "-o", f"size=1m,mode=700,uid={os.getuid()}", "tmpfs"]
    try:
        subprocess.run([*mount, str(point)], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("a tmpfs cannot be mounted here")
    yield point
    subprocess.run([*sudo, "umount", "--lazy", str(point)], check=True)


def test_a_full_disk_is_said_and_the_backup_before_stays(
    path: Path, full: Path, key: PrivateKey
) -> None:
    written(path, 150, key=key)
    run("backup", path, full)
    before = {one.name: one.read_bytes() for one in full.iterdir()}
    with AuditLog(path, key=key) as log:
        log.append_many([{"action": "much", **EVENT, "text": "x" * 1000}] * 900)
    done = command("backup", path, full)
    assert done.returncode == 2
    assert "full" in done.stderr or "No space left" in done.stderr
    assert {one.name: one.read_bytes() for one in full.iterdir()} == before
    assert verify(full / path.name).intact
    *_, last = open_sink(path).records()
    assert json.loads(last.body)["action"] == "much"  # nothing is recorded as a backup


# --- Servers.


@pytest.fixture(scope="module")
def other_server() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.mark.long
def test_a_backup_in_postgresql_has_a_progress_of_its_own(
    log: Path, database: Database, other_server: PostgresServer
) -> None:
    run("ship", log, "--to", database.url)
    near = database.server.url("postgres")
    done = command("backup", log, near, "--primary", database.url)
    assert done.returncode == 2
    assert "is in the same PostgreSQL cluster as" in done.stderr
    other = Database(other_server)
    other.close()
    away = other.url
    made = json.loads(run("backup", log, away, "--primary", database.url, "--json"))
    assert (made["same_place"], made["remarks"]) == ([], [])
    made = json.loads(run("backup", log, away, "--json"))
    assert "could not be seen" in made["remarks"][0]  # what is remembered has no password
    again = json.loads(run("backup", log, away, "--json"))
    assert again["entries"] == made["entries"] + 1
    assert len(json.loads(run("ship", log, "--status", "--json"))) == 1
    tried = json.loads(run("backup-test", log, away, "--json"))
    assert (tried["result"], tried["entries"]) == ("intact", again["entries"])
    with psycopg.connect(away, autocommit=True) as admin:
        admin.execute("ALTER TABLE chained_logging.entries DISABLE TRIGGER USER")
        admin.execute(
            "UPDATE chained_logging.entries SET body = replace(body, '10.0.0.1', '10.0.0.2')"
            " WHERE seq = 77"
        )
    done = command("backup-test", log, away)
    assert done.returncode == 1
    assert "entry 77: edited" in done.stdout
    done = command("backup", log, away)
    assert done.returncode == 1
    assert "is not intact: entry 77: edited" in done.stderr


def second_user(server: Radosgw) -> dict[str, str]:
    """Return the credentials of another account of a server."""
    conf = ("-c", "ceph.conf", "-n", "client.rgw")
    name = f"u{uuid.uuid4().hex[:8]}"
    user = ("--uid", name, "--display-name", name, "--access-key", name, "--secret-key", "SB")
    server.run("radosgw-admin", *conf, "user", "create", *user)
    return {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": "SB"}


@pytest.mark.long
def test_a_backup_in_s3_is_in_another_account(
    log: Path,
    radosgw: Bucket,
    radosgw_server: Radosgw,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert init_s3(radosgw.url, retention="30d") == []
    run("ship", log, "--to", radosgw.url)
    near = Bucket(radosgw_server)
    assert init_s3(near.url, retention="30d") == []
    done = command("backup", log, near.url)
    assert done.returncode == 2
    assert f"the credentials that write to {near.url} also open {radosgw.url}" in done.stderr
    assert "is in the same account" in done.stderr
    made = json.loads(run("backup", log, near.url, "--same-place-anyway", "--json"))
    assert len(made["same_place"]) == 2
    for name, value in second_user(radosgw_server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it has the other credentials
    away = Bucket(radosgw_server)
    assert init_s3(away.url, retention="30d") == []
    made = json.loads(run("backup", log, away.url, "--json"))
    assert made["same_place"] == []
    tried = json.loads(run("backup-test", log, away.url, "--json"))
    assert (tried["result"], tried["entries"]) == ("intact", made["entries"])


# --- A log is restored from the one that is furthest.


def test_the_furthest_of_two_servers_is_restored_and_both_take_the_rest(
    log: Path, database: Database, radosgw: Bucket, tmp_path: Path, key: PrivateKey
) -> None:
    assert init_s3(radosgw.url, retention="30d") == []
    run("ship", log, "--to", radosgw.url, "--to", database.url)
    written(log, 10, key=key)
    run("ship", log, "--to", database.url)
    before = list(open_sink(log).records())
    target = tmp_path / "rebuilt" / log.name
    target.parent.mkdir()
    done = command("restore", radosgw.url, target, "--or-from", database.url)
    assert done.returncode == 0, done.stderr
    assert f"restored from {database.reader.name.replace('test_reader', 'postgres')}" in done.stderr
    assert list(open_sink(target).records())[:-1] == before
    with AuditLog(target, key=key) as again:
        again.append("read", **EVENT)
    shipped = json.loads(run("ship", target, "--to", radosgw.url, "--to", database.url, "--json"))
    assert [(row["alert"], row["lag_entries"]) for row in shipped] == [(False, 0)] * 2
    # The old host comes back, and goes on by itself: now there are two histories.
    with AuditLog(log, key=key) as old:
        old.append("read", **EVENT)
    backup = tmp_path / "old"
    backup.mkdir()
    backed_up(log, backup)
    done = command("restore", database.url, tmp_path / "c.db", "--or-from", backup)
    assert done.returncode == 2
    assert f"hold two histories of {ORIGIN}: they differ from entry {len(before)} on" in done.stderr
    assert not (tmp_path / "c.db").exists()


# --- An archive.

ARCHIVE = """
import sys, time
from chained_logging import AuditLog
from chained_logging.review.archive.move import move
from chained_logging.review.archive.stores import open_archive
with AuditLog(sys.argv[1], sign="follow", on_failure="raise") as log:
    move(log, open_archive(sys.argv[2]), 90, now=time.time() + 1e7)
"""


@pytest.mark.long
def test_a_killed_archive_loses_nothing_while_the_log_is_written_to(
    tmp_path: Path, folder: Path, key: PrivateKey
) -> None:
    log = written(tmp_path / "audit.jsonl", 100, key=key)
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    killed = 0
    with Writing(log, key):
        for _ in range(often(15)):
            arguments = [sys.executable, "-c", ARCHIVE, str(log), str(folder)]
            process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
            time.sleep(0.2 + chance.random() * 0.5)
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
            assert "INTACT" in run("verify", log, "--archive", folder)
    assert killed
    subprocess.run([sys.executable, "-c", ARCHIVE, str(log), str(folder)], check=True)
    assert len(list(tmp_path.glob("audit.0*.jsonl"))) == 1
    every = run("query", log, "--archive", folder, "--json").splitlines()
    assert [json.loads(line)["seq"] for line in every] == list(range(len(every)))


def test_an_archive_in_s3_is_found_again(tmp_path: Path, radosgw: Bucket, key: PrivateKey) -> None:
    assert init_s3(radosgw.url, retention="30d") == []
    log = written(tmp_path / "audit.jsonl", 100, key=key)
    subprocess.run([sys.executable, "-c", ARCHIVE, str(log), radosgw.url], check=True)
    assert len(list(tmp_path.glob("audit.0*.jsonl"))) == 1
    assert "INTACT" in run("verify", log, "--archive", radosgw.url)
    found = run("query", log, "--archive", radosgw.url, "--action", "a-3", "--json")
    assert json.loads(found)["action"] == "a-3"


# --- Stubs.


def test_stubs_come_back_from_postgresql(path: Path, database: Database, tmp_path: Path) -> None:
    fill(path, [old(400, note=f"secret-{n}") for n in range(30)])
    purge(path, Policy("year", 365))
    run("ship", path, "--to", database.url)
    target = tmp_path / "rebuilt" / path.name
    target.parent.mkdir()
    run("restore", database.url, target)
    assert list(open_sink(target).stored())[:-1] == list(open_sink(path).stored())
    assert stubs(target)
    assert verify(target).intact
