"""A recorder for SQLAlchemy: each change of a mapped object becomes an entry, once committed.

The entry comes after the commit, so that nothing that was rolled back is in the log as if it had
happened. What this leaves open, and what SQLAlchemy itself does not see, is in
``docs/sensitive.md``, "Changes of models".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Any, Final

try:
    from sqlalchemy import event, inspect, select
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
    from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, sessionmaker
except ImportError as error:
    raise ImportError("the recorder needs SQLAlchemy 2: pip install 'sqlalchemy>=2'") from error

from chained_logging.context import current
from chained_logging.log import AuditLog
from chained_logging.values import jsonable

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
    comes from :func:`chained_logging.context`. A bulk ``insert()``, ``update()`` or ``delete()``
    that goes through ``session.execute`` is one entry with ``*`` as its id.

    :param target: a ``sessionmaker`` or ``async_sessionmaker``, a session, or the class
        ``Session`` for all there are.
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
        self.log = log if isinstance(log, AuditLog) else AuditLog(log)
        self._models = None if models is None else tuple(models)
        if isinstance(target, AsyncSession):
            target = target.sync_session
        elif isinstance(target, async_sessionmaker):
            maker = sessionmaker()
            target.configure(sync_session_class=maker)
            target = maker
        elif isinstance(target, type) and issubclass(target, AsyncSession):
            target = target.sync_session_class
        elif not isinstance(target, Session | sessionmaker) and not (
            isinstance(target, type) and issubclass(target, Session)
        ):
            raise TypeError("changes are recorded of a session, a sessionmaker or a Session class")
        self._listeners: list[tuple[Any, str, Callable[..., Any]]] = [
            (target, "before_flush", self._before_flush),
            (target, "after_flush", self._after_flush),
            (target, "after_rollback", self._rolled_back),
            (target, "after_transaction_end", self._ended),
            (target, "after_commit", self._committed),
            (target, "do_orm_execute", self._executed),
        ]
        for where, name, listener in self._listeners:
            event.listen(where, name, listener)

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
            gone = thing in session.deleted
            missing = []
            for column in state.mapper.column_attrs:
                history = state.attrs[column.key].history
                unseen = history.added and not history.deleted and column.key in state.dict
                absent = gone and column.key not in state.dict and not column.deferred
                if (unseen and state.attrs[column.key].loaded_value is not None) or absent:
                    missing.append(column)
            if missing and state.identity is not None:
                mapper = state.mapper
                query = select(*(column.expression for column in missing)).where(
                    *(c == v for c, v in zip(mapper.primary_key, state.identity, strict=True))
                )
                with session.no_autoflush:
                    bound = session.connection(bind_arguments={"mapper": mapper})
                    row = bound.execute(query).first()
                if row is not None:
                    names = [column.key for column in missing]
                    fetched[id(thing)] = dict(zip(names, row, strict=True))

    def _after_flush(self, session: Session, context: Any) -> None:
        fetched = session.info.pop(f"{_PENDING}.old", {})
        things = [
            *(("create", thing) for thing in session.new),
            *(("update", thing) for thing in session.dirty),
            *(("delete", thing) for thing in session.deleted),
        ]
        for action, thing in things:
            if self._wanted(type(thing)):
                change = _change(action, thing, fetched.get(id(thing), {}))
                if change is not None:
                    self._note(session, change)

    def _executed(self, execution: ORMExecuteState) -> Any:
        """Note a statement that changes rows without loading them."""
        if not (execution.is_insert or execution.is_update or execution.is_delete):
            return None
        mapper = execution.bind_mapper
        if mapper is None or not self._wanted(mapper.class_):
            return None
        result = execution.invoke_statement()
        names = set() if execution.is_delete else _set_by(execution)
        action = "delete" if execution.is_delete else "update"
        context: dict[str, Any] = {"bulk": True, "rows": getattr(result, "rowcount", -1)}
        if execution.is_insert:
            action = "create"
            if isinstance(execution.parameters, list):
                context["rows"] = len(execution.parameters)
        self._note(
            execution.session,
            {
                "action": action,
                "resource": (_table(mapper), "*"),
                "changed_fields": sorted(names) or None,
                **context,
            },
        )
        return result

    # --- What becomes of it.

    def _note(self, session: Session, change: dict[str, Any]) -> None:
        pending = session.info.setdefault(_PENDING, [])
        pending.append((_place(session), {**current(), **change}))

    def _rolled_back(self, session: Session) -> None:
        """Forget what a savepoint, or the transaction itself, takes back."""
        ended = _place(session)
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


def _place(session: Session) -> SessionTransaction | None:
    return session.get_nested_transaction() or session.get_transaction()


def _set_by(execution: ORMExecuteState) -> set[str]:
    """Return the names of what a bulk statement sets."""
    given = execution.parameters
    rows = given if isinstance(given, list) else [given or {}]
    statement: Any = execution.statement
    values = statement._values or {}  # SQLAlchemy tells it nowhere else
    several = [row for group in statement._multi_values for row in group]
    return {
        str(getattr(key, "key", key)) for row in [*rows[:1], values, *several[:1]] for key in row
    }


def _change(action: str, thing: Any, fetched: dict[str, Any]) -> dict[str, Any] | None:
    """Return what an entry says of one object, or None if nothing of it changed."""
    state = inspect(thing)
    mapper = state.mapper
    changed: list[str] = []
    old: dict[str, Any] = {}
    members: dict[str, Any] = {}
    for column in mapper.column_attrs:
        name = column.key
        if action == "delete":
            if name in state.dict or name in fetched:
                old[name] = fetched.get(name, state.dict.get(name))
            continue
        history = state.attrs[name].history
        if action == "create":
            if state.dict.get(name) is not None:
                changed.append(name)
        elif history.added or history.deleted:
            before = history.deleted[0] if history.deleted else fetched.get(name)
            if history.added and before == history.added[0] and name in fetched:
                continue  # set to what it was
            changed.append(name)
            if history.deleted or name in fetched:
                old[name] = before
    for relation in mapper.relationships:
        if relation.secondary is None or relation.viewonly or action == "delete":
            continue  # others are columns, of this table or of one that is recorded itself
        history = state.attrs[relation.key].history
        if history.added or history.deleted:
            changed.append(relation.key)
            members[relation.key] = {
                "added": sorted(map(_key, history.added)),
                "removed": sorted(map(_key, history.deleted)),
            }
    if action == "update" and not changed:
        return None
    change: dict[str, Any] = {
        "action": action,
        "resource": (_table(mapper), _key(thing)),
        "changed_fields": sorted(changed) or None,
        "old_values": jsonable(old) if action != "create" else None,
    }
    return change | ({"members": members} if members else {})


def _key(thing: Any) -> str:
    values = inspect(thing).mapper.primary_key_from_instance(thing)
    return ",".join(str(jsonable(value)) for value in values)


def _table(mapper: Any) -> str:
    return str(mapper.local_table.name)
