"""PostgreSQL against those who may write to it: each row of the table in ``docs/postgres.md``.

By credential: a shipper of another host, who must make nobody believe, wait or lose; the owner of
the database; a superuser. Each attack ends refused, or named by the verifier as a reader runs it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from postgres_logs import (
    ORIGIN,
    Database,
    Unguarded,
    database,
    filled,
    records,
)

from chained_logging.format.record import Record
from chained_logging.ship.postgres import PostgresDestination
from chained_logging.ship.postgres.columns import _COLUMNS, _differences

__all__ = ["database", "filled", "records"]  # fixtures

BOUND = 15.0
"""Seconds for which nobody keeps another one waiting: the lock timeout, and something for CI."""
MALLORY = "example.com/audit/mallory"
ACTIONS = """CREATE OR REPLACE FUNCTION chained_logging.actions_of(
  actor text, period interval DEFAULT '{}')
RETURNS SETOF chained_logging.entries LANGUAGE sql STABLE AS $${}$$"""


def month(record: Record) -> str:
    at = record.body.rfind(b',"timestamp":"') + 14
    return "entries_" + record.body[at : at + 7].decode().replace("-", "_")


def source(database: Database, function: str) -> str:
    return database.sql(f"SELECT pg_get_functiondef('chained_logging.{function}'::regproc)")[0][0]


# --- The owner and superusers: what answers other than the verified bodies is named.


def test_the_default_of_an_argument_is_changed(filled: Database) -> None:
    (body,) = filled.sql(
        "SELECT prosrc FROM pg_proc WHERE oid = 'chained_logging.actions_of'::regproc"
    )[0]
    filled.sql(ACTIONS.format("1 microsecond", body))
    assert filled.sql("SELECT * FROM chained_logging.actions_of('user-1')") == []
    assert "function chained_logging.actions_of(text,interval) was changed" in filled.faults()


def test_the_names_of_arguments_are_exchanged(filled: Database) -> None:
    text = source(filled, "access_to").replace("(type text, id text)", "(id text, type text)")
    assert "(id text, type text)" in text
    filled.sql(
        "DROP FUNCTION chained_logging.access_to",
        text,
        "ALTER FUNCTION chained_logging.access_to OWNER TO chained_logging_owner",
        "REVOKE ALL ON FUNCTION chained_logging.access_to FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION chained_logging.access_to TO chained_logging_reader",
    )
    faults = filled.faults()
    assert "function chained_logging.access_to(text,text) was changed" in faults
    assert faults.count("\n") == 0  # and that alone tells


def test_the_timestamp_of_a_partition_is_moved(filled: Database) -> None:
    constraint = "body_is_its_columns"
    (definition,) = filled.sql(
        f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{constraint}' "
        "AND conrelid = 'chained_logging.entries'::regclass"
    )[0]
    with Unguarded(filled):
        filled.sql(
            f"ALTER TABLE chained_logging.entries DROP CONSTRAINT {constraint}",
            'UPDATE chained_logging.entries SET "timestamp" = "timestamp" - interval \'40 days\' '
            "WHERE seq = 4",
            f"ALTER TABLE chained_logging.entries ADD CONSTRAINT {constraint} {definition}"
            " NOT VALID",
            f"UPDATE pg_constraint SET convalidated = true WHERE conname = '{constraint}'",
        )
    named = [fault for fault in filled.reader.inspect(ORIGIN) if fault.field == "timestamp"]
    assert {fault.seq for fault in named} == {4}
    assert named[0].reason == "the column timestamp does not say what the body says"


def test_an_entry_in_a_partition_where_no_question_looks_is_named(records: list[Record]) -> None:
    body = records[1].body.decode()
    row: dict[str, Any] = dict.fromkeys(_COLUMNS) | {"body": body, "ip_address_unknown": "f"}
    there = frozenset({month(records[1]), "entries_default", "entries_1999_01"})

    def said(table: str, others: frozenset[str] = there) -> bool:
        return any("no question" in reason for _, reason in _differences(row, (table, others)))

    assert said("entries_1999_01")
    assert said("entries_default")
    assert not said(month(records[1]))
    assert not said("entries_default", frozenset({"entries_default"}))


SHADOWS = (
    "CREATE SCHEMA evil",
    "GRANT USAGE ON SCHEMA evil TO PUBLIC",
    "CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS "
    "$$ SELECT $2 $$",
    "CREATE FUNCTION evil.concat_ws(text, text, text) RETURNS text LANGUAGE sql AS "
    "$$ SELECT pg_catalog.concat_ws($1, $2, 'enabled A') $$",
    "CREATE VIEW evil.pg_db_role_setting AS SELECT * FROM pg_catalog.pg_db_role_setting "
    "WHERE setconfig::text NOT LIKE '%evil%'",
    "CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$",
    "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never)",
    "GRANT SELECT ON ALL TABLES IN SCHEMA evil TO PUBLIC",
)


def test_an_owner_shadows_what_the_verifier_calls(filled: Database) -> None:
    filled.sql(
        *SHADOWS,
        f"ALTER DATABASE {filled.name} SET search_path = evil, pg_catalog",
        "ALTER TABLE chained_logging.entries DISABLE TRIGGER append",
    )
    assert filled.sql("SELECT set_config('work_mem', '1MB', false) || '', 'a' = 'a'::text") == [
        ("1MB", False)
    ]
    with contextlib.closing(
        PostgresDestination(filled.server.url(filled.name, "test_reader"))
    ) as reader:
        said = "\n".join(fault.reason for fault in reader.inspect(ORIGIN))
        assert reader.session.rows("SHOW search_path") == [("pg_catalog, pg_temp",)]
    assert "trigger chained_logging.entries.append was changed" in said
    assert "setting of the database search_path was added: evil, pg_catalog" in said


def test_the_usual_questions_do_not_depend_on_a_search_path(filled: Database) -> None:
    questions = [
        "SELECT id FROM chained_logging.actions_of('user-1')",
        "SELECT id FROM chained_logging.access_to('patient_record', '456')",
        "SELECT * FROM chained_logging.refused_attempts(-1)",
    ]
    before = [filled.sql(question) for question in questions]
    assert [len(answer) for answer in before] == [9, 9, 0]
    filled.sql(*SHADOWS, f"ALTER DATABASE {filled.name} SET search_path = evil, pg_catalog")
    assert [filled.sql(question) for question in questions] == before


BESIDE = {
    "the setting of a role": (
        ["ALTER ROLE test_reader SET search_path = public, pg_catalog"],
        "setting of test_reader search_path was added",
        ["ALTER ROLE test_reader RESET ALL"],
    ),
    "a library in each session": (
        ["ALTER ROLE test_reader IN DATABASE {database} SET session_preload_libraries = 'plpgsql'"],
        "setting of test_reader of the database session_preload_libraries was added",
        ["ALTER ROLE test_reader IN DATABASE {database} RESET ALL"],
    ),
    "a timeout taken away": (
        ["ALTER DATABASE {database} RESET idle_in_transaction_session_timeout"],
        "setting of the database idle_in_transaction_session_timeout is gone",
        [],
    ),
    "a timeout made long": (
        ["ALTER DATABASE {database} SET lock_timeout = 0"],
        "setting of the database lock_timeout was changed: it is 0",
        [],
    ),
    "an event trigger": (
        ["CREATE FUNCTION public.quiet() RETURNS event_trigger LANGUAGE plpgsql AS "
         "$$ BEGIN END $$",
         "CREATE EVENT TRIGGER quiet ON ddl_command_end EXECUTE FUNCTION public.quiet()"],
        "event trigger quiet was added",
        [],
    ),
    "a cast": (
        ["CREATE CAST (text AS inet) WITH INOUT AS IMPLICIT",
         "ALTER EXTENSION plpgsql ADD CAST (text AS inet)"],  # which hides nothing
        "cast from text to inet was added",
        [],
    ),
    "a function among PostgreSQL's own": (
        ["CREATE FUNCTION pg_catalog.strpos(text, varchar) RETURNS int LANGUAGE sql AS "
         "$$ SELECT 0 $$",
         "ALTER EXTENSION plpgsql ADD FUNCTION pg_catalog.strpos(text, varchar)"],
        "function pg_catalog.strpos(text,character varying) was added",
        [],
    ),
    "one of PostgreSQL's own functions": (
        ["CREATE OR REPLACE FUNCTION pg_catalog.starts_with(text, text) RETURNS boolean "
         "LANGUAGE internal IMMUTABLE STRICT AS 'texteq'"],
        "built-in function starts_with(text,text) was changed: it is internal texteq",
        [],
    ),
    "what one of PostgreSQL's own operators is the negation of": (
        ["UPDATE pg_operator SET oprnegate = oid WHERE oid = '=(text,text)'::regoperator"],
        "built-in operator =(text,text) was changed",
        [],
    ),
    "a way to search": (
        ["CREATE FUNCTION public.never(text, varchar) RETURNS boolean LANGUAGE sql IMMUTABLE AS "
         "$$ SELECT false $$",
         "CREATE OPERATOR public.=== "
         "(LEFTARG = text, RIGHTARG = varchar, FUNCTION = public.never)",
         "ALTER OPERATOR FAMILY text_ops USING btree ADD OPERATOR 3 public.===(text, varchar)"],
        "operator public.===(text,character varying) of text_ops was added",
        [],
    ),
    "a trigger marked as PostgreSQL's own": (
        ["CREATE FUNCTION public.none() RETURNS trigger LANGUAGE plpgsql AS "
         "$$ BEGIN RETURN NULL; END $$",
         "CREATE TRIGGER a BEFORE INSERT ON chained_logging.checkpoints FOR EACH ROW "
         "EXECUTE FUNCTION public.none()",
         "UPDATE pg_trigger SET tgisinternal = true WHERE tgname = 'a'"],
        "trigger chained_logging.checkpoints.a was added",
        [],
    ),
    "a reference from elsewhere": (
        ["CREATE TABLE public.mine (name text COLLATE \"C\" REFERENCES chained_logging.heads)"],
        "reference public.mine.mine_name_fkey was added",
        [],
    ),
    "a month on its way out, which no query reads": (
        ["UPDATE pg_inherits SET inhdetachpending = true "
         "WHERE inhrelid = 'chained_logging.entries_default'::regclass"],
        "table chained_logging.entries_default was changed: it is kind r, persistence p, "
        "owner chained_logging_owner, being detached",
        [],
    ),
    "another way to keep a table": (
        ["CREATE ACCESS METHOD mine TYPE TABLE HANDLER heap_tableam_handler",
         "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'mine') "
         "WHERE oid = 'chained_logging.checkpoints'::regclass"],
        "table chained_logging.checkpoints was changed",
        [],
    ),
    "a setting of the server": (
        ["ALTER SYSTEM SET transform_null_equals = on", "SELECT pg_reload_conf()",
         "SELECT pg_sleep(0.2)"],
        "setting of the server transform_null_equals was added: on",
        ["ALTER SYSTEM RESET transform_null_equals", "SELECT pg_reload_conf()"],
    ),
    "an operator in the schema": (
        ["CREATE OPERATOR chained_logging.=== "
         "(LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)"],
        "operator chained_logging.chained_logging.===(text,text) was added",
        [],
    ),
    "a view in the schema": (
        ["CREATE VIEW chained_logging.actions AS SELECT 1 AS one"],
        "table chained_logging.actions was added",
        [],
    ),
    "a publication": (
        ["CREATE PUBLICATION leak FOR TABLE chained_logging.entries"],
        "publication leak was added",
        [],
    ),
    "a superuser who reads, and a member of more by way of another role": (
        ["ALTER ROLE test_reader SUPERUSER",
         "CREATE ROLE between IN ROLE pg_execute_server_program",
         "GRANT between TO test_reader"],
        "rights of test_reader was added: superuser, member of pg_execute_server_program",
        ["ALTER ROLE test_reader NOSUPERUSER", "DROP ROLE between"],
    ),
    "a shipper past row security who writes all data": (
        ["ALTER ROLE test_shipper BYPASSRLS CREATEROLE",
         "GRANT pg_write_all_data TO test_shipper"],
        "rights of test_shipper was added: may create roles, bypasses rls, member of "
        "pg_write_all_data",
        ["ALTER ROLE test_shipper NOBYPASSRLS NOCREATEROLE",
         "REVOKE pg_write_all_data FROM test_shipper"],
    ),
    "the owner who may log in": (
        ["ALTER ROLE chained_logging_owner LOGIN"],
        "role chained_logging_owner was changed: it is may log in",
        ["ALTER ROLE chained_logging_owner NOLOGIN"],
    ),
}  # fmt: skip


def test_what_stands_beside_the_schema_is_named(filled: Database, tmp_path: Path) -> None:
    database = filled

    def run_all(at: int) -> None:
        for what in BESIDE.values():
            for statement in what[at]:
                database.sql(statement.format(database=database.name))

    try:
        run_all(0)
        faults = database.faults().split("\n")
        said = database.restored(tmp_path / "restored.jsonl")
    finally:
        run_all(2)
    for named in (what[1] for what in BESIDE.values()):
        assert any(fault.startswith(named) for fault in faults), named
        assert named in said, named
    assert len(faults) == len(BESIDE) + 2
    # Of what is the whole server's nothing is left.
    with contextlib.closing(Database(database.server)) as other:
        assert other.faults() == ""
