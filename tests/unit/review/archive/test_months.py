"""Months leave a database only for an archive that has them, whenever the move is killed."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from commands import command, run
from postgres_logs import ORIGIN, Database, database

from chained_logging import AuditLog
from chained_logging.errors import BrokenChain, Refused
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.keys import PrivateKey
from chained_logging.review.archive import months as module
from chained_logging.review.archive.fetched import Fetched
from chained_logging.review.archive.months import move_months
from chained_logging.review.archive.stores import FolderArchive
from chained_logging.review.reading import Reader
from chained_logging.review.retention.at_store import look_at_store
from chained_logging.review.retention.holds import add_hold, release_holds
from chained_logging.ship.holds import Covered

__all__ = ["database"]  # a fixture

ANN = Reader("ann")


class Site:
    """A signed log with entries of two past months and of now, a database, and an archive."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.path, self.key = folder / "audit.db", PrivateKey.generate()
        self.url = database.server.url(database.name, "test_reader")
        (folder / "archive").mkdir()
        self.archive = FolderArchive(folder / "archive")
        days = [f"2020-{month:02}-{day:02}T00:00:00Z" for month in (5, 6) for day in (1, 30)]
        events = [{**EVENT, "timestamp": when} for when in days for _ in range(5)]
        for number, event in enumerate(events):
            event |= {"action": f"a-{number}", "actor": "held" if number == 3 else "user-1"}
        events[7]["timestamp"] = days[3]  # an entry of the next month in between
        with self.log() as log:
            log.append_many(events)
            add_hold(log, "c", Covered(actor_id="held"), "r", ANN)
            log.append("now", **EVENT)
            log.checkpoint()
        self.ship()

    def log(self) -> AuditLog:
        return AuditLog(self.path, key=self.key, origin=ORIGIN)

    def ship(self) -> None:
        with self.log() as log:
            there = self.database.shipper.head(ORIGIN).seq
            notes = [one for _, one in log.checkpoints_after()]
            self.records = list(log.records())
            self.database.shipper.write(ORIGIN, self.records[there + 1 :], notes)

    def move(self, **options: Any) -> list[str]:
        return move_months(self.database.retention, ORIGIN, self.archive, 90, **options).files

    def gone(self) -> list[int]:
        stored = self.database.reader.stored(ORIGIN)
        return [one.seq for one in stored if isinstance(one, Stub)]

    def found(self) -> list[Record]:
        """Return the entries that the database or else the archive has."""
        fetched = Fetched(self.archive, ORIGIN)
        items = self.database.reader.stored(ORIGIN)
        both = (fetched.fetch(one) if isinstance(one, Stub) else one for one in items)
        return [one for one in both if one is not None]


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path)


ALL = [seq for seq in range(1, 21) if seq != 4]  # but the entry under a hold


def test_what_was_moved_is_verified_and_found_with_the_archive(site: Site, tmp_path: Path) -> None:
    assert site.move(now=0) == []
    assert len(site.move()) == 2
    assert site.gone() == ALL
    assert site.found() == site.records
    assert site.move() == []
    assert site.database.faults() == ""
    assert not look_at_store(site.database.reader, ORIGIN).due  # and retention can go on
    assert "INTACT" in run("verify", site.url, "--archive", site.archive.name)
    done = command("verify", site.url)
    assert done.returncode == 1
    assert f"19 entries up to 20 are in the archive {site.archive.name}" in done.stdout
    assert "INCOMPLETE" in done.stdout
    found = command("query", site.url, "--action", "a-2")
    assert "are in the archive" in found.stderr
    assert "a-2" not in found.stdout
    also = ("--archive", site.archive.name)
    (line,) = run("query", site.url, "--action", "a-2", "--json", *also).splitlines()
    assert json.loads(line)["seq"] == 3
    target = tmp_path / "restored.db"
    assert "give it with --archive" in run("restore", site.url, target, status=2)
    run("restore", site.url, target, *also)
    assert "INTACT" in run("verify", target)


def test_a_file_has_the_form_of_a_segment(site: Site) -> None:
    first, *_ = site.move()
    lines = gzip.decompress(site.archive.get(first) or b"").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, 11))
    assert json.loads(lines[3])["actor_id"] == "held"


def test_what_was_held_goes_once_the_hold_has_ended(site: Site) -> None:
    site.move()
    with site.log() as log:
        release = release_holds(log, "c", "r", ANN).seq
        log.append("later", **EVENT)
    site.ship()
    site.database.retention.approve(ORIGIN, release)
    assert len(site.move()) == 1
    assert site.gone() == list(range(1, 21))
    assert "INTACT" in run("verify", site.url, "--archive", site.archive.name)


def test_an_altered_or_missing_file_is_named(site: Site) -> None:
    site.move()
    for path in site.archive.folder.iterdir():
        lines = gzip.decompress(path.read_bytes())
        path.write_bytes(gzip.compress(lines.replace(b'"action":"a-7"', b'"action":"a-8"')))
    done = command("verify", site.url, "--archive", site.archive.name)
    assert done.returncode == 1
    assert "nothing but stubs is left of entry 8" in done.stdout


def test_a_kill_at_any_moment_loses_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 6)
    calls = {"put": site.archive, "get": site.archive, "let_go": site.database.retention}
    kills = 0
    for at in itertools.count(1):
        left = [at]
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            for name, of in calls.items():
                patch.setattr(of, name, dying(getattr(of, name), left), raising=False)
            site.move()
            break
        kills += 1
        assert site.found() == site.records
    assert kills > len(calls)
    assert site.gone() == ALL
    assert "INTACT" in run("verify", site.url, "--archive", site.archive.name)


def dying(method: Any, left: list[int]) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] <= 0:
            raise KeyboardInterrupt
        return method(*arguments, **options)

    return call


def test_another_file_of_that_name_is_refused(site: Site) -> None:
    site.archive.put(f"example.com_2Faudit_2Fweb.{1:020d}-{10:020d}.jsonl.gz", gzip.compress(b""))
    with pytest.raises(Refused, match="another"):
        site.move()
    assert site.gone() == []


def test_nothing_goes_from_a_broken_chain(site: Site) -> None:
    part = "chained_logging.entries_default"
    site.database.sql(
        f"ALTER TABLE {part} DISABLE TRIGGER ALL; UPDATE {part} SET hash = repeat('0', 64) "
        f"WHERE seq = 15; ALTER TABLE {part} ENABLE ALWAYS TRIGGER append_only"
    )
    with pytest.raises(BrokenChain, match="broken at entry 15"):
        site.move()
    assert 15 not in site.gone()
