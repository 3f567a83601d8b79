"""PostgreSQL: that the schema still refuses changes, and who could change that."""

from __future__ import annotations

from typing import Final

from chained_logging.net.urls import shown
from chained_logging.review.checklist.answer import Found, joined, met, not_met, saw
from chained_logging.ship.postgres import PostgresDestination

SHOWN: Final = 5
_TABLE: Final = "chained_logging.entries"
_CHANGERS: Final = f"""
    SELECT rolname FROM pg_roles AS r WHERE rolcanlogin AND NOT rolsuper AND (
      pg_has_role(r.oid, 'chained_logging_owner', 'MEMBER')
      OR has_table_privilege(r.oid, '{_TABLE}', 'UPDATE, DELETE, TRUNCATE'))
    ORDER BY rolname
"""  # noqa: S608 -- a name from here
_REMOVERS: Final = """
    SELECT rolname FROM pg_roles AS r WHERE rolcanlogin AND NOT rolsuper
      AND pg_has_role(r.oid, 'chained_logging_retention', 'MEMBER') ORDER BY rolname
"""
_SUPERUSERS: Final = "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY rolname"
_READERS: Final = f"""
    SELECT rolname FROM pg_roles AS r WHERE rolcanlogin AND NOT rolsuper
      AND has_table_privilege(r.oid, '{_TABLE}', 'SELECT') ORDER BY rolname
"""  # noqa: S608 -- a name from here
_TRIGGERS: Final = f"""
    SELECT count(*) FROM pg_trigger
    WHERE tgrelid = '{_TABLE}'::regclass AND NOT tgisinternal AND tgenabled = 'A'
"""  # noqa: S608 -- a name from here
_ITSELF: Final = "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user"


def refuses_changes(store: PostgresDestination, *, ships: bool) -> Found:
    """Return whether a database refuses to change and delete entries.

    :param ships: whether the shipper uses this URL, so that its role may not be a superuser.
    """
    schema = _schema(store)
    if schema.mend is not None:
        return schema
    return joined([schema, _changers(store), *([_shipper(store)] if ships else [])])


def _schema(store: PostgresDestination) -> Found:
    faults = [fault.reason for fault in store.inspect_schema()]
    seen = [saw("differences from the schema that init makes", store.name, len(faults))]
    if not faults:
        ((triggers,),) = store.session.rows(_TRIGGERS)
        seen.append(saw(f"triggers of {_TABLE} that always fire", store.name, triggers))
        return met(f"{store.name} refuses to change and delete entries", *seen)
    named = "; ".join(faults[:SHOWN])
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return not_met(
        f"{store.name} is not as init makes it: {named}{more}",
        f"have a DBA restore what chained-logging init {shown(store.name)} names",
        *seen,
    )


def _changers(store: PostgresDestination) -> Found:
    changers = [name for (name,) in store.session.rows(_CHANGERS)]
    superusers = [name for (name,) in store.session.rows(_SUPERUSERS)]
    removers = [name for (name,) in store.session.rows(_REMOVERS)]
    seen = (
        saw("roles that may remove what the log has decided", store.name, _list(removers)),
        saw("roles that log in and may change entries", store.name, _list(changers)),
        saw("superusers, who may change everything", store.name, _list(superusers)),
    )
    if changers:
        return not_met(
            f"{_list(changers)} may change or delete entries in {store.name}",
            "; ".join(
                f"REVOKE chained_logging_owner FROM {name}; REVOKE UPDATE, DELETE, TRUNCATE ON "
                f"{_TABLE} FROM {name}"
                for name in map(_quoted, changers)
            ),
            *seen,
        )
    return met("nobody but a superuser may change entries", *seen)


def _shipper(store: PostgresDestination) -> Found:
    ((name, superuser),) = store.session.rows(_ITSELF)
    seen = saw("the role that ships is a superuser", store.name, "yes" if superuser else "no")
    if superuser:
        return not_met(
            f"the log is shipped as {name}, a superuser, who may delete everything",
            "CREATE ROLE web_shipper LOGIN IN ROLE chained_logging_shipper, and ship as that role",
            seen,
        )
    return met(f"the log is shipped as {name}, who may only append", seen)


def readers(store: PostgresDestination) -> Found:
    """Return who may read the log in a database."""
    names = [name for (name,) in store.session.rows(_READERS)]
    return met(
        f"roles that may read entries in {store.name}: {len(names)}",
        saw("roles that log in and may read entries", store.name, _list(names)),
    )


def _quoted(name: str) -> str:
    """Return the name of a role as SQL has it: who may create roles chooses it."""
    return '"' + name.replace('"', '""') + '"'


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"
