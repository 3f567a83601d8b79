"""How a database is prepared."""

from __future__ import annotations

from chained_logging.errors import Refused
from chained_logging.ship.postgres.catalog import text
from chained_logging.ship.postgres.connection import Session
from chained_logging.ship.postgres.destination import PostgresDestination
from chained_logging.ship.retention import retention_days

_ADD_MONTHS = "SELECT chained_logging.add_months()"
_MAY_ADD_MONTHS = """
    SELECT bool_or(has_schema_privilege(pronamespace, 'USAGE')
      AND has_function_privilege(oid, 'EXECUTE'))
    FROM pg_proc WHERE proname = 'add_months' AND pronamespace = to_regnamespace('chained_logging')
"""
_SETTINGS = {"idle_in_transaction_session_timeout": "60s", "lock_timeout": "10s"}
_HAS_SETTING = """
    SELECT FROM pg_db_role_setting, unnest(setconfig) AS setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND setrole = 0 AND split_part(setting, '=', 1) = %s
"""


def statements() -> str:
    """Return the SQL that makes everything, for a DBA to read and run."""
    return text("schema.sql")


def init(url: str, *, retention: str | None = None) -> list[str]:
    """Make the schema in a database. If it exists already, check it without changing it, and add
    the partitions of the months to come.

    :param url: of a role that may create roles, and that owns the database or is a superuser.
    :param retention: as :func:`chained_logging.ship.retention.retention_days` takes it. Nothing
        here deletes anything, so it only appears in what is said.
    :return: sentences about what was done.
    :raises Refused: if the role may not do that, or the schema is not as it was made.
    :raises DestinationError: if the database cannot be asked now.
    :raises ValueError: if the retention is not a period, or the URL is not valid.
    """
    days = None if retention is None else retention_days(retention)
    destination = PostgresDestination(url)
    try:
        done = create(destination.session)
        faults = destination.inspect_schema()
        if not faults:  # a function that somebody replaced is not called
            months = _add_months(destination.session)
    finally:
        destination.close()
    if faults:
        raise Refused(
            f"{destination.name}: the schema is not as init makes it, and nothing was "
            "changed: " + "; ".join(fault.reason for fault in faults)
        )
    if days is not None:
        done.append(
            f"Entries are to be kept for {days} days. Nothing deletes them by itself "
            "(docs/postgres.md)."
        )
    return [*done, months]


def create(session: Session) -> list[str]:
    """Run :func:`statements`, unless the schema is there; return sentences about what was done.

    :raises Refused: if the role may not do that.
    """
    if session.rows("SELECT to_regnamespace('chained_logging')")[0][0] is not None:
        return [f"The schema chained_logging is there already in {session.name}."] + [
            sentence for name in _SETTINGS for sentence in _set_again(session, name)
        ]
    with session.asking("have a DBA run what init --print prints") as connection:
        connection.execute(statements().encode())
    return [
        f"Made the schema chained_logging in {session.name}.",
        "It belongs to the role chained_logging_owner, which cannot log in.",
        "For each host that ships: CREATE ROLE web_shipper LOGIN CONNECTION LIMIT 5 IN ROLE "
        "chained_logging_shipper, and for each of its logs INSERT INTO chained_logging.shippers "
        "(login, origin) VALUES ('web_shipper', 'example.com/audit/web-7').",
        "For those who read and verify: CREATE ROLE auditor LOGIN IN ROLE chained_logging_reader.",
        "For those who remove what a log lets go, and do not ship: CREATE ROLE records_officer "
        "LOGIN IN ROLE chained_logging_retention.",
    ]


def _set_again(session: Session, name: str) -> list[str]:
    """Set on the database what a dump of it leaves out, unless something is set there."""
    if session.rows(_HAS_SETTING, (name,)):
        return []
    from psycopg import sql

    ((database,),) = session.rows("SELECT current_database()")
    statement = sql.SQL("ALTER DATABASE {} SET {} = {}").format(
        sql.Identifier(database), sql.Identifier(name), sql.Literal(_SETTINGS[name])
    )
    with session.asking("have the owner of the database do it") as connection:
        connection.execute(statement)
    return [f"Set {name} = {_SETTINGS[name]} on the database."]


def _add_months(session: Session) -> str:
    if not session.rows(_MAY_ADD_MONTHS)[0][0]:
        return f"Only the owner may add the partitions of months to come: {_ADD_MONTHS}."
    ((last,),) = session.rows(_ADD_MONTHS)
    return f"There are partitions for months up to {last}; run init again before that month."
