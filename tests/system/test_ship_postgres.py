"""PostgreSQL as central storage: what it takes, what it refuses, and what it cannot hide.

Each promise is tested from outside, against a real server, by somebody who has the rights that
the attack needs: mostly the DBA, who is a superuser.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chains import EVENT, often, read_json
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres_logs import (
    ORIGIN,
    Database,
    _names,
    database,
    filled,
    forged,
    insert,
    plain,
    records,
    records_of,
)
from servers_postgres import (
    PostgresServer,
    running_server,
)
from thorough import some

from chained_logging.errors import DestinationError, Refused
from chained_logging.event.draft import draft
from chained_logging.format.line import MAX_BODY, leaf_hash
from chained_logging.format.record import EMPTY, Head, Record
from chained_logging.ship.postgres import PostgresDestination, init

__all__ = ["database", "filled", "records"]  # fixtures

ROUNDS = int(os.environ.get("ROUNDS", often(20)))


# --- What is shipped stands there.


def test_a_long_reader_does_not_keep_a_month_from_being_shipped(
    database: Database, records: list[Record]
):
    with psycopg.connect(database.server.url(database.name)) as reading:
        reading.execute("SELECT count(*) FROM chained_logging.entries")  # and no commit
        database.shipper.write(ORIGIN, records, [])
    assert list(database.reader.records(ORIGIN)) == records
    assert database.faults() == ""


def test_two_years_of_months_are_there_and_init_adds_those_to_come(
    database: Database, caplog: pytest.LogCaptureFixture
):
    month = "to_char(now() + {} * interval '1 month', '\"chained_logging.entries_\"YYYY_MM')"
    due = [name for (name,) in database.sql(
        f"SELECT {month.format('month')} FROM generate_series(-12, 24) AS month"
    )]  # fmt: skip
    there = "SELECT to_regclass(name) IS NOT NULL FROM unnest(%s::text[]) AS name"
    assert set(database.reader.session.rows(there, (due,))) == {(True,)}
    database.shipper.tend(ORIGIN)
    assert not caplog.records
    for name in due[-12:]:
        database.sql(f"DROP TABLE {name}")
    database.sql(f"DROP TABLE {due[13]}")
    assert database.faults() == ""
    with contextlib.closing(PostgresDestination(database.url)) as other:
        other.tend(ORIGIN)
        other.tend(ORIGIN)
    assert [record.getMessage().endswith("run init there again") for record in caplog.records] == [
        True
    ]
    assert due[-1][-7:].replace("_", "-") in init(database.url)[-1]
    assert set(database.reader.session.rows(there, (due,))) == {(True,)}
    assert database.faults() == ""


# --- Columns.

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "action": TEXT, "actor": TEXT, "resource": st.tuples(TEXT, TEXT) | TEXT,
        "actor_type": st.sampled_from(["user", "service", "admin", "system", "nobody"]),
        "result": st.sampled_from(["success", "failure", "denied", "perhaps"]),
        "ip": st.ip_addresses().map(str) | st.just("::ffff:1.2.3.4") | TEXT,
        "timestamp": st.datetimes().map(lambda t: f"{t.isoformat()}+00:00"),
        "user_agent": TEXT, "session_id": TEXT, "reason": TEXT,
        "on_behalf_of": TEXT, "tenant": TEXT, "trace_id": st.sampled_from(["1f" * 16, "x"]),
        "resources": st.lists(st.tuples(TEXT, TEXT), max_size=3),
        "changed_fields": st.lists(TEXT, max_size=3), "old_values": st.dictionaries(TEXT, JSON),
        "details": JSON, '","seq":7,"x\\': JSON,
    },
)  # fmt: skip
COLUMNS = (
    "id::text, \"timestamp\" AT TIME ZONE 'UTC', actor_id, actor_type, action, resource_type, "
    "resource_id, result, ip_address, ip_address_unknown, user_agent, session_id, changed_fields, "
    "reason, seq, prev_hash, on_behalf_of, tenant_id, trace_id, resources, old_values::text, "
    "context::text, body"
)


def assert_columns_are_the_body(row: tuple[Any, ...]) -> None:
    *columns, body = row
    fields = read_json(body)
    text = f"{columns[1].isoformat(timespec='microseconds')}Z"
    assert text == fields.pop("timestamp")
    assert fields.pop("v") == 1
    ip = fields.pop("ip_address")
    assert columns[9] is (ip == "unknown")
    assert (None if columns[8] is None else str(columns[8])) == (None if columns[9] else ip)
    names = [
        "id", None, "actor_id", "actor_type", "action", "resource_type", "resource_id", "result",
        None, None, "user_agent", "session_id", "changed_fields", "reason", "seq", "prev_hash",
        "on_behalf_of", "tenant_id", "trace_id", "resources",
    ]  # fmt: skip
    for name, value in zip(names, columns, strict=False):
        assert name is None or fields.pop(name, None) == value
    context, old_values = fields.pop("context"), fields.pop("old_values", None)
    assert not fields
    if "\0" in json.dumps([context, old_values]).replace("\\u0000", "\0") and columns[21] is None:
        assert columns[20] is None  # what jsonb cannot hold stands in the body alone
    else:
        assert (read_json(columns[20]) if columns[20] else None) == old_values
        assert read_json(columns[21]) == context


@pytest.fixture(scope="module")
def shared(postgres_server: PostgresServer) -> Iterator[Database]:
    made = Database(postgres_server)
    yield made
    made.close()


@given(st.lists(EVENTS, min_size=1, max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_log_writes_is_taken_and_its_columns_are_its_fields(
    shared: Database, tmp_path: Path, events: list[dict[str, Any]]
):
    origin = f"example.com/{next(_names)}"
    records = records_of(tmp_path, events, origin)
    shared.shipper.write(origin, records, [])
    assert list(shared.reader.records(origin)) == records
    with psycopg.connect(shared.url) as connection:
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM chained_logging.entries WHERE origin = %s".encode(), (origin,)
        ).fetchall()
    assert len(rows) == len(records)
    for row in rows:
        assert_columns_are_the_body(row)


def test_odd_bodies_are_kept_whole(database: Database, tmp_path: Path):
    odd = [
        {"nul": "a\0b", "\0": "\0\0", "backslashes": "\\\0"},
        {"text": r"a\u0000b", "more": "\\\\u0000"},
        {"large": 1e16, "tiny": 5e-324, "huge": 1.7976931348623157e308, "minus": -0.0},
        {"controls": "".join(map(chr, range(1, 32))) + "\x7f\x85\u2028\ufeff"},
        {"astral": "😀\U0010ffff", "rtl": "שלום"},
        {"nested": json.loads("[" * 60 + "]" * 60)},
        {"invalid": 1, "oversize": 2},
        {"much": "ä" * 100_000},
    ]
    events = [{"action": "read", **EVENT, **more} for more in odd]
    events += [{"action": "read", "actor": "x", "resource": "a/b", "ip": ip} for ip in (
        "::1", "2001:db8::1", "::1.2.3.4", "64:ff9b::1.2.3.4", "0.0.0.0", "nowhere", None,
    )]  # fmt: skip
    events.append({"action": "read", "actor": "cron", "actor_type": "service", "resource": "a/b"})
    # A body of the greatest length there is: 65,535 bytes.
    event = {"action": "read", **EVENT, "blob": ""}
    room = MAX_BODY - len(draft(event).body(len(events) + 1, "0" * 64))
    events.append({**event, "blob": "x" * room})
    records = records_of(tmp_path, events)
    assert len(records[-1].body) == 65_535
    database.shipper.write(ORIGIN, records, [])
    assert list(database.reader.records(ORIGIN)) == records
    for row in database.sql(f"SELECT {COLUMNS} FROM chained_logging.entries"):
        assert_columns_are_the_body(row)
    rows = database.sql("SELECT seq FROM chained_logging.entries WHERE context IS NULL")
    assert rows == [(1,)]  # the escape of U+0000 alone, not what only looks like it


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b'"action":"forged"', b'"action":7'),
        lambda body: body.replace(b'"action":"forged"', b'"action":""'),
        lambda body: body.replace(b'"action":"forged"', b'"action":"' + b"a" * 1025 + b'"'),
        lambda body: body.replace(b'"action":"forged"', b'"action":"a","action":"forged"'),
        lambda body: body.replace(b'"action":"forged"', b'"action":"\\u0066orged"'),
        lambda body: body.replace(b'"action":"forged"', b'"action": "forged"'),
        lambda body: body.replace(b'"actor_type":"user"', b'"actor_type":"root"'),
        lambda body: body.replace(b'"context":{', b'"context":[{').replace(b'},"id"', b'}],"id"'),
        lambda body: body.replace(b'},"id"', b'},"extra":{},"id"'),
        lambda body: body.replace(b'"ip_address":"10.0.0.1"', b'"ip_address":"10.0.0.1/8"'),
        lambda body: body.replace(b'"ip_address":"10.0.0.1"', b'"ip_address":"somewhere"'),
        lambda body: body.replace(b'"ip_address":"10.0.0.1"', b'"ip_address":null'),
        lambda body: body.replace(b'"result":"success"', b'"reason":null,"result":"success"'),
        lambda body: body.replace(b'"result":"success"', b'"result":"fine"'),
        lambda body: body.replace(b'"v":1', b'"v":2'),
        lambda body: body.replace(b'"v":1', b'"v":1,"w":1'),
        lambda body: body.replace(b',"result"', b',"resources":{},"result"'),
        lambda body: body.replace(b',"result"', b',"resources":[{"id":"1"}],"result"'),
        lambda body: body.replace(b',"result"', b',"resources":[{"id":"","type":"a"}],"result"'),
        lambda body: body.replace(b',"result"', b',"resources":[{"type":"a","id":"1"}],"result"'),
        lambda body: body.replace(b',"v":1', b',"trace_id":"' + b"0" * 32 + b'","v":1'),
        lambda body: body.replace(b',"v":1', b',"trace_id":"' + b"F" * 32 + b'","v":1'),
        lambda body: body.replace(b',"timestamp"', b',"tenant_id":"","timestamp"'),
        lambda body: re.sub(rb'("id":"[0-9a-f]{8}-[0-9a-f]{4}-)7', rb"\g<1>4", body),
        lambda body: body.replace(b'"context":{', b'"changed_fields":[5],"context":{'),
        lambda body: body.replace(b'"context":{', b'"context":{"x":"' + b"x" * 65_536 + b'",'),
        lambda body: body[:-1],
        lambda body: b"[]",
    ],
)
def test_a_body_that_breaks_the_format_is_refused(shared: Database, tmp_path: Path, change: Any):
    origin = f"example.com/{next(_names)}"
    records = records_of(tmp_path, plain(3), origin)
    shared.shipper.write(origin, records, [])
    good = forged(records[-1], number=1)
    body = change(good.body)
    assert body != good.body
    bad = Record(good.seq, body, leaf_hash(body))
    with pytest.raises(Refused) as refused:
        shared.shipper.write(origin, [bad], [])
    assert "Failing row" not in str(refused.value)
    timestamp = json.loads(good.body)["timestamp"]
    with pytest.raises(psycopg.Error):
        shared.sql(
            insert(good, origin=origin, body=body.decode(), hash=bad.hash, timestamp=timestamp)
        )
    shared.shipper.write(origin, [good], [])


def test_a_timestamp_that_is_not_the_bodys_is_refused(filled: Database, records: list[Record]):
    good = forged(records[-1], timestamp="2024-03-01T12:00:00Z")
    for other in (
        "2024-03-01T12:00:00.000001Z",
        "2024-03-01 12:00:00 BC",
        "2025-01-01",
        "infinity",
        "-infinity",
    ):
        with pytest.raises(psycopg.Error, match=r"body_is_its_columns|timestamp_is"):
            filled.sql(insert(good, timestamp=other))
    filled.sql("SET datestyle = 'German'", insert(good))


# --- The chain, whoever inserts.


def test_a_gap_a_fork_a_duplicate_and_an_edited_entry_are_refused(
    filled: Database, records: list[Record]
):
    last = records[-1]
    after = forged(last)
    gap = forged(after)
    edited = Record(after.seq, after.body.replace(b"forged", b"edited"), after.hash)
    unlinked = forged(records[-2])
    unlinked_body = unlinked.body.replace(b'"seq":9', b'"seq":10')
    unlinked = Record(10, unlinked_body, leaf_hash(unlinked_body))
    fork = forged(records[4])
    for record, says in (
        (gap, f"entry 11 of {ORIGIN} leaves a gap: the next is 10"),
        (edited, f"entry 10 of {ORIGIN} was edited"),
        (unlinked, f"entry 10 of {ORIGIN} does not follow"),
        (fork, f"entry 5 of {ORIGIN} is a fork"),
    ):
        with pytest.raises(Refused, match=says):
            filled.shipper.write(ORIGIN, [record], [])
        with pytest.raises(psycopg.Error, match=says):
            filled.sql(insert(record))
        with pytest.raises(psycopg.Error, match=says):  # not by way of a partition either
            filled.sql(insert(record, _month(record)))
    with pytest.raises(DestinationError, match="are there already"):
        filled.shipper.write(ORIGIN, records[3:5], [])
    with pytest.raises(psycopg.Error, match="leaves a gap"):  # a log begins with its first entry
        filled.sql(insert(after, origin="example.com/other"))
    with pytest.raises(psycopg.Error, match="genesis_names_origin"):
        filled.sql(insert(records[0], origin="example.com/other"))
    assert filled.shipper.head(ORIGIN) == Head(9, last.hash)
    assert filled.broken() is None


def _month(record: Record) -> str:
    return "entries_" + json.loads(record.body)["timestamp"][:7].replace("-", "_")


def test_a_good_entry_is_taken_by_any_way(filled: Database, records: list[Record]):
    first = forged(records[-1])
    last = forged(first)
    filled.sql(insert(first, _month(first)), insert(last))
    assert filled.shipper.head(ORIGIN) == Head(11, last.hash)
    assert filled.faults() == ""


def test_of_two_shippers_at_once_one_wins(database: Database, tmp_path: Path):
    mine = records_of(tmp_path, plain(300))
    theirs = records_of(tmp_path, plain(300))
    outcomes: list[str] = []

    def ship(destination: PostgresDestination, records: list[Record], start: Any) -> None:
        start.wait()
        try:
            destination.write(ORIGIN, records, [])
            outcomes.append("won")
        except (Refused, DestinationError) as error:
            outcomes.append(type(error).__name__)

    for one, two in [(mine, mine), (mine, theirs)] * 2:
        outcomes.clear()
        other = Database(database.server)
        start = threading.Barrier(2)
        second = PostgresDestination(database.server.url(other.name, "test_shipper"))
        threads = [
            threading.Thread(target=ship, args=(other.shipper, one, start)),
            threading.Thread(target=ship, args=(second, two, start)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("won") == 1, outcomes
        assert list(other.reader.records(ORIGIN)) in (one, two)
        assert other.broken() is None
        second.close()
        other.close()


def test_no_isolation_level_lets_a_fork_in(filled: Database, records: list[Record]):
    one, two = forged(records[-1], number=1), forged(records[-1], number=2)
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        with psycopg.connect(filled.url) as late:
            late.execute(f"SET TRANSACTION ISOLATION LEVEL {level}".encode())
            late.execute("SELECT FROM chained_logging.heads")  # its snapshot is from now
            filled.sql(insert(one))
            with pytest.raises(psycopg.Error):
                late.execute(insert(two).encode())
        one, two = forged(one, number=1), forged(one, number=2)
    assert filled.broken() is None


def test_a_role_that_brings_functions_of_its_own_changes_nothing(
    filled: Database, records: list[Record]
):
    filled.sql(
        "CREATE SCHEMA evil",
        "CREATE FUNCTION evil.forge(json, text) RETURNS text LANGUAGE sql AS $$ SELECT 'nobody' $$",
        "CREATE OPERATOR evil.->> (LEFTARG = json, RIGHTARG = text, FUNCTION = evil.forge)",
        "CREATE FUNCTION evil.zero(int, int) RETURNS bool LANGUAGE sql AS $$ SELECT false $$",
        "CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.zero)",
        "CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$",
        "GRANT ALL ON SCHEMA evil TO PUBLIC",
    )
    record = forged(records[-1])
    filled.sql("SET search_path = evil, pg_catalog", insert(record), user="test_shipper")
    rows = filled.sql("SELECT action FROM chained_logging.entries WHERE seq = 10")
    assert rows == [("forged",)]


# --- Roles.


def test_each_role_may_do_its_part_and_no_more(filled: Database, records: list[Record]):
    record = forged(records[-1])
    month = _month(record)
    everybody = [
        "UPDATE chained_logging.entries SET origin = 'x'",
        "DELETE FROM chained_logging.entries",
        "TRUNCATE chained_logging.entries",
        f"DELETE FROM chained_logging.{month}",
        f"SELECT FROM chained_logging.{month}",
        insert(record, month),
        "UPDATE chained_logging.heads SET seq = 3",
        "DELETE FROM chained_logging.checkpoints",
        "DROP TABLE chained_logging.heads",
        "CREATE TABLE chained_logging.mine (x int)",
        "ALTER TABLE chained_logging.entries DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "SELECT chained_logging.guard('entries')",
    ]
    shipper = [
        "SELECT body FROM chained_logging.entries",
        "SELECT FROM chained_logging.checkpoints",
        "SELECT chained_logging.actions_of('x')",
        insert(record) + " RETURNING body",
        insert(record) + " ON CONFLICT (origin, seq, \"timestamp\") DO UPDATE SET hash = ''",
    ]
    reader = [insert(record), "SELECT chained_logging.add_month(now())",
              "INSERT INTO chained_logging.heads VALUES ('x', 1, '')"]  # fmt: skip
    for user, refused in (("shipper", everybody + shipper), ("reader", everybody + reader)):
        for statement in refused:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                filled.sql(statement, user=f"test_{user}")
    with pytest.raises(Refused, match="permission denied"):
        list(filled.shipper.records(ORIGIN))
    with pytest.raises(Refused, match="permission denied"):
        filled.reader.write(ORIGIN, [record], [])
    filled.shipper.write(ORIGIN, [record], [])


@pytest.mark.parametrize("table", ["entries", "month", "entries_default", "checkpoints", "heads"])
@pytest.mark.parametrize("role", ["postgres", "chained_logging_owner"])
def test_nobody_changes_what_stands_there_by_an_ordinary_statement(
    shared: Database, tmp_path: Path, table: str, role: str
):
    origin = f"example.com/{next(_names)}"
    records = records_of(tmp_path, plain(3), origin)
    shared.shipper.write(origin, records, [])
    table = f"chained_logging.{_month(records[0]) if table == 'month' else table}"
    for statement in (
        f"UPDATE {table} SET origin = 'x'",
        f"DELETE FROM {table}",
        f"DELETE FROM {table} WHERE false",
        f"TRUNCATE {table}",
        f"TRUNCATE {table} CASCADE",
        f"MERGE INTO {table} AS t USING (SELECT) AS s ON true WHEN MATCHED THEN DELETE",
        f"INSERT INTO {table} SELECT * FROM {table}"
        if table.endswith("heads")
        else f"WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT FROM gone",
    ):
        for mode in ("origin", "replica", "local"):
            with pytest.raises(psycopg.Error, match=r"append-only|by the trigger on"):
                shared.sql(f"SET session_replication_role = {mode}", f"SET ROLE {role}", statement)
    assert list(shared.reader.records(origin)) == records


# --- The DBA: what he does is named.

EDIT = (
    "UPDATE chained_logging.entries SET body = replace(body, 'user-1', 'user-2') WHERE seq = 5",
    "UPDATE chained_logging.entries SET hash = encode(sha256('\\x00'::bytea || "
    "convert_to(body, 'UTF8')), 'hex') WHERE seq = 5",
)
TRUSTING = "CREATE OR REPLACE FUNCTION chained_logging.{} RETURNS {} LANGUAGE plpgsql AS $$ {} $$"
WEAKENED = {
    "disables a trigger": (
        ["ALTER TABLE chained_logging.entries DISABLE TRIGGER append"],
        "trigger chained_logging.entries.append was changed",
    ),
    "makes a trigger one that replication passes by": (
        ["ALTER TABLE chained_logging.entries ENABLE TRIGGER append_only"],
        "trigger chained_logging.entries.append_only was changed",
    ),
    "disables all triggers of a month": (
        ["ALTER TABLE chained_logging.{month} DISABLE TRIGGER ALL"],
        "trigger chained_logging.{month}.append was changed",
    ),
    "drops a trigger": (
        ["DROP TRIGGER append_only ON chained_logging.{month}"],
        "trigger chained_logging.{month}.append_only is gone",
    ),
    "adds a trigger": (
        ["CREATE TRIGGER a BEFORE INSERT ON chained_logging.entries FOR EACH ROW "
         "EXECUTE FUNCTION suppress_redundant_updates_trigger()"],
        "trigger chained_logging.entries.a was added",
    ),
    "drops a constraint": (
        ["ALTER TABLE chained_logging.entries DROP CONSTRAINT body_is_its_columns"],
        "constraint chained_logging.entries.body_is_its_columns is gone",
    ),
    "loosens a constraint": (
        ["ALTER TABLE chained_logging.entries DROP CONSTRAINT result_is_known",
         "ALTER TABLE chained_logging.entries ADD CONSTRAINT result_is_known CHECK (true)"],
        "constraint chained_logging.entries.result_is_known was changed",
    ),
    "replaces the trigger's function": (
        [TRUSTING.format("append()", "trigger", "BEGIN RETURN NULL; END")],
        "function chained_logging.append() was changed",
    ),
    "replaces how a body is read": (
        ["CREATE OR REPLACE FUNCTION chained_logging.parsed(body text) RETURNS json LANGUAGE "
         "plpgsql IMMUTABLE STRICT AS $$ BEGIN RETURN replace(body, 'eve', 'bob')::json; END $$"],
        "function chained_logging.parsed(text) was changed",
    ),
    "replaces an answer": (
        ["CREATE OR REPLACE FUNCTION chained_logging.access_to(type text, id text) RETURNS SETOF "
         "chained_logging.entries LANGUAGE sql STABLE AS "
         "$$ SELECT * FROM chained_logging.entries WHERE actor_id <> 'eve' $$"],
        "function chained_logging.access_to(text,text) was changed",
    ),
    "lets a function run with other rights": (
        ["ALTER FUNCTION chained_logging.append() SECURITY INVOKER"],
        "function chained_logging.append() was changed",
    ),
    "grants UPDATE": (
        ["GRANT UPDATE ON chained_logging.entries TO chained_logging_shipper"],
        "grant on table chained_logging.entries to chained_logging_shipper of UPDATE was added",
    ),
    "grants a column": (
        ["GRANT SELECT (body) ON chained_logging.entries TO PUBLIC"],
        "grant on column chained_logging.entries.body to PUBLIC of SELECT was added",
    ),
    "grants a month": (
        ["GRANT ALL ON chained_logging.{month} TO test_shipper"],
        "grant on table chained_logging.{month} to test_shipper of DELETE was added",
    ),
    "grants the guard": (
        ["GRANT EXECUTE ON FUNCTION chained_logging.guard(text) TO PUBLIC"],
        "grant on function chained_logging.guard(text) to PUBLIC of EXECUTE was added",
    ),
    "grants the schema": (
        ["GRANT CREATE ON SCHEMA chained_logging TO PUBLIC"],
        "grant on schema chained_logging to PUBLIC of CREATE was added",
    ),
    "grants in advance": (
        ["ALTER DEFAULT PRIVILEGES FOR ROLE chained_logging_owner "
         "GRANT ALL ON TABLES TO chained_logging_shipper"],
        "default privileges of chained_logging_owner was added",
    ),
    "takes a right from the shipper": (
        ["REVOKE INSERT (body) ON chained_logging.entries FROM chained_logging_shipper"],
        "grant on column chained_logging.entries.body to chained_logging_shipper of INSERT is gone",
    ),
    "gives the table to another": (
        ["ALTER TABLE chained_logging.entries OWNER TO test_shipper"],
        "table chained_logging.entries was changed",
    ),
    "adds a rule": (
        ["CREATE RULE nothing AS ON INSERT TO chained_logging.checkpoints DO INSTEAD NOTHING"],
        "rule chained_logging.checkpoints.nothing was added",
    ),
    "hides rows": (
        ["ALTER TABLE chained_logging.entries ENABLE ROW LEVEL SECURITY",
         "CREATE POLICY p ON chained_logging.entries FOR SELECT USING (actor_id <> 'eve')"],
        "policy chained_logging.entries.p was added",
    ),
    "makes a month one that a crash empties": (
        ["ALTER TABLE chained_logging.{month} SET UNLOGGED"],
        "table chained_logging.{month} was changed",
    ),
    "detaches a month and keeps it": (
        ["ALTER TABLE chained_logging.entries DETACH PARTITION chained_logging.{month}"],
        "table chained_logging.{month} was changed",
    ),
    "attaches a table of his own": (
        ["CREATE TABLE public.mine (LIKE chained_logging.entries INCLUDING ALL)",
         "ALTER TABLE chained_logging.entries ATTACH PARTITION public.mine "
         "FOR VALUES FROM ('1980-01-01') TO ('1990-01-01')"],
        "table public.mine was added",
    ),
    "has a column no longer derived": (
        ["ALTER TABLE chained_logging.entries ALTER COLUMN actor_id DROP EXPRESSION"],
        "column chained_logging.entries.actor_id was changed",
    ),
    "adds a column": (
        ["ALTER TABLE chained_logging.entries ADD COLUMN note text"],
        "column chained_logging.entries.note was added",
    ),
    "drops an index": (
        ["DROP INDEX chained_logging.entries_actor_id_timestamp_idx"],
        "index chained_logging.entries_actor_id_timestamp_idx is gone",
    ),
    "marks an index as not valid": (
        ["UPDATE pg_index SET indisvalid = false WHERE indexrelid = "
         "'chained_logging.heads_pkey'::regclass"],
        "index chained_logging.heads_pkey was changed",
    ),
    "drops the checkpoints": (
        ["DROP TABLE chained_logging.checkpoints"], "table chained_logging.checkpoints is gone"
    ),
    "drops the heads": (
        ["DROP TABLE chained_logging.heads"], "table chained_logging.heads is gone"
    ),
    "drops all": (["DROP SCHEMA chained_logging CASCADE"], "the schema chained_logging is gone"),
}  # fmt: skip


@pytest.mark.parametrize("does", some(WEAKENED, 3))
def test_the_dba_weakens_it_and_is_named(
    filled: Database, records: list[Record], tmp_path: Path, does: str
):
    statements, named = WEAKENED[does]
    month = _month(records[0])
    filled.sql(*(statement.format(month=month) for statement in statements))
    # The superuser's view: a test of what is named, not of what was taken from the reader.
    with contextlib.closing(PostgresDestination(filled.url)) as destination:
        reasons = "\n".join(fault.reason for fault in destination.inspect(ORIGIN))
        assert named.format(month=month) in reasons
        said = filled.restored(tmp_path / "restored.jsonl", destination)
        assert said.startswith("refused: ") or named.format(month=month) in said
        with contextlib.suppress(Refused):  # init neither hides nor mends it
            init(filled.url)
        if does != "drops all":
            after = "\n".join(fault.reason for fault in destination.inspect(ORIGIN))
            assert after == reasons


def test_the_dba_gives_one_person_two_roles_and_is_named(filled: Database):
    try:
        filled.sql("GRANT chained_logging_owner TO test_shipper")
        assert "ownership by test_shipper was added" in filled.faults()
        filled.sql(
            "REVOKE chained_logging_owner FROM test_shipper",
            "GRANT pg_write_all_data TO chained_logging_reader",
            "ALTER ROLE chained_logging_shipper BYPASSRLS",
        )
        assert "membership of chained_logging_reader in pg_write_all_data" in filled.faults()
        assert "role chained_logging_shipper was changed: it is bypasses rls" in filled.faults()
    finally:  # roles are the whole server's
        filled.sql(
            "REVOKE chained_logging_owner FROM test_shipper",
            "REVOKE pg_write_all_data FROM chained_logging_reader",
            "ALTER ROLE chained_logging_shipper NOBYPASSRLS",
        )
    assert filled.faults() == ""


def test_the_dba_edits_behind_disabled_triggers_and_the_chain_tells(
    filled: Database, tmp_path: Path
):
    off = "ALTER TABLE chained_logging.entries DISABLE TRIGGER ALL"
    partition = [
        f"ALTER TABLE {name} DISABLE TRIGGER ALL"
        for (name,) in filled.sql(
            "SELECT inhrelid::regclass::text FROM pg_inherits "
            "WHERE inhparent = 'chained_logging.entries'::regclass"
        )
    ]
    on = [s.replace("DISABLE TRIGGER ALL", "ENABLE ALWAYS TRIGGER append_only") for s in partition]
    for trigger in ("append", "delete_only", "gone"):
        name = f"ENABLE ALWAYS TRIGGER {trigger}"
        on += [s.replace("DISABLE TRIGGER ALL", name) for s in (off, *partition)]
    on += [s.replace("DISABLE TRIGGER ALL", "ENABLE ALWAYS TRIGGER bound") for s in partition]
    on += ["ALTER TABLE chained_logging.entries ENABLE ALWAYS TRIGGER append_only"]
    filled.sql(off, *partition, *EDIT, *on)
    assert filled.faults() == ""  # all stands as before
    assert filled.broken() == "broken at 6"
    assert filled.restored(tmp_path / "restored.jsonl").endswith(
        "is broken at seq 6: run chained-logging verify"
    )


@pytest.mark.parametrize("where", ["seq >= 7", "seq = 4", "true"])
def test_the_dba_deletes_and_is_named(filled: Database, tmp_path: Path, where: str):
    filled.sql(
        "ALTER TABLE chained_logging.entries DISABLE TRIGGER delete_only",
        "ALTER TABLE chained_logging.entries DISABLE TRIGGER gone",
        f"DELETE FROM chained_logging.entries WHERE {where}",
        "ALTER TABLE chained_logging.entries ENABLE ALWAYS TRIGGER delete_only",
        "ALTER TABLE chained_logging.entries ENABLE ALWAYS TRIGGER gone",
    )
    said = filled.restored(tmp_path / "restored.jsonl")
    if where == "seq = 4":
        assert filled.broken() == "broken at 4"
        assert said.startswith("refused: ")
    else:
        named = "those up to 6 are left" if "7" in where else f"no entry of {ORIGIN} is left"
        assert named in filled.faults()
        assert named in said or said.startswith("refused: ")
        assert filled.reader.inspect(ORIGIN)[0].kind == "missing"
    assert filled.reader.origins() == [ORIGIN]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE chained_logging.heads SET seq = 5", "is not the one that the trigger let in"),
        ("UPDATE chained_logging.heads SET hash = ''", "is not the one that the trigger let in"),
        ("DELETE FROM chained_logging.heads", f"heads no longer has the end of {ORIGIN}"),
    ],
)
def test_the_dba_changes_where_a_log_ends_and_is_named(
    filled: Database, tmp_path: Path, change: str, named: str
):
    filled.sql(
        "ALTER TABLE chained_logging.heads DISABLE TRIGGER follow",
        change,
        "ALTER TABLE chained_logging.heads ENABLE ALWAYS TRIGGER follow",
    )
    assert named in filled.faults()
    assert named in filled.restored(tmp_path / "restored.jsonl")
    assert filled.reader.origins() == [ORIGIN]
    if "DELETE" in change:
        assert named in filled.faults("example.com/another")


def test_the_dba_inserts_twice_behind_a_disabled_trigger_and_the_chain_tells(
    filled: Database, records: list[Record], tmp_path: Path
):
    twin = forged(records[3])
    filled.sql(
        "ALTER TABLE chained_logging.entries DISABLE TRIGGER append",
        insert(twin),
        "ALTER TABLE chained_logging.entries ENABLE ALWAYS TRIGGER append",
    )
    assert filled.broken() is not None
    assert filled.restored(tmp_path / "restored.jsonl").startswith("refused: ")
    assert sum(record.seq == 4 for record in filled.reader.records(ORIGIN)) == 2


def test_an_old_backup_is_seen_by_its_head_and_shipped_up_again(
    filled: Database, records: list[Record]
):
    server, later = filled.server, [forged(records[-1])]
    later.append(forged(later[0]))
    dump = server.folder / f"{filled.name}.dump"
    where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres"]
    server.run("pg_dump", *where, "-Fc", "-f", str(dump), filled.name)
    filled.shipper.write(ORIGIN, later, [])
    server.run("createdb", *where, f"{filled.name}_old")
    server.run("pg_restore", *where, "-d", f"{filled.name}_old", str(dump))
    assert "Set lock_timeout = 10s" in " ".join(init(server.url(f"{filled.name}_old")))
    url = server.url(f"{filled.name}_old", "test_shipper")
    with contextlib.closing(PostgresDestination(url)) as shipper:
        assert shipper.head(ORIGIN) == Head(9, records[-1].hash)  # smaller than was known
        shipper.write(ORIGIN, later, [])
    with contextlib.closing(PostgresDestination(url.replace("test_shipper", "test_reader"))) as old:
        assert list(old.records(ORIGIN)) == records + later
        assert old.inspect(ORIGIN) == []  # all is as init made it, dumped and restored


# --- Failures.


def test_after_kills_of_the_server_each_entry_stands_there_once(tmp_path: Path):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    records = records_of(tmp_path, plain(ROUNDS * 1500))
    with running_server() as server:
        init(server.url())
        destination = PostgresDestination(server.url())
        kills, failures, at = 0, 0, 0
        timer = None
        while at < len(records):
            if timer is None and kills < ROUNDS:
                timer = threading.Timer(rng.uniform(0, 0.15), server.kill)
                timer.start()
            try:
                size = rng.randrange(50, 400)
                destination.write(ORIGIN, records[at : at + size], [])
                at += size
            except DestinationError:
                failures += 1
                if timer is not None:
                    timer.join()
                    timer = None
                    kills += 1
                    server.start()
                at = _after(destination.head(ORIGIN), records, at)
        assert kills == ROUNDS
        assert failures >= ROUNDS
        assert list(destination.records(ORIGIN)) == records
        assert destination.inspect(ORIGIN) == []
        destination.close()


def _after(head: Head, records: list[Record], acknowledged: int) -> int:
    """Return where to go on; what was acknowledged must be there."""
    assert head.seq + 1 >= acknowledged
    assert head == EMPTY or head.hash == records[head.seq].hash
    return head.seq + 1


# --- The ordinary questions.


def _is_empty(line: str) -> bool:
    """Whether a line of a plan is about a partition without rows, where no index is worth it."""
    return "cost=0.00..0.00 rows=1 " in line


@pytest.mark.long
def test_the_ordinary_questions_are_answered_from_an_index(database: Database, tmp_path: Path):
    rng = random.Random(7)
    now = time.time()
    events = [
        {
            "action": rng.choice(["read", "write", "login"]),
            "actor": f"user-{rng.randrange(500)}",
            "resource": ("patient_record", str(rng.randrange(3000))),
            "ip": "10.0.0.1",
            "resources": [("patient_record", str(rng.randrange(3000)))] * rng.choice((0, 0, 1)),
            "result": rng.choices(["success", "failure", "denied"], [96, 2, 2])[0],
            "timestamp": now - rng.uniform(0, 90 * 86_400),
        }
        for _ in range(20_000)
    ]
    intruder = {"action": "login", "actor": "eve", "resource": "site/1", "ip": "10.0.0.9"}
    events += [{**intruder, "result": "denied", "timestamp": now - 60}] * 6
    events += [{**intruder, "result": "denied", "timestamp": now - 2 * 86_400}] * 9
    records = records_of(tmp_path, events)
    database.shipper.write(ORIGIN, records, [])
    database.sql("ANALYZE chained_logging.entries")

    questions = {
        "actions_of('user-7')": ("actor_id", lambda e, t: e["actor"] == "user-7"
                                 and t > now - 30 * 86_400),
        "access_to('patient_record', '42')": (
            "resources", lambda e, t: ("patient_record", "42") in (
                e["resource"], *e.get("resources", ()))),
        "refused_attempts(5)": ("timestamp_actor_id", None),
    }  # fmt: skip
    for question, (index, wanted) in questions.items():
        query = f"SELECT * FROM chained_logging.{question}"
        plan = "\n".join(line for (line,) in database.sql(f"EXPLAIN {query}", user="test_reader"))
        for line in plan.splitlines():
            assert "Seq Scan" not in line or _is_empty(line), plan
        assert f"{index}_timestamp_idx" in plan or f"{index}_idx" in plan, plan
        answer = database.sql(query, user="test_reader")
        if wanted is None:
            assert [(row[0], row[1]) for row in answer if row[0] == "eve"] == [("eve", 6)]
        else:
            expected = [event for event in events if wanted(event, event["timestamp"])]
            assert len(answer) == len(expected) > 0
