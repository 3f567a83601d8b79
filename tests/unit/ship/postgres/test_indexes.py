"""Each index holds what its table holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from postgres_logs import (
    ORIGIN,
    Database,
    forged,
    plain,
    records_of,
)
from programs import missing
from servers_postgres import running_server

from chained_logging.format.record import Record


def month(record: Record) -> str:
    at = record.body.rfind(b',"timestamp":"') + 14
    return "entries_" + record.body[at : at + 7].decode().replace("-", "_")


def without_the_newest(database: Database, record: Record, index: str) -> None:
    """Ship an entry that an index does not learn of."""
    ready = (
        "UPDATE pg_index SET indisready = {} WHERE indexrelid IN (SELECT inhrelid FROM pg_inherits "
        f"WHERE inhparent = 'chained_logging.{index}'::regclass)"
    )
    database.sql(ready.format("false"))
    database.shipper.close()
    database.shipper.write(ORIGIN, [record], [])
    database.sql(ready.format("true"))


@pytest.mark.parametrize(
    "index", ["entries_actor_id_timestamp_idx", "entries_timestamp_idx", "entries_pkey"]
)
def test_an_index_without_its_newest_row_is_named(
    filled: Database, records: list[Record], index: str
) -> None:
    without_the_newest(filled, forged(records[-1]), index)
    said = f"index chained_logging.{index} does not hold what the table holds: 10 rows, and the"
    assert said in filled.faults()


def test_a_partial_index_without_its_newest_row_is_named(
    filled: Database, records: list[Record]
) -> None:
    index = "entries_timestamp_actor_id_idx"
    without_the_newest(filled, forged(records[-1], result="denied"), index)
    assert f"index chained_logging.{index} does not hold" in filled.faults()


def test_the_index_of_resources_without_its_newest_row_is_named(
    filled: Database, records: list[Record]
) -> None:
    index = "entries_resources_idx"
    one, two = {"id": "1", "type": "a"}, {"id": "2", "type": "a"}
    first = forged(records[-1], resources=[one])
    filled.shipper.write(ORIGIN, [first], [])
    assert filled.faults() == ""
    without_the_newest(filled, forged(first, resources=[one, two]), index)
    said = f"index chained_logging.{index} does not hold what the table holds: it finds 1 resource"
    assert said in filled.faults()


def test_the_index_of_words_without_its_newest_row_is_named(
    filled: Database, records: list[Record]
) -> None:
    assert filled.faults() == ""
    without_the_newest(filled, forged(records[-1]), "entries_searched_idx")
    said = "index chained_logging.entries_searched_idx does not hold what the table holds: it finds"
    assert f"{said} 10 rows with q=success, and the table has 11" in filled.faults()


ORDER = (
    "UPDATE pg_amproc SET amproc = '{}' WHERE amprocnum = 1 AND amproclefttype = 'text'::regtype "
    "AND amprocrighttype = 'text'::regtype AND amprocfamily IN "
    "(SELECT oid FROM pg_opfamily WHERE opfname = 'text_ops' AND opfmethod = 403)"
)


def test_an_index_that_is_out_of_order_is_named(database: Database, tmp_path: Path) -> None:
    people = [{**event, "actor": f"user-{n:03}"} for n, event in enumerate(plain(40))]
    log = records_of(tmp_path, people)
    database.shipper.write(ORIGIN, log, [])
    database.shipper.close()
    database.sql(
        "CREATE FUNCTION public.turned(a text, b text) RETURNS int LANGUAGE sql IMMUTABLE AS "
        "$$ SELECT -bttextcmp(a, b) $$",
        ORDER.format("public.turned"),
    )
    said = database.faults()
    assert "built-in order of text by function 1 was changed: it is public.turned" in said
    database.shipper.write(ORIGIN, [forged(log[-1], actor="user-001")], [])
    database.sql(ORDER.format("bttextcmp"))
    name = "chained_logging.entries_actor_id_timestamp_idx"
    assert f"index {name} is not in order: a search may miss rows" in database.faults()


def test_amcheck_is_used_where_it_is_there(
    monkeypatch: pytest.MonkeyPatch, records: list[Record]
) -> None:
    with_amcheck = sorted(Path("/usr/share/postgresql").glob("*/extension/amcheck.control"))
    if not with_amcheck:
        missing("a PostgreSQL with amcheck (Debian's package postgresql) is not installed")
    version = with_amcheck[-1].parts[-3]
    monkeypatch.setenv("POSTGRES_BIN", f"/usr/lib/postgresql/{version}/bin")
    with running_server() as server:
        database = Database(server)
        database.shipper.write(ORIGIN, records, [])
        database.sql(
            "CREATE EXTENSION amcheck",
            "GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean) TO PUBLIC",
        )
        assert database.faults() == ""
        without_the_newest(database, forged(records[-1]), "entries_actor_id_timestamp_idx")
        said = database.faults()
        assert (
            f"index chained_logging.{month(records[-1])}_actor_id_timestamp_idx is damaged" in said
        )
        database.close()
