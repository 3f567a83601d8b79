"""What PostgreSQL removes: what an approved decision names, what its policy covers, and no more."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chains import EVENT
from postgres_logs import ORIGIN, Database
from purged_logs import DAY, NOW, decide, old
from servers_postgres import PostgresServer
from thorough import some

from chained_logging import AuditLog
from chained_logging.errors import DestinationError, Refused
from chained_logging.event.values import timestamp_text
from chained_logging.format.record import EMPTY, Head, Record
from chained_logging.format.stub import Stub
from chained_logging.keys import PrivateKey
from chained_logging.review.reading import Reader
from chained_logging.review.retention.holds import add_hold, release_holds
from chained_logging.ship.destination import PurgingDestination, StubDestination
from chained_logging.ship.holds import Covered
from chained_logging.ship.postgres import purge as module

ANN = Reader("ann")
Items = list[Record | Stub]


class Story:
    """A log in which things are decided, and the database that it is shipped to."""

    def __init__(
        self, tmp_path: Path, database: Database, events: Sequence[dict[str, Any]]
    ) -> None:
        self.database = database
        self.log = AuditLog(tmp_path / "audit.db", origin=ORIGIN)
        self.log.append_many(events)

    def decide(self, seqs: Iterable[int], **change: Any) -> int:
        seq: int = decide(self.log, seqs, **change).seq
        return seq

    def ship(self) -> list[Record]:
        """Ship all, after an entry that may stand last."""
        self.log.append("later", **EVENT)
        there = self.database.shipper.head(ORIGIN).seq
        self.database.shipper.write(ORIGIN, list(self.log.records(there + 1)), [])
        return list(self.log.records())

    def purge(self, decision: int) -> int:
        self.database.retention.approve(ORIGIN, decision)
        return sum(self.database.retention.purge(ORIGIN, decision))


@pytest.fixture
def story(tmp_path: Path, database: Database) -> Iterable[Story]:
    made = Story(tmp_path, database, old(10))
    yield made
    made.log.close()


def stub(record: Record) -> Stub:
    return Stub(record.seq, record.hash, record.signature)


def left(records: Sequence[Record], gone: Iterable[int]) -> Items:
    removed = set(gone)
    return [stub(one) if one.seq in removed else one for one in records]


def held(database: Database) -> Items:
    return list(database.reader.stored(ORIGIN))


def test_it_is_a_destination_that_removes(database: Database) -> None:
    assert isinstance(database.reader, PurgingDestination)
    assert isinstance(database.reader, StubDestination)


# --- Exactly what is named goes.


def test_what_a_decision_names_becomes_stubs(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)  # ranges are cut anywhere
    decision = story.decide([1, 2, 3, 5, 9, 10])
    records = story.ship()
    reader = story.database.reader
    assert reader.any_of(ORIGIN, [(1, 3), (5, 5)])
    assert not reader.any_of(ORIGIN, [])  # a decision that names nothing
    story.database.retention.approve(ORIGIN, decision)
    assert [n for n in story.database.retention.purge(ORIGIN, decision) if n] == [2, 2, 2]
    assert held(story.database) == left(records, [1, 2, 3, 5, 9, 10])
    assert list(reader.stored(ORIGIN, 3)) == left(records, [3, 5, 9, 10])[3:]
    assert list(reader.records(ORIGIN)) == [one for one in held(story.database) if len(one) == 4]
    assert not reader.any_of(ORIGIN, [(1, 3), (5, 5)])
    assert reader.any_of(ORIGIN, [(1, 3), (5, 6)])
    assert story.purge(decision) == 0
    assert story.database.faults() == ""
    assert reader.head(ORIGIN) == Head(records[-1].seq, records[-1].hash)


def test_the_log_goes_on_after_it(story: Story) -> None:
    decision = story.decide([1, 2])
    story.ship()
    assert story.purge(decision) == 2
    again = story.decide([4, 5])
    records = story.ship()
    assert story.purge(again) == 2
    assert held(story.database) == left(records, [1, 2, 4, 5])
    assert story.database.faults() == ""


def test_a_signature_stays_with_the_stub(tmp_path: Path, database: Database) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, origin=ORIGIN, key=PrivateKey.generate(), sign="each") as log:
        log.append_many(old(3))
        decision = decide(log, [1, 2]).seq
        log.append("later", **EVENT)
        records = list(log.records())
    database.shipper.write(ORIGIN, records, [])
    database.retention.approve(ORIGIN, decision)
    assert sum(database.retention.purge(ORIGIN, decision)) == 2
    assert list(database.reader.stored(ORIGIN)) == left(records, [1, 2])
    assert records[1].signature


def test_nothing_goes_before_a_decision_is_approved(story: Story) -> None:
    decision = story.decide([1])
    records = story.ship()
    assert sum(story.database.retention.purge(ORIGIN, decision)) == 0
    assert held(story.database) == records


REFUSED = {
    "the genesis entry": ([0], {}),
    "younger than the period": ([11], {}),
    "another type": ([1], {"selector": {"resource_type": ["other"]}}),
    "another action": ([1], {"selector": {"action": ["write", "delete"]}}),
    "another tenant": ([1], {"selector": {"tenant_id": ["a"]}}),
    "a hold": ([12], {}),
}


@pytest.mark.parametrize("which", REFUSED)
def test_what_the_policy_does_not_cover_stays(story: Story, which: str) -> None:
    seqs, change = REFUSED[which]
    story.log.append("read", **EVENT)
    add_hold(story.log, "c", Covered(actor_id="nobody"), "r", ANN)
    decision = story.decide([*seqs, 2], **change)
    records = story.ship()
    with pytest.raises(Refused, match=f"entry {min([*seqs, 2] if change else seqs)} of .* may not"):
        story.purge(decision)
    assert held(story.database) == records


@pytest.mark.parametrize(
    "selector",
    [{"action": ["read", "x"]}, {"tenant_id": ["t"], "resource_type": ["patient_record"]}],
)
def test_what_the_selector_covers_goes(
    tmp_path: Path, database: Database, selector: dict[str, Any]
) -> None:
    story = Story(tmp_path, database, old(3, tenant_id="t", resource="patient_record/1"))
    decision = story.decide([1, 2, 3], selector=selector)
    story.ship()
    assert story.purge(decision) == 3
    story.log.close()


DAYS_700 = timestamp_text(NOW - 700 * DAY)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"before": DAYS_700}, "policy that does not hold"),
        ({"days": 100_000}, "policy that does not hold"),
        ({"days": 0}, "policy that does not hold"),
        ({"days": None}, "policy that does not hold"),
        ({"before": None}, "policy that does not hold"),
        ({"selector": {"actor_id": ["x"]}}, "policy that does not hold"),
        ({"ranges": [[1, 2, 3]]}, "policy that does not hold"),
        ({"ranges": [[1, 3], [3, 4]]}, "overlap"),
        ({"ranges": [[4, 3]]}, "range_is_range"),
        ({"ranges": [[3, 11]]}, "range_is_range"),
        ({"ranges": [[-1, 3]]}, "range_is_range"),
        ({"ranges": "all"}, "cannot extract elements"),
        ({"before": "some day"}, "invalid input syntax"),
    ],
)
def test_a_decision_that_does_not_hold_is_not_approved(
    story: Story, change: dict[str, Any], reason: str
) -> None:
    decision = story.decide([1], **change)
    records = story.ship()
    with pytest.raises(Refused, match=reason):
        story.database.retention.approve(ORIGIN, decision)
    assert story.database.sql("SELECT count(*) FROM chained_logging.purges") == [(0,)]
    assert held(story.database) == records


def test_ranges_that_another_decision_names_are_not_approved_again(story: Story) -> None:
    first, second = story.decide([1, 2, 3]), story.decide([3, 4])
    story.ship()
    story.database.retention.approve(ORIGIN, first)
    with pytest.raises(Refused, match="overlap"):
        story.database.retention.approve(ORIGIN, second)
    story.database.retention.approve(ORIGIN, first)  # once more is no harm


def test_only_the_log_itself_decides(story: Story) -> None:
    story.log.append("retention.apply", **EVENT, context={"ranges": [[1, 2]]})
    story.ship()
    for seq in (1, 11, 99):
        with pytest.raises(Refused, match="not a decision of the log"):
            story.database.retention.approve(ORIGIN, seq)


# --- Holds.


def test_what_is_held_stays_until_its_release_is_approved(story: Story) -> None:
    decision = story.decide([1, 2, 3])
    add_hold(story.log, "c", Covered(since=timestamp_text(NOW - 900 * DAY)), "r", ANN)
    story.ship()
    assert story.purge(decision) == 0
    release = release_holds(story.log, "c", "over", ANN).seq
    records = story.ship()
    assert story.purge(decision) == 0
    story.database.retention.approve(ORIGIN, release)
    story.database.retention.approve(ORIGIN, release)
    assert story.database.faults() == ""
    assert story.purge(decision) == 3
    assert held(story.database) == left(records, [1, 2, 3])
    assert story.database.faults() == ""


def test_a_hold_in_the_middle_keeps_its_entries_alone(tmp_path: Path, database: Database) -> None:
    events = old(9)
    events[4]["actor"] = "held"
    events[6]["resources"] = ["x/1", "patient_record/7"]
    story = Story(tmp_path, database, events)
    add_hold(story.log, "c", Covered(actor_id="held"), "r", ANN)
    add_hold(story.log, "d", Covered.about("patient_record/7"), "r", ANN)
    decision = story.decide(range(1, 10))
    records = story.ship()
    assert story.purge(decision) == 7
    assert held(database) == left(records, {1, 2, 3, 4, 6, 8, 9})
    story.log.close()


COVERS = [
    ({"actor_id": EVENT["actor"]}, True), ({"actor_id": "x"}, False), ({"action": "read"}, True),
    ({"action": "x"}, False), ({"tenant_id": "t"}, False), ({}, True),
    ({"resource_type": "patient_record"}, True), ({"resource_id": "1"}, False),
    ({"since": timestamp_text(NOW)}, False), ({"until": timestamp_text(NOW)}, True),
    ({"until": timestamp_text(NOW - 900 * DAY)}, False),
    # What cannot be read keeps everything, as it does for holds_of().
    ({"actr": "x"}, True), ({"actor_id": 7}, True), ({"since": "2026"}, True), (None, True),
    ({"since": "2026-02-30T00:00:00.000000Z"}, True),
    ({"actor_id": "x", "since": "2026-02-01T24:00:00.000000Z"}, True),
    ({"actor_id": "x\0"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("filter", "keeps"), COVERS)
def test_the_database_reads_holds_as_the_commands_do(
    story: Story, filter: dict[str, Any] | None, keeps: bool
) -> None:
    from chained_logging.ship.holds import holds_of

    story.log.decide("hold.add", {"case": "c", "filter": filter}, loosens=False)
    decision = story.decide([1])
    story.ship()
    holds = holds_of(story.log)
    (entry,) = [one for one in story.log.entries() if one.seq == 1]
    assert (holds.keeps(entry) is not None) is keeps
    assert story.purge(decision) == (not keeps)
    cases = story.database.sql('SELECT "case" FROM chained_logging.holds')
    assert cases == [(one.case,) for one in holds.active]


def test_rows_without_an_entry_are_named(story: Story) -> None:
    add_hold(story.log, "c", Covered(), "r", ANN)
    decision = story.decide([1])
    story.ship()
    story.database.retention.approve(ORIGIN, decision)
    off = [f"ALTER TABLE chained_logging.{t} DISABLE TRIGGER append_only" for t in ("holds",)]
    on = [each.replace("DISABLE", "ENABLE ALWAYS") for each in off]
    story.database.sql(
        *off,
        "DELETE FROM chained_logging.holds",
        "INSERT INTO chained_logging.lifts VALUES ('" + ORIGIN + "', 2, 3)",
        "INSERT INTO chained_logging.purges VALUES ('" + ORIGIN + "', 3, 4, 5, now())",
        *on,
    )
    assert story.database.faults().splitlines() == [
        "holds no longer has the hold of entry 11",
        "lifts ends the hold of entry 2, which no entry does",
        "purges has a range from entry 3, which no entry names",
    ]


# --- Nobody else removes anything.


def test_each_role_may_remove_nothing_else(story: Story) -> None:
    database = story.database
    decision = story.decide([1, 2])
    records = story.ship()
    database.retention.approve(ORIGIN, decision)
    month = "entries_default"
    everybody = [
        *(f"{change} chained_logging.{table}{end}"
          for table in ("entries", month, "stubs", "purges", "holds", "lifts", "remains", "heads")
          for change, end in (("DELETE FROM", ""), ("TRUNCATE", ""), ("DROP TABLE", ""),
                              ("UPDATE", " SET origin = ''"))
          if (table, change) != ("remains", "UPDATE")),
        f"INSERT INTO chained_logging.purges VALUES ('{ORIGIN}', 3, 4, 12, now())",
        f"INSERT INTO chained_logging.lifts VALUES ('{ORIGIN}', 1, 2)",
        f"INSERT INTO chained_logging.holds (origin, seq, \"case\") VALUES ('{ORIGIN}', 3, 'x')",
        "SET ROLE chained_logging_owner",
        "SELECT chained_logging.remove()",
        "SELECT chained_logging.add_hold('x', 1, '{}')",
        "ALTER TABLE chained_logging.stubs DISABLE TRIGGER ALL",
    ]  # fmt: skip
    removing = [
        f"SELECT chained_logging.approve('{ORIGIN}', {decision})",
        f"SELECT chained_logging.purge('{ORIGIN}', {decision})",
        "SELECT chained_logging.compact('entries_default')",
    ]
    put = (
        "INSERT INTO chained_logging.stubs (origin, seq, hash) "
        f"VALUES ('{ORIGIN}', 1, '{records[1].hash}')"
    )
    for user, statements in (
        ("shipper", [*everybody, *removing, "SELECT FROM chained_logging.stubs"]),
        ("reader", [*everybody, *removing, put]),
        ("retention", [*everybody, put]),
    ):
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                database.sql(statement, user=f"test_{user}")
    with pytest.raises(psycopg.Error, match="stored already"):
        database.sql(put, user="test_shipper")
    assert held(database) == records


def test_a_stub_by_hand_removes_only_what_is_approved(story: Story) -> None:
    database = story.database
    add_hold(story.log, "c", Covered(actor_id="nobody"), "r", ANN)
    decision = story.decide([1, 2])
    records = story.ship()
    as_owner = "SET ROLE chained_logging_owner"
    put = "INSERT INTO chained_logging.stubs (origin, seq, hash) VALUES ('{}', {}, '{}')"
    for seq, hash in ((1, records[1].hash), (3, records[3].hash), (0, records[0].hash)):
        with pytest.raises(psycopg.Error, match="may not be removed"):
            database.sql(as_owner, put.format(ORIGIN, seq, hash))
    database.retention.approve(ORIGIN, decision)
    for seq, hash in ((1, records[2].hash), (3, records[3].hash), (11, records[11].hash)):
        with pytest.raises(psycopg.Error, match="may not be removed"):
            database.sql(as_owner, put.format(ORIGIN, seq, hash))
    assert held(database) == records
    database.sql(as_owner, put.format(ORIGIN, 1, records[1].hash))
    assert held(database) == left(records, [1])


@pytest.mark.parametrize("role", ["postgres", "chained_logging_owner"])
def test_a_trigger_of_somebodys_own_deletes_nothing(story: Story, role: str) -> None:
    records = story.ship()
    delete = "DELETE FROM chained_logging.entries WHERE seq = 2"
    make = (
        f"SET ROLE {role}; CREATE TABLE pg_temp.t (x int); CREATE FUNCTION pg_temp.f() RETURNS "
        f"trigger LANGUAGE plpgsql AS $$ BEGIN {delete}; RETURN NULL; END $$; CREATE TRIGGER t "
        "AFTER INSERT ON pg_temp.t EXECUTE FUNCTION pg_temp.f(); INSERT INTO pg_temp.t VALUES (1)"
    )
    with pytest.raises(psycopg.Error, match="without a stub"):
        story.database.sql(make)
    with pytest.raises(psycopg.Error, match="append-only"):
        story.database.sql(f"SET ROLE {role}; {delete}")
    assert held(story.database) == records


@pytest.mark.parametrize("table", ["stubs", "purges", "holds", "lifts"])
def test_rows_about_removal_are_not_changed(story: Story, table: str) -> None:
    for change in ("DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET origin = 'x'"):
        for mode in ("origin", "replica"):
            with pytest.raises(psycopg.Error, match="append-only"):
                story.database.sql(
                    f"SET session_replication_role = {mode}",
                    change.format(f"chained_logging.{table}"),
                )


def test_who_ships_and_removes_in_one_person_is_named(database: Database) -> None:
    database.sql("GRANT chained_logging_retention TO test_shipper")
    try:
        assert "retention by test_shipper was added: who ships as well" in database.faults()
    finally:
        database.sql("REVOKE chained_logging_retention FROM test_shipper")
    assert database.faults() == ""


# --- Stubs that are shipped.


@pytest.mark.parametrize("seed", some(range(5), 2))
def test_a_log_with_stubs_is_shipped_in_any_batches(
    story: Story, postgres_server: PostgresServer, seed: int
) -> None:
    chance = random.Random(seed)
    gone = {seq for seq in range(1, 11) if chance.random() < 0.6}
    decision = story.decide(gone)
    items = left(story.ship(), gone)
    at, new = 0, Database(postgres_server)
    while at < len(items):
        size = chance.randint(1, 6)
        new.shipper.write(ORIGIN, items[at : at + size], [])
        at += size
        last = items[min(at, len(items)) - 1]
        assert new.shipper.head(ORIGIN) == Head(last.seq, last.hash)
        assert new.faults() == ""
    assert held(new) == items
    new.retention.approve(ORIGIN, decision)
    assert sum(new.retention.purge(ORIGIN, decision)) == 0
    with pytest.raises(DestinationError, match="there already"):
        new.shipper.write(ORIGIN, items[3:], [])
    new.close()


def test_stubs_continue_the_chain_or_are_refused(story: Story, database: Database) -> None:
    records = list(story.log.records())
    write = database.shipper.write
    write(ORIGIN, records[:3], [])
    for wrong, reason in (
        ([stub(records[4])], "leaves a gap"),
        ([stub(records[3]), stub(records[5])], "leaves a gap"),
        ([stub(records[3]), records[5]], "leaves a gap"),
        ([stub(records[3])._replace(hash="0" * 64), records[4]], "does not follow"),
        ([stub(records[3])._replace(hash="x" * 64)], "hash_is_hash"),
        ([stub(records[3])._replace(signature="x")], "signature_is_signature"),
    ):
        with pytest.raises(Refused, match=reason):
            write(ORIGIN, wrong, [])
    with pytest.raises(DestinationError, match="there already"):
        write(ORIGIN, [stub(records[2])], [])
    with pytest.raises(DestinationError, match="there already"):
        write(ORIGIN, [stub(records[3]), records[3]], [])
    assert held(database) == records[:3]
    write(ORIGIN, [stub(records[3]), *records[4:]], [])
    assert held(database) == left(records, [3])
    assert database.faults() == ""


def test_a_login_ships_stubs_of_its_own_logs_alone(database: Database) -> None:
    database.sql("DELETE FROM chained_logging.shippers")
    with pytest.raises(Refused, match="is not bound to the log"):
        database.shipper.write(ORIGIN, [Stub(0, "0" * 64)], [])
    assert database.shipper.head(ORIGIN) == EMPTY


# --- Nothing is left in the files.


def files_with(database: Database, *texts: bytes) -> list[set[str]]:
    """Return which files of the server hold each text.

    The write-ahead log is left out, and the other databases, which other tests made.
    """
    database.sql("CHECKPOINT")
    ((own,),) = database.sql("SELECT oid::text FROM pg_database WHERE datname = current_database()")
    found: list[set[str]] = [set() for _ in texts]
    for path in database.server.data.rglob("*"):
        inside = path.relative_to(database.server.data).parts
        others = inside[0] == "base" and inside[1:2] != (own,)
        if others or inside[0] in {"pg_wal", "postmaster.pid"} or not path.is_file():
            continue
        with contextlib.suppress(FileNotFoundError):
            content = path.read_bytes()
            for text, names in zip(texts, found, strict=True):
                if text in content:
                    names.add(path.name)
    return found


def analyzed(database: Database) -> None:
    database.sql("ANALYZE chained_logging.entries", "ANALYZE chained_logging.entries_default")


@pytest.mark.parametrize("month", ["dropped", "written again"])
def test_no_removed_body_is_left_in_any_file(
    tmp_path: Path, database: Database, month: str
) -> None:
    secret = "q7Zk2vXsecret"
    whole = month == "dropped"
    days = 830
    if whole:
        database.sql(f"SELECT chained_logging.add_month(now() - interval '{days} days')")
    events = old(600, days=days, reason=f"{secret} in a reason", note=f"{secret} in the context")
    story = Story(tmp_path, database, events + ([] if whole else old(50, days=days)))
    decision = story.decide(range(1, 601))
    records = story.ship()
    analyzed(database)
    # As it was written, and as a word in an index.
    forms = secret.encode(), secret.lower().encode()
    assert all(files_with(database, *forms))
    before = sum(file.stat().st_size for file in (database.server.data / "base").rglob("*"))
    assert story.purge(decision) == 600
    ((name, clean),) = database.retention.give_back()
    assert clean
    assert list(database.retention.give_back()) == []
    gone = database.sql(f"SELECT to_regclass('chained_logging.{name}') IS NULL") == [(True,)]
    assert gone is whole
    assert name != "entries_default" or not whole
    database.sql("CHECKPOINT")
    assert files_with(database, *forms) == [set(), set()]
    after = sum(file.stat().st_size for file in (database.server.data / "base").rglob("*"))
    assert after < before
    assert held(database) == left(records, range(1, 601))
    assert database.faults() == ""
    story.log.close()


def test_a_transaction_that_may_still_see_it_is_waited_for(story: Story) -> None:
    decision = story.decide([1, 2])
    story.ship()
    database = story.database
    with psycopg.connect(database.server.url(database.name)) as reading:
        reading.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reading.execute("SELECT 1 FROM chained_logging.heads")
        assert story.purge(decision) == 2
        assert list(database.retention.give_back()) == [("entries_default", False)]
    assert list(database.retention.give_back()) == [("entries_default", True)]
    assert list(database.retention.give_back()) == []


def test_a_partition_in_use_is_left_for_later(story: Story) -> None:
    decision = story.decide([1, 2])
    story.ship()
    database = story.database
    assert story.purge(decision) == 2
    with psycopg.connect(database.server.url(database.name)) as reading:
        reading.execute("SELECT count(*) FROM chained_logging.entries")
        assert list(database.retention.give_back()) == [("entries_default", False)]
    assert list(database.retention.give_back()) == [("entries_default", True)]
