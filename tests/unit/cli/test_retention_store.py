"""The command retention at a central store: it carries out what the log decided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import command, run
from postgres_logs import ORIGIN, Database, database
from purged_logs import decide, old

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key
from chained_logging.review.reading import Reader
from chained_logging.review.retention.holds import add_hold
from chained_logging.ship.holds import Covered

__all__ = ["database"]  # a fixture


class Shipped:
    """A log in a database, and the URLs of two logins there."""

    def __init__(self, database: Database, path: Path, key: PrivateKey | None) -> None:
        self.database = database
        self.retention = database.server.url(database.name, "test_retention")
        self.reader = database.server.url(database.name, "test_reader")
        self.public_key = verifier_key(ORIGIN, key) if key else ""
        self.log = AuditLog(path, origin=ORIGIN, key=key)
        self.log.append_many(old(20))

    def ship(self) -> None:
        self.log.note("log.heartbeat")
        there = self.database.shipper.head(ORIGIN).seq
        if self.public_key:
            self.log.checkpoint()
        notes = list(self.log.checkpoints())
        self.database.shipper.write(ORIGIN, list(self.log.records(there + 1)), notes)


@pytest.fixture
def shipped(database: Database, tmp_path: Path) -> Iterator[Shipped]:
    made = Shipped(database, tmp_path / "audit.db", PrivateKey.generate())
    decide(made.log, [1, 2, 3, 9])
    made.ship()
    yield made
    made.log.close()


def test_what_the_log_decided_is_planned_and_removed(shipped: Shipped, tmp_path: Path) -> None:
    told = run("retention", "plan", shipped.reader)
    assert "by ann: 4 of 4 entries are still there under the policy two years" in told
    apply = ("retention", "apply", shipped.retention, "--public-key", shipped.public_key)
    assert "nobody is there to be asked" in run(*apply, status=2)
    told = run(*apply, "--yes")
    assert "4 entries removed" in told
    assert "entries_default: nothing of removed entries is left in it" in told
    assert run("retention", "plan", shipped.reader).endswith(
        "nothing is left of what the log let go\n"
    )
    assert "0 entries removed" in run(*apply, "--yes")
    public = tmp_path / "log.vkey"
    public.write_text(shipped.public_key)
    done = command("verify", shipped.reader, "--public-key", public)
    assert done.stdout.startswith("INTACT")
    assert "4 entries were purged under policy two years by entry 21" in done.stderr


def test_as_json(shipped: Shipped) -> None:
    add_hold(shipped.log, "c", Covered(), "r", Reader("ann"))
    shipped.ship()
    plan = json.loads(run("retention", "plan", shipped.reader, "--json"))
    assert plan["due"] == [
        {"by": 21, "policy": "two years", "entries": 4, "left": 4, "held": {"c": 4}, "doubt": None}
    ]
    apply = ("retention", "apply", shipped.retention, "--public-key", shipped.public_key)
    done = json.loads(run(*apply, "--yes", "--json"))["done"]
    assert done == {"removed": 0, "parts": {}}
    assert "; 4 kept by the hold c" in run("retention", "plan", shipped.reader)


def test_the_key_must_come_from_elsewhere(shipped: Shipped) -> None:
    error = run("retention", "apply", shipped.retention, "--yes", status=2)
    assert "give --public-key, the log's first key, from elsewhere" in error
    other = verifier_key(ORIGIN, PrivateKey.generate())
    error = run("retention", "apply", shipped.retention, "--yes", "--public-key", other, status=2)
    assert "first key is not the one that was given" in error
    assert shipped.database.reader.any_of(ORIGIN, [(1, 1)])


def test_a_login_that_may_not_remove_is_told_so(shipped: Shipped) -> None:
    apply = ("retention", "apply", shipped.reader, "--public-key", shipped.public_key, "--yes")
    assert "permission denied" in (error := run(*apply, status=2))
    assert "grant chained_logging_retention" in error


def test_a_log_without_a_key_is_believed_only_on_demand(database: Database, tmp_path: Path) -> None:
    made = Shipped(database, tmp_path / "audit.db", None)
    decide(made.log, [1])
    made.ship()
    error = run("retention", "apply", made.retention, "--yes", status=2)
    assert "give --unsigned" in error
    assert "1 entry removed" in run("retention", "apply", made.retention, "--yes", "--unsigned")
    assert "INTACT" in run("verify", made.reader)
    made.log.close()


def test_a_decision_that_is_not_right_stays_and_is_told(shipped: Shipped) -> None:
    decide(shipped.log, [5], root="0" * 64)
    shipped.ship()
    apply = ("retention", "apply", shipped.retention, "--public-key", shipped.public_key, "--yes")
    done = command(*apply)
    assert done.returncode == 1
    assert "and stay: the root over what it names is another one" in done.stdout
    assert "4 entries removed" in done.stdout
    assert shipped.database.reader.any_of(ORIGIN, [(5, 5)])


def test_options_are_for_a_log_or_for_a_store(shipped: Shipped, tmp_path: Path) -> None:
    error = run("retention", "plan", shipped.reader, "--without-copy", status=2)
    assert "applies to a local log only" in error
    path = tmp_path / "other.db"
    run("append", path, stdin="")
    error = run("retention", "apply", path, "--unsigned", "--yes", status=2)
    assert "applies to a central store only" in error
    error = run("retention", "plan", "nats://127.0.0.1:1/AUDIT", status=2)
    assert "removes nothing that a log decides" in error
