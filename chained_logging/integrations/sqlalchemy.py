"""A recorder for SQLAlchemy: each change of a mapped object becomes an entry, once committed.

The entry is written after the commit, so a change that was rolled back is not in the log.
``docs/guide/changes.md`` says what this leaves open, and what SQLAlchemy itself does not see.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final

try:
    from sqlalchemy import event, inspect, select
    from sqlalchemy.orm import (
        ORMExecuteState,
        Session,
        SessionTransaction,
        scoped_session,
        sessionmaker,
    )
except ImportError as error:
    raise ImportError("the recorder needs SQLAlchemy 2: pip install 'sqlalchemy>=2'") from error

from chained_logging.event.context import current
from chained_logging.event.values import encode, jsonable
from chained_logging.log import AuditLog, opened

asyncio: Any
try:
    from sqlalchemy.ext import asyncio
except ImportError:  # SQLAlchemy 2.1 installs greenlet only where it is asked for
    asyncio = None

_PENDING: Final = "chained_logging.pending"


def record_changes(
    target: Any,
    *,
    log: AuditLog | str | os.PathLike[str],
    models: Collection[type] | None = None,
) -> Recorder:
    """Append an entry for each object that a session inserted, updated or deleted.

    Action ``create``, ``update`` or ``delete``; the resource is the table and the primary key
    (several columns: with commas between them); ``changed_fields`` and ``old_values``. Who did it
    comes from :func:`chained_logging.context`. A bulk ``insert()``, ``update()`` or
    ``delete()`` that goes through ``session.execute`` is one entry with ``*`` as its id.

    :param target: a ``sessionmaker``, ``scoped_session`` (such as Flask-SQLAlchemy's
        ``db.session``) or session, each of them plain or async, or the class ``Session`` for all
        sessions.
    :param log: an open log, or a path.
    :param models: the mapped classes to record, with their subclasses; None for all.
    :returns: the recorder, whose ``stop()`` ends it.
    """
    return Recorder(target, log, models)


class Recorder:
    """See :func:`record_changes`."""

    def __init__(
        self, target: Any, log: AuditLog | str | os.PathLike[str], models: Collection[type] | None
    ) -> None:
        self.log = opened(log)
        self._models = None if models is None else tuple(models)
        target = _listened_to(target)
        self._listeners: list[tuple[Any, str, Callable[..., Any]]] = [
            (target, "before_flush", self._before_flush),
            (target, "after_flush", self._after_flush),
            (target, "after_rollback", self._rolled_back),
            (target, "after_transaction_end", self._ended),
            (target, "after_commit", self._committed),
            (target, "do_orm_execute", self._executed),
        ]
        for where, name, listener in self._listeners:
            # First: a listener of the application's that raises keeps those after it from running.
            event.listen(where, name, listener, insert=True)

    def stop(self) -> None:
        """Record no more."""
        for where, name, listener in self._listeners:
            event.remove(where, name, listener)

    def _wanted(self, kind: type) -> bool:
        return self._models is None or issubclass(kind, self._models)

    # --- What a flush does.

    def _before_flush(self, session: Session, context: Any, instances: Any) -> None:
        """Fetch old values that were never loaded, while the row still has them."""
        fetched = session.info[f"{_PENDING}.old"] = {}
        for thing in {*session.dirty, *session.deleted}:
            if not self._wanted(type(thing)):
                continue
            state = inspect(thing)
            missing: list[Any] = []
            with suppress(Exception):  # of a value of the application's that cannot be compared
                missing = _unloaded(state, thing in session.deleted)
            if missing and state.identity is not None:
                mapper = state.mapper
                query = (
                    select(*(column.expression for column in missing))
                    .select_from(mapper.persist_selectable)  # the join, if it has several tables
                    .where(
                        *(c == v for c, v in zip(mapper.primary_key, state.identity, strict=True))
                    )
                )
                with session.no_autoflush:
                    bound = session.connection(bind_arguments={"mapper": mapper})
                    row = bound.execute(query).first()
                if row is not None:
                    names = [column.key for column in missing]
                    fetched[id(thing)] = dict(zip(names, row, strict=True))

    def _after_flush(self, session: Session, context: Any) -> None:
        fetched = session.info.pop(f"{_PENDING}.old", {})
        orphans = _orphans(session, context)
        known = {id(thing) for thing in orphans}  # what they equal is the program's own matter
        things = [
            *(("create", thing) for thing in session.new if id(thing) not in known),
            *(("update", thing) for thing in session.dirty if id(thing) not in known),
            *(("delete", thing) for thing in (*session.deleted, *orphans)),
        ]
        for action, thing in things:
            if self._wanted(type(thing)):
                change = _change_or_error(action, thing, fetched.get(id(thing), {}))
                if change is not None:
                    self._note(session, change)

    def _executed(self, execution: ORMExecuteState) -> Any:
        """Note a statement that changes rows without loading them."""
        if not (execution.is_insert or execution.is_update or execution.is_delete):
            return None
        mapper, table = execution.bind_mapper, getattr(execution.statement, "table", None)
        if not self._wants_rows_of(mapper, table):
            return None
        result = execution.invoke_statement()
        names = set() if execution.is_delete else _set_by(execution)
        rows = _rows(execution, result)
        self._note(
            execution.session,
            {
                "action": _bulk_action(execution),
                "resource": (_table(mapper) if mapper else str(table), "*"),
                "changed_fields": sorted(names) or None,
                "bulk": True,
                **({"rows": rows} if rows is not None else {}),
            },
        )
        return result

    def _wants_rows_of(self, mapper: Any, table: Any) -> bool:
        """Whether a statement is to be recorded: by its class or, in Core, by its table."""
        if mapper is not None:
            return self._wanted(mapper.class_)
        if self._models is None:
            return table is not None
        return any(table in inspect(model).tables for model in self._models)

    # --- How the transaction ends.

    def _note(self, session: Session, change: dict[str, Any]) -> None:
        pending = session.info.setdefault(_PENDING, [])
        pending.append((_transaction(session), {**current(), **change}))

    def _rolled_back(self, session: Session) -> None:
        """Forget what a savepoint, or the transaction itself, takes back."""
        ended = _transaction(session)
        pending = session.info.get(_PENDING, [])
        pending[:] = [item for item in pending if item[0] is not ended]

    def _ended(self, session: Session, ended: SessionTransaction) -> None:
        """Hand what a savepoint kept to the transaction around it.

        At the end of that one nothing is left, unless it was closed without a commit.
        """
        pending = session.info.get(_PENDING, [])
        if ended.nested:
            pending[:] = [(ended.parent if p is ended else p, change) for p, change in pending]
        elif ended.parent is None:
            pending.clear()

    def _committed(self, session: Session) -> None:
        if session.in_nested_transaction():
            return
        pending = session.info.pop(_PENDING, [])
        if pending:
            self.log.append_many([change for _, change in pending])


def _orphans(session: Session, context: Any) -> list[Any]:
    """Return what a flush deletes because nothing refers to it any more: ``delete-orphan``.

    The session itself never lists these.
    """
    listed = {id(thing) for thing in session.deleted}
    found = (
        state.obj()
        for state, (is_delete, list_only) in context.states.items()
        if is_delete and not list_only
    )
    return [thing for thing in found if thing is not None and id(thing) not in listed]


def _transaction(session: Session) -> SessionTransaction | None:
    return session.get_nested_transaction() or session.get_transaction()


def _listened_to(target: Any) -> Any:
    """Return what SQLAlchemy's events can be listened to at: a session, its maker or its class."""
    if isinstance(target, scoped_session):
        target = target.session_factory
    if asyncio is not None:
        target = _plain(target)
    is_class = isinstance(target, type) and issubclass(target, Session)
    if is_class or isinstance(target, Session | sessionmaker):
        return target
    raise TypeError(
        "can record changes of a session, a sessionmaker, a scoped_session or a Session class, "
        f"not of a {type(target).__name__}"
    )


def _plain(target: Any) -> Any:
    """Return what an async session, its maker or its class wraps; anything else unchanged."""
    if isinstance(target, asyncio.async_scoped_session):
        target = target.session_factory
    if isinstance(target, asyncio.AsyncSession):
        return target.sync_session
    if isinstance(target, asyncio.async_sessionmaker):
        kind = target.kw.get("sync_session_class", target.class_.sync_session_class)
        if not isinstance(kind, sessionmaker):
            kind = sessionmaker(class_=kind)
            target.configure(sync_session_class=kind)
        return kind
    made: Any = target
    if isinstance(target, type) and issubclass(target, asyncio.AsyncSession):
        made = made.sync_session_class
    return made


def _bulk_action(execution: ORMExecuteState) -> str:
    if execution.is_delete:
        return "delete"
    if execution.is_update:
        return "update"
    # An upsert (ON CONFLICT, ON DUPLICATE KEY) may do either.
    upsert = getattr(execution.statement, "_post_values_clause", None) is not None
    return "write" if upsert else "create"


def _rows(execution: ORMExecuteState, result: Any) -> int | None:
    """Return how many rows a statement changed, or None if the driver does not tell."""
    if isinstance(execution.parameters, list):
        return len(execution.parameters)
    if getattr(execution.statement, "_returning", ()):  # drivers count what was fetched so far
        return None
    rows = getattr(result, "rowcount", -1)
    return rows if rows >= 0 else None


def _unloaded(state: Any, gone: bool) -> list[Any]:
    """Return the columns whose old values an entry needs and the session never loaded.

    :param gone: whether the object is to be deleted, so that all values are needed.
    """
    missing = []
    for column in state.mapper.column_attrs:
        history = state.attrs[column.key].history
        unseen = history.added and not history.deleted and column.key in state.dict
        absent = gone and column.key not in state.dict and not column.deferred
        if (unseen and state.attrs[column.key].loaded_value is not None) or absent:
            missing.append(column)
    return missing


def _set_by(execution: ORMExecuteState) -> set[str]:
    """Return the names of what a bulk statement sets."""
    given, mapper = execution.parameters, execution.bind_mapper
    rows = given if isinstance(given, list) else [given or {}]
    statement: Any = execution.statement
    values = statement._values or {}  # SQLAlchemy tells it nowhere else
    several = [row for group in statement._multi_values for row in group]
    names = {_attribute(mapper, key) for row in [*rows[:1], values, *several[:1]] for key in row}
    if execution.is_update and isinstance(given, list) and mapper is not None:
        names -= {_attribute(mapper, column) for column in mapper.primary_key}  # which rows
    return names


def _attribute(mapper: Any, key: Any) -> str:
    """Return the name under which a column is known in the mapped class."""
    if mapper is not None and key in mapper.columns.values():
        return str(mapper.get_property_by_column(key).key)
    return str(getattr(key, "key", key))


def _change_or_error(action: str, thing: Any, fetched: dict[str, Any]) -> dict[str, Any] | None:
    """Like :func:`_change`; if a value of the application raises, return what is known."""
    try:
        return _change(action, thing, fetched)
    except Exception as error:
        resource = (_table(inspect(thing).mapper), _key(thing))
        return {"action": action, "resource": resource, "recording_failed": type(error).__name__}


def _equal(old: Any, new: Any) -> bool:
    try:
        return bool(old == new)
    except Exception:  # an array, whose elements are compared; a value that raises
        held = jsonable(old)
        named = isinstance(held, str) and held.startswith("<")  # by its class, which tells nothing
        return not named and encode(held) == encode(new)


def _change(action: str, thing: Any, fetched: dict[str, Any]) -> dict[str, Any] | None:
    """Return what an entry says about an object, or None if nothing in it changed."""
    state = inspect(thing)
    columns = [column.key for column in state.mapper.column_attrs]
    changed: list[str] = []
    old: dict[str, Any] = {}
    if action == "delete":
        held = state.dict | fetched
        old = {name: held[name] for name in columns if name in held}
    elif action == "create":
        changed = [name for name in columns if state.dict.get(name) is not None]
    else:
        changed, old = _updated(state, columns, fetched)
    members = {} if action == "delete" else _members(state)
    changed += members
    if action == "update" and not changed:
        return None
    change: dict[str, Any] = {
        "action": action,
        "resource": (_table(state.mapper), _key(thing)),
        "changed_fields": sorted(changed) or None,
        "old_values": jsonable(old) if action != "create" else None,
    }
    return change | ({"members": members} if members else {})


def _updated(
    state: Any, columns: list[str], fetched: dict[str, Any]
) -> tuple[list[str], dict[str, Any]]:
    """Return the names of the columns that changed, and the old values that are known."""
    changed: list[str] = []
    old: dict[str, Any] = {}
    for name in columns:
        history = state.attrs[name].history
        if not (history.added or history.deleted):
            continue
        before = history.deleted[0] if history.deleted else fetched.get(name)
        if name in fetched and history.added and _equal(before, history.added[0]):
            continue  # set to what it was
        changed.append(name)
        if history.deleted or name in fetched:
            old[name] = before
    return changed, old


def _members(state: Any) -> dict[str, dict[str, list[str]]]:
    """Return which members were added to and removed from the collections of an object.

    Those of an association table alone: others are columns, of this table or of one that is
    recorded itself.
    """
    members = {}
    for relation in state.mapper.relationships:
        if relation.secondary is None or relation.viewonly:
            continue
        history = state.attrs[relation.key].history
        if history.added or history.deleted:
            members[relation.key] = {
                "added": sorted(map(_key, history.added)),
                "removed": sorted(map(_key, history.deleted)),
            }
    return members


def _key(thing: Any) -> str:
    values = inspect(thing).mapper.primary_key_from_instance(thing)
    return ",".join(str(jsonable(value)) for value in values)


def _table(mapper: Any) -> str:
    return str(mapper.local_table.name)
