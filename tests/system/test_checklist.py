"""A project that meets everything that can be seen, over a real PostgreSQL and a real S3; and what
the checklist says of it once a part is taken away."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checklists import ORIGIN, configured, event, recorded
from freezegun import freeze_time
from postgres_logs import Database, database
from servers_s3 import Bucket
from thorough import some

from chained_logging.cli.checklist import exit_status
from chained_logging.review.checklist.answer import Answer, Status
from chained_logging.review.checklist.checklist import checked
from chained_logging.review.checklist.clauses import NAMES
from chained_logging.review.checklist.probes import clock
from chained_logging.review.period import Period
from chained_logging.review.reviews.desk import sign, start
from chained_logging.ship.s3 import S3Destination, init
from chained_logging.sinks import open_sink

__all__ = ["database"]

USB = "/mnt/usb"
FINDING = {
    "rule": "spike", "severity": "high", "subject": "user-1", "entries": [1], "count": 1,
    "first": "2026-01-01T00:00:00.000000Z", "last": "2026-01-01T00:00:00.000000Z",
    "sentence": "user-1 read more than ever",
}  # fmt: skip


class Project:
    """A log as it should be: signed, shipped to two stores, watched, reviewed and backed up."""

    def __init__(self, folder: Path, database: Database, bucket: Bucket) -> None:
        self.folder = folder
        self.log = folder / "audit.jsonl"
        self.database = database
        self.bucket = bucket
        self.policy = '[retention.all]\nstandard = "hipaa"\n'
        self.stores = [database.server.url(database.name, "test_reader")]
        self.settings = {
            "log": json.dumps(str(self.log)),
            "key": '"audit.key"',
            "require_recorded_reads": "true",
            "ship": json.dumps([database.server.url(database.name, "test_shipper"), bucket.url]),
        }
        self.configure()
        key = folder / "audit.key"
        key.write_text("only its mode is looked at")
        key.chmod(0o600)
        assert init(bucket.url, retention="hipaa") == []

    def configure(self, **settings: str) -> None:
        self.settings |= settings
        lines = (f"{name} = {value}\n" for name, value in self.settings.items())
        configured(self.folder, "".join(lines) + self.policy)

    def fill(self, *without: str) -> None:
        """Write the entries, but for those with some actions; ship them; look for alerts."""
        notes: list[dict[str, Any]] = [
            {"action": "audit_log.read", "on_behalf_of": "auditor", "how": "query"},
            {"action": "watch.verify", "result": "intact"},
            {"action": "alert.raise", **FINDING},
            {"action": "backup.make", "destination": USB},
            {"action": "backup.test", "destination": USB, "result": "intact"},
        ]
        events = [event(), event(result="denied"), event(actor_type="admin")]
        recorded(
            self.log,
            *(one for one in events if one["action"] not in without),
            notes=tuple(one for one in notes if one["action"] not in without),
        )
        if "alert.raise" not in without:
            self.answer_alert(without)
        if "review.sign" not in without:
            self.review()
        self.ship()
        self.look()

    def review(self) -> None:
        """Have somebody review all of it up to now."""
        now = dt.datetime.now(dt.UTC)
        number = start(str(self.log), Period.ending(now, 31), "officer").seq
        sign(str(self.log), number, "officer", "Nothing unusual.")

    def answer_alert(self, without: tuple[str, ...]) -> None:
        seq = max(
            record.seq
            for record in open_sink(self.log).records()
            if FINDING["rule"] in str(record.body)
        )
        about = {"alert": seq, "target": "smtp://mail.example"}
        actions = ("alert.deliver", "alert.acknowledge")
        recorded(self.log, notes=tuple({"action": a, **about} for a in actions if a not in without))

    def ship(self) -> None:
        """Ship what the stores do not hold yet."""
        records = list(open_sink(self.log).records())
        notes = [one for _, one in open_sink(self.log).checkpoints()]
        bucket = S3Destination(self.bucket.url)
        for store in (self.database.shipper, bucket):
            store.write(ORIGIN, records[store.head(ORIGIN).seq + 1 :], notes)
        bucket.close()

    def look(self) -> None:
        """Keep that a detector looked at the whole log."""
        last = list(open_sink(self.log).records())[-1]
        file = Path(f"{self.log}.alerts")
        file.write_text(json.dumps({"spikes": [last.seq, last.hash]}))
        file.chmod(0o600)

    def checked(self, standard: str = "pci") -> list[Answer]:
        return checked(str(self.log), standard, stores=self.stores)


@pytest.fixture
def project(
    tmp_path: Path, database: Database, radosgw: Bucket, monkeypatch: pytest.MonkeyPatch
) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clock, "adjtimex", lambda: (0, 0x2001, 900))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for program in ("chronyc", "timedatectl"):  # the kernel alone is asked
        (tmp_path / program).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / program).chmod(0o755)
    settings = tmp_path / "chrony.conf"
    settings.write_text("pool ntp.example.com iburst\n")
    settings.chmod(0o644)
    if os.geteuid():
        pytest.skip("needs root: settings of the clock are root's")
    monkeypatch.setattr(clock, "SETTINGS", (str(settings),))
    tmp_path.chmod(0o700)
    return Project(tmp_path, database, radosgw)


@pytest.mark.parametrize("standard", some(NAMES, 2))
def test_a_project_that_is_set_up_meets_all_that_can_be_seen(
    standard: str, project: Project
) -> None:
    project.fill()
    answers = project.checked(standard)
    for answer in answers:
        for found in answer.found:
            assert found.status is Status.MET, (answer.name, found.sentence, found.mend)
        assert answer.status is (Status.UNSEEN if answer.beyond else Status.MET), answer.name
    assert exit_status(answers) == 0
    assert sum(one.status is Status.MET for one in answers) >= 10


def numbers(answers: list[Answer]) -> set[str]:
    """Return the points that are not met."""
    return {one.number for one in answers if one.kind == "point" and one.status is Status.NOT_MET}


def incomplete(project: Project) -> None:
    project.fill()
    recorded(project.log, {"action": "read"})
    project.ship()


def edited(project: Project) -> None:
    project.fill()
    project.log.write_bytes(project.log.read_bytes().replace(b"user-1", b"user-2", 1))


def without_a_trigger(project: Project) -> None:
    project.fill()
    ((trigger,),) = project.database.sql(
        "SELECT min(tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0 "
        "AND tgrelid = 'chained_logging.entries'::regclass"
    )
    project.database.sql(f"ALTER TABLE chained_logging.entries DISABLE TRIGGER {trigger}")


def not_shipped(project: Project) -> None:
    project.fill()
    project.configure(ship="[]")
    project.stores = []


def without_a_period(project: Project) -> None:
    """Neither a policy nor a bucket says how long entries are kept."""
    project.fill()
    project.policy = ""
    project.configure(ship=json.dumps(json.loads(project.settings["ship"])[:1]))


def without_a_bucket(project: Project) -> None:
    project.fill()
    project.configure(ship=json.dumps(json.loads(project.settings["ship"])[:1]))


def nobody_looks(project: Project) -> None:
    project.fill()
    Path(f"{project.log}.alerts").unlink()


def not_reviewed(project: Project) -> None:
    project.fill("review.sign")


def reads_need_no_record(project: Project) -> None:
    project.fill()
    project.configure(require_recorded_reads="false")


def not_backed_up(project: Project) -> None:
    project.fill("backup.test")


def lock_taken_away(project: Project) -> None:
    project.fill()
    (version, *_) = project.bucket.versions("/")
    project.bucket.client.delete_object(Bucket=project.bucket.name, Key=version["Key"])


@pytest.mark.parametrize(
    ("taken_away", "points"),
    [
        (incomplete, {"1"}),
        (edited, {"2"}),
        (without_a_trigger, {"3"}),
        (not_shipped, {"2", "3", "4", "5", "10"}),
        (without_a_period, {"5", "10"}),
        (without_a_bucket, {"10"}),  # the database keeps entries
        (nobody_looks, {"6"}),
        (not_reviewed, {"7"}),
        (reads_need_no_record, {"8"}),
        (not_backed_up, {"9"}),
        (lock_taken_away, {"3", "10"}),
    ],
)
def test_a_point_is_not_met_once_its_part_is_taken_away(
    taken_away: Callable[[Project], None], points: set[str], project: Project
) -> None:
    taken_away(project)
    answers = project.checked()
    assert numbers(answers) == points
    for answer in answers:
        assert answer.status is not Status.NOT_MET or any(one.mend for one in answer.found)


def test_what_nobody_does_again_is_not_met_a_season_later(project: Project) -> None:
    project.fill()
    recorded(project.log)
    with freeze_time("2099-01-01"):
        assert {"1", "4", "6", "7", "8", "9"} <= numbers(project.checked())
