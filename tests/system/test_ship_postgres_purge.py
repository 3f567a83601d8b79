"""Retention in PostgreSQL from outside: killed at any moment, attacked, shipped on and restored."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from chains import EVENT, often
from commands import command, run
from postgres_logs import ORIGIN, Database, database, forged
from purged_logs import decide, old, policy
from servers_postgres import PostgresServer
from thorough import some

from chained_logging import AuditLog
from chained_logging.event.draft import draft
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key
from chained_logging.review.reading import Reader
from chained_logging.review.retention.holds import add_hold
from chained_logging.ship.holds import Covered
from chained_logging.ship.shipper import Shipper

__all__ = ["database"]  # a fixture

ANN = Reader("ann")
COUNT = 6_000
HELD = range(3_000, 3_100)


class Site:
    """A log with a key, a part of which may go, and the database that has it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.path = folder / "audit.db"
        self.key = PrivateKey.generate()
        self.public = folder / "log.vkey"
        self.public.write_text(verifier_key(ORIGIN, self.key))
        self.reader = database.server.url(database.name, "test_reader")
        self.retention = database.server.url(database.name, "test_retention")
        events = old(COUNT)
        for number in HELD:
            events[number - 1]["actor"] = "held"
        with AuditLog(self.path, origin=ORIGIN, key=self.key) as log:
            log.append_many(events)
            log.checkpoint()
            add_hold(log, "case", Covered(actor_id="held"), "r", ANN)
            self.gone = set(range(1, COUNT + 1, 2)) | set(range(1_500, 2_500))
            self.decision = decide(log, self.gone).seq
            log.append("later", **EVENT)
        self.ship()
        self.gone -= set(HELD)

    def ship(self) -> None:
        with AuditLog(self.path, key=self.key) as log:
            log.checkpoint()
            (progress,) = Shipper(
                log, [self.database.server.url(self.database.name, "test_shipper")]
            ).ship()
            assert progress.problem is None
            self.records = list(log.records())

    def expected(self) -> list[Record | Stub]:
        return [
            Stub(one.seq, one.hash, one.signature) if one.seq in self.gone else one
            for one in self.records
        ]

    def verified(self, *urls: str) -> None:
        for url in urls or (self.reader,):
            said = run("verify", url, "--public-key", self.public)
            assert said.startswith("INTACT"), said

    def applied(self, url: str | None = None) -> subprocess.CompletedProcess[str]:
        where = url or self.retention
        return command("retention", "apply", where, "--public-key", self.public, "--yes")


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path)


@pytest.mark.parametrize("who", some(["the backend", "the command"], 2))
def test_what_a_kill_left_is_finished_by_the_next_call(site: Site, who: str) -> None:
    chance = random.Random(7)
    site.verified()
    kills = 0
    arguments = [sys.executable, "-m", "chained_logging", "retention", "apply", site.retention]
    arguments += ["--public-key", str(site.public), "--yes"]
    pid = "SELECT pid FROM pg_stat_activity WHERE usename = 'test_retention' AND state = 'active'"
    for _ in range(often(6)):
        running = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not site.database.sql(f"{pid} AND query LIKE '%purge%'"):
            if running.poll() is not None or time.monotonic() > deadline:
                break
        time.sleep(chance.uniform(0, 0.5))
        if running.poll() is None:
            kills += 1
            if who == "the command":
                running.send_signal(signal.SIGKILL)
            else:
                site.database.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE usename = 'test_retention'"
                )
        _, error = running.communicate(timeout=60)
        assert running.returncode in (0, 1, 2, -signal.SIGKILL), error
        assert b"Traceback" not in error
        site.verified()  # at each moment
    assert kills
    done = site.applied()
    assert done.returncode == 0, done.stderr
    assert list(site.database.reader.stored(ORIGIN)) == site.expected()
    assert site.database.sql("SELECT * FROM chained_logging.remains") == []
    site.verified()
    assert site.database.faults() == ""


def test_a_shipper_goes_on_while_entries_go(site: Site) -> None:
    stop = threading.Event()

    def write() -> None:
        with AuditLog(site.path, key=site.key) as log:
            shipper = Shipper(log, [site.database.server.url(site.database.name, "test_shipper")])
            while not stop.is_set():
                log.append_many([{"action": "now", **EVENT}] * 20)
                (progress,) = shipper.ship()
                assert progress.problem is None

    thread = threading.Thread(target=write)
    thread.start()
    try:
        done = site.applied()
    finally:
        stop.set()
        thread.join()
    assert done.returncode == 0, done.stderr
    site.ship()
    assert len(site.records) > COUNT + 20
    assert list(site.database.reader.stored(ORIGIN)) == site.expected()
    site.verified()


def test_who_may_ship_forges_a_decision_and_it_is_refused(site: Site) -> None:
    """With the hashes and all that needs no key made right."""
    origin = {"origin": ORIGIN}
    own = {"actor": "chained_logging", "actor_type": "system", "resource": ("audit_log", ORIGIN)}
    last = site.records[-1]
    context = policy(site.records, range(2, 100, 2)) | origin
    stolen = next(
        one for one in site.records if one.body.startswith(b'{"action":"retention.apply"')
    )
    statement = json.loads(stolen.body)["context"]["statement"]
    made = []
    for action, about in (
        ("hold.release", {"case": "case", **origin}),
        ("retention.apply", context),
        ("retention.apply", context | {"statement": statement}),
    ):
        body = draft({**own, "action": action, "context": about}, own=True).body(
            last.seq + 1, last.hash
        )
        last = Record(last.seq + 1, body, leaf_hash(body))
        made.append(last)
    site.database.shipper.write(ORIGIN, [*made, forged(last)], [])
    done = site.applied()
    said = done.stderr + done.stdout
    for seq in (made[1].seq, made[2].seq):
        assert f"entry {seq} lets nothing be removed: the log's key did not sign" in said
    assert f"entry {made[0].seq} does not release the case 'case'" in said
    held = list(site.database.reader.stored(ORIGIN))[: len(site.records)]
    assert held == site.expected()  # what the key signed has gone, and what it held stays


def test_a_purged_log_is_shipped_to_another_database_and_verifies_there(
    site: Site, postgres_server: PostgresServer
) -> None:
    assert site.applied().returncode == 0
    other = Database(postgres_server)
    with contextlib.closing(site.database.reader):
        items = list(site.database.reader.stored(ORIGIN))
        notes = list(site.database.reader.checkpoints(ORIGIN))
    for at in range(0, len(items), 5_000):
        batch = items[at : at + 5_000]
        due = [note for note in notes if batch[0].seq < note.size <= batch[-1].seq + 1]
        other.shipper.write(ORIGIN, batch, due)
    assert list(other.reader.stored(ORIGIN)) == items
    site.verified(other.server.url(other.name, "test_reader"))
    done = site.applied(other.server.url(other.name, "test_retention"))
    assert (
        "nothing is left of what the log let go" in done.stdout or "kept by the hold" in done.stdout
    )
    assert other.faults() == ""
    other.close()


def test_the_log_that_kept_its_entries_does_not_differ_from_a_store_that_removed_them(
    site: Site,
) -> None:
    assert site.applied().returncode == 0
    run("verify", site.path, "--public-key", site.public, "--against", site.reader)


@pytest.mark.parametrize("kind", some(["jsonl", "db"], 2))
def test_a_purged_log_is_restored_with_its_stubs_and_goes_on(
    site: Site, tmp_path: Path, kind: str
) -> None:
    assert site.applied().returncode == 0
    target = tmp_path / f"restored.{kind}"
    run("restore", site.reader, target, "--public-key", site.public)
    with AuditLog(target, key=site.key) as log:
        items = list(log.stored())
        log.append("goes on", **EVENT)
        log.checkpoint()
        (progress,) = Shipper(
            log, [site.database.server.url(site.database.name, "test_shipper")]
        ).ship()
        assert progress.problem is None
    assert items[: len(site.records)] == site.expected()
    said = run("verify", target, "--public-key", site.public)
    assert said.startswith("INTACT"), said
    site.verified()


def test_a_purged_log_is_queried_as_before(site: Site) -> None:
    seq = str(min(set(range(1, COUNT)) - site.gone))
    before = run("query", site.reader, "--seq", seq, "--json")
    many = run("query", site.reader, "--actor", "held", "--json")
    assert site.applied().returncode == 0
    assert run("query", site.reader, "--seq", seq, "--json") == before
    assert run("query", site.reader, "--actor", "held", "--json") == many
    done = command("query", site.reader, "--seq", "1-3")
    assert done.returncode == 0, done.stderr
    assert "purged" in done.stderr + done.stdout


def test_a_removed_head_or_middle_that_no_decision_names_is_a_fault(site: Site) -> None:
    """A DBA who knows how, with triggers off, leaves stubs of what nobody let go."""
    triggers = site.database.sql(
        "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal "
        "AND tgenabled = 'A'"
    )
    every = [f"ALTER TABLE {table} {{}} TRIGGER {name}" for table, name in triggers]
    site.database.sql(
        *(each.format("DISABLE") for each in every),
        "WITH gone AS (DELETE FROM chained_logging.entries WHERE seq IN (0, 2) RETURNING *) "
        "INSERT INTO chained_logging.stubs SELECT origin, seq, hash, signature FROM gone",
        *(each.format("ENABLE ALWAYS") for each in every),
    )
    done = command("verify", site.reader, "--public-key", site.public)
    assert done.returncode == 1
    assert "TAMPERED" in done.stdout or "FIRST BREAK" in done.stdout
