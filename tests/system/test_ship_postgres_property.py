"""Whatever the policies, holds and kinds of entries are, and whatever is killed: from PostgreSQL
goes exactly what the policies say, and what is held stays.

    CRASH_SEED=7 python -m pytest tests/system/test_ship_postgres_property.py

repeats the stories of a seed, which is printed. Each story is a log of its own in one database:
entries of random kinds and ages, policies, holds that begin and end, removals and moves to an
archive, with the backend terminated at any moment. A model says what may go.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chains import EVENT
from crash import fresh_seed
from postgres_logs import Database, database
from retention_logs import ANN, days_ago

from chained_logging import AuditLog, verify
from chained_logging.errors import DestinationError
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key
from chained_logging.review.archive import months
from chained_logging.review.archive.fetched import Fetched
from chained_logging.review.archive.months import move_months
from chained_logging.review.archive.stores import FolderArchive
from chained_logging.review.retention.apply import apply, look_at
from chained_logging.review.retention.at_store import apply_at_store, look_at_store
from chained_logging.review.retention.holds import add_hold, release_holds
from chained_logging.review.retention.policies import Policy
from chained_logging.ship.holds import Covered
from chained_logging.ship.postgres import purge
from chained_logging.sinks.lines import line_of
from chained_logging.verify import Stream

__all__ = ["database"]  # a fixture

KINDS, ACTIONS, TENANTS = "abc", ("read", "write"), (None, "s", "t")


class Story:
    """A log, the database that it is shipped to, and what should be there.

    :ivar made: by number, what an entry was made of; of the log's own entries nothing.
    :ivar named: the entries that the policies said may go, at some time.
    :ivar holds: those in force, by case: the fields that must fit.
    :ivar gone: the entries that are gone from the database, as it was last seen.
    """

    def __init__(self, database: Database, folder: Path, seed: str) -> None:
        self.chance = random.Random(seed)
        self.database, self.seed = database, seed
        self.origin = f"example.com/audit/{seed.replace(' ', '-')}"
        folder.mkdir()
        (folder / "archive").mkdir()
        self.archive = FolderArchive(folder / "archive")
        self.key = PrivateKey.generate()
        self.log = AuditLog(folder / "audit.db", origin=self.origin, key=self.key)
        self.made: dict[int, dict[str, Any]] = {}
        self.records: dict[int, Record] = {}
        self.named: set[int] = set()
        self.holds: dict[str, dict[str, str]] = {}
        self.gone: set[int] = set()
        self.policies = [self.policy(number) for number in range(self.chance.randint(1, 4))]

    def policy(self, number: int) -> Policy:
        lists = {"resource_type": KINDS, "action": ACTIONS, "tenant_id": TENANTS[1:]}
        chosen = {
            name: tuple(self.chance.sample(values, self.chance.randint(1, 2)))
            for name, values in lists.items()
            if self.chance.random() < 0.4
        }
        return Policy(f"p-{number}", self.chance.randint(20, 300), **chosen)

    # --- What happens.

    def append(self) -> None:
        for _ in range(self.chance.randint(1, 25)):
            made = {
                "age": self.chance.randint(1, 400),
                "action": self.chance.choice(ACTIONS),
                "types": self.chance.choices(KINDS, k=self.chance.choice((1, 1, 1, 2))),
                "tenant": self.chance.choice(TENANTS),
                "actor": self.chance.choice(("ann", "ben")),
            }
            event = {
                **EVENT,
                "action": made["action"],
                "actor": made["actor"],
                "timestamp": days_ago(made["age"] + 0.5),
                "resource": (made["types"][0], "1"),
                "resources": [(kind, "2") for kind in made["types"][1:]],
                "tenant_id": made["tenant"],
            }
            seq = self.log.append(**{name: value for name, value in event.items() if value}).seq
            assert seq is not None
            self.made[seq] = made

    def hold(self) -> None:
        case = f"case-{len(self.holds)}-{self.chance.random()}"
        fields = {"actor_id": self.chance.choice(("ann", "ben"))}
        if self.chance.random() < 0.7:
            fields["resource_type"] = self.chance.choice(KINDS)
        add_hold(self.log, case, Covered(**fields), "r", ANN)
        self.holds[case] = fields

    def release(self) -> None:
        if self.holds:
            case = self.chance.choice(list(self.holds))
            release_holds(self.log, case, "r", ANN)
            del self.holds[case]

    def decide(self) -> None:
        self.log.append("last", **EVENT)
        self.keep()
        view = look_at(self.log.path, self.log, self.policies, without_copy=True)
        apply(self.log, view, ANN)
        self.named |= {seq for seq in self.made if self.may_go(seq) and not self.is_held(seq)}
        there = {one.seq for one in self.log.stored() if isinstance(one, Stub)}
        assert there == self.named, self.seed

    def remove(self) -> None:
        store = self.database.retention
        apply_at_store(store, look_at_store(store, self.origin, self.key.public_key))

    def move(self) -> None:
        move_months(self.database.retention, self.origin, self.archive, self.chance.randint(1, 300))

    def ship(self) -> None:
        self.keep()
        there = self.database.shipper.head(self.origin).seq
        self.database.shipper.write(self.origin, list(self.log.stored(there + 1)), [])
        self.database.shipper.write(
            self.origin, [], [note for _, note in self.log.checkpoints_after()]
        )

    def keep(self) -> None:
        """Remember the entries as they are made."""
        self.log.checkpoint()
        for record in self.log.records(max(self.records, default=-1) + 1):
            self.records[record.seq] = record

    # --- What should be.

    def may_go(self, seq: int) -> bool:
        """Whether the policies let an entry go: its own fields select one, and the longest of all
        that concern it is over."""
        made = self.made[seq]
        types = made["types"]
        if not any(self.selects(policy, made, types[0]) for policy in self.policies):
            return False
        days = [
            policy.days
            for policy in self.policies
            if any(self.selects(policy, made, kind) for kind in types)
        ]
        return bool(made["age"] >= max(days))

    @staticmethod
    def selects(policy: Policy, made: dict[str, Any], kind: str) -> bool:
        return (
            (not policy.resource_type or kind in policy.resource_type)
            and (not policy.action or made["action"] in policy.action)
            and (not policy.tenant_id or made["tenant"] in policy.tenant_id)
        )

    def is_held(self, seq: int) -> bool:
        made = self.made[seq]
        return any(
            fields["actor_id"] == made["actor"]
            and fields.get("resource_type") in (None, *made["types"])
            for fields in self.holds.values()
        )

    def check(self) -> None:
        """Check that what is there is what it was, and that nothing went that should not."""
        reader, fetched = self.database.reader, Fetched(self.archive, self.origin)
        found = list(reader.stored(self.origin))
        assert [one.hash for one in found] == [
            self.records[one.seq].hash if one.seq in self.records else one.hash for one in found
        ], self.seed
        gone = {one.seq for one in found if isinstance(one, Stub)}
        for one in found:
            if isinstance(one, Record):
                assert one == self.records.get(one.seq, one), (self.seed, one.seq)
        for seq in gone - self.gone:
            assert seq in self.made, (self.seed, seq)
            stub = Stub(seq, self.records[seq].hash, self.records[seq].signature)
            is_moved = fetched.fetch(stub) == self.records[seq]
            assert is_moved or seq in self.named, (self.seed, seq)
            assert seq in self.shipped_gone or not self.is_held(seq), (self.seed, seq)
        assert gone >= self.gone
        self.gone = gone
        self.check_verified(fetched)

    shipped_gone: frozenset[int] = frozenset()
    """What was a stub already when it was shipped."""

    def check_verified(self, fetched: Fetched) -> None:
        reader = self.database.reader
        reader.read_also(fetched.fetch)
        try:
            notes = [(one.note.encode(), one.timestamp) for one in reader.checkpoints(self.origin)]
            lines = [line_of(one) for one in reader.stored(self.origin)]
        finally:
            reader.read_also(lambda stub: None)
        key = verifier_key(self.origin, self.key)
        for careful in (False, True):
            report = verify(stream=Stream("db", lines, notes), public_key=key, careful=careful)
            assert report.intact, (self.seed, report.faults, report.reason)


class Killer:
    """Terminates the backend that removes, at some moment of a call."""

    def __init__(self, database: Database, chance: random.Random) -> None:
        self._database, self._chance = database, chance
        self._admin = psycopg.connect(
            database.server.url(database.name, "postgres"), autocommit=True
        )
        self.kills = 0

    @contextlib.contextmanager
    def near(self) -> Iterator[None]:
        """Kill during the block, or not; the block may fail of it."""
        if self._chance.random() < 0.5:
            with self._at_a_statement():
                yield
            return
        timer = threading.Timer(self._chance.uniform(0, 0.3), self._kill)
        timer.start()
        try:
            yield
        except DestinationError:
            pass
        finally:
            timer.cancel()
            timer.join()

    @contextlib.contextmanager
    def _at_a_statement(self) -> Iterator[None]:
        session, left = self._database.retention.session, [self._chance.randint(1, 25)]
        real: Callable[..., Any] = session.asking

        def asking(*arguments: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                self._kill()
            return real(*arguments)

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(DestinationError):
            patch.setattr(session, "asking", asking)
            yield

    def _kill(self) -> None:
        found = self._admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE usename = 'test_retention' AND datname = current_database()"
        ).fetchall()
        self.kills += len(found)

    def close(self) -> None:
        self._admin.close()


def tell(database: Database, folder: Path, seed: str, longest: int) -> int:
    """Go through a story, and return how often something was killed.

    :param longest: how often it is shipped at most.
    """
    story = Story(database, folder, seed)
    killer = Killer(database, story.chance)
    story.append()
    steps = [story.append, story.hold, story.release, story.decide]
    for _ in range(story.chance.randint(2, longest)):
        for step in story.chance.choices(steps, k=story.chance.randint(1, 4)):
            step()
        story.log.append("last", **EVENT)
        shipped = database.reader.head(story.origin).seq
        story.ship()
        story.shipped_gone |= {seq for seq in story.named if seq > shipped}
        for step in story.chance.sample([story.remove, story.move], k=story.chance.randint(0, 2)):
            with killer.near():
                step()
            story.check()
    story.remove()
    story.check()
    left = {seq for seq in story.named if seq not in story.gone}
    assert all(story.is_held(seq) for seq in left), seed
    story.log.close()
    killer.close()
    return killer.kills


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "_BATCH", 3)
    monkeypatch.setattr(months, "MOST", 10)


@pytest.mark.parametrize(
    ("stories", "longest"),
    [pytest.param(1, 2, id="one"), pytest.param(60, 10, id="many", marks=pytest.mark.long)],
)
def test_exactly_what_the_policies_say_is_gone(
    database: Database, tmp_path: Path, stories: int, longest: int
) -> None:
    seed = fresh_seed()
    kills = sum(
        tell(database, tmp_path / str(number), f"{seed} {number}", longest)
        for number in range(stories)
    )
    assert kills or stories == 1
    assert database.faults() == ""
