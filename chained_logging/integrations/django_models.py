"""A recorder for Django models: each saved or deleted object becomes an entry, once committed.

The entry is written by ``transaction.on_commit``, so a change that was rolled back is not in the
log. Changes that send no signal are not seen: ``QuerySet.update``, ``bulk_create``,
``bulk_update`` and raw SQL (``docs/guide/changes.md``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

try:
    from django.db import models, transaction  # type: ignore[import-untyped]
    from django.db.models import signals  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError("the recorder needs Django: pip install django") from error

from chained_logging.event.context import current
from chained_logging.event.diff import diff
from chained_logging.event.models import hidden, is_bearer
from chained_logging.event.values import jsonable
from chained_logging.log import AuditLog, opened

_BEFORE: Final = "_chained_logging_before"


def record_changes(
    *recorded: type[models.Model], log: AuditLog | str | os.PathLike[str]
) -> Recorder:
    """Append an entry for each object of these models that is created, updated or deleted.

    Call it in ``AppConfig.ready``. The action is ``create``, ``update`` or ``delete``. The resource
    is the model's label (``shop.order``; for a proxy that of the model with the table) and the
    primary key. ``changed_fields`` and ``old_values`` say what changed. The members of a
    many-to-many field that were added or removed are in ``context.members``. An update costs two
    more queries, which read the row before and after it.

    :param recorded: models; their proxies and child models are recorded too.
    :param log: an open log, or a path.
    :returns: the recorder, whose ``stop()`` ends it.
    """
    return Recorder(recorded, log)


class Recorder:
    """See :func:`record_changes`."""

    def __init__(
        self, recorded: tuple[type[models.Model], ...], log: AuditLog | str | os.PathLike[str]
    ) -> None:
        if not recorded:
            raise TypeError("name the models to record")
        self.log = opened(log)
        self._recorded: Final = recorded
        self._connected: list[tuple[signals.ModelSignal, Any, Any]] = []
        # Without a sender: Django names the very class, which may be a proxy or a child model.
        self._connect(signals.pre_save, self._before_save)
        self._connect(signals.post_save, self._saved)
        self._connect(signals.pre_delete, self._before_delete)
        self._connect(signals.post_delete, self._deleted)
        fields = {f for model in _with_children(recorded) for f in model._meta.many_to_many}
        for field in fields:
            self._connect(signals.m2m_changed, self._members(field), field.remote_field.through)

    def _connect(self, signal: signals.ModelSignal, receiver: Any, sender: Any = None) -> None:
        signal.connect(receiver, sender=sender, weak=False)
        self._connected.append((signal, receiver, sender))

    def stop(self) -> None:
        """Record no more."""
        for signal, receiver, sender in self._connected:
            signal.disconnect(receiver, sender=sender)
        self._connected.clear()

    def _before_save(self, instance: models.Model, using: str, **_: Any) -> None:
        if isinstance(instance, self._recorded):
            known = instance.pk is not None
            instance.__dict__[_BEFORE] = _row(instance, using) if known else None

    def _saved(self, instance: models.Model, created: bool, using: str, **_: Any) -> None:
        if not isinstance(instance, self._recorded):
            return
        before = instance.__dict__.pop(_BEFORE, None)
        if created:
            names = [f.attname for f in instance._meta.concrete_fields]
            changed = [n for n in names if instance.__dict__.get(n) is not None]
            self._note(instance, using, {"action": "create", "changed_fields": sorted(changed)})
            return
        # Both as the database has them: what was assigned may be stored in another form ("7" for
        # 7, 10.5 for 10.50, an expression), and is no change then.
        change = diff(before or {}, _row(instance, using))
        if change["changed_fields"]:
            self._note(instance, using, {"action": "update", **change})

    def _before_delete(
        self, instance: models.Model, using: str, origin: Any = None, **_: Any
    ) -> None:
        if isinstance(instance, self._recorded) and not _is_parent(instance, origin):
            instance.__dict__[_BEFORE] = (instance.pk, _row(instance, using))

    def _deleted(self, instance: models.Model, using: str, **_: Any) -> None:
        if isinstance(instance, self._recorded) and _BEFORE in instance.__dict__:
            key, before = instance.__dict__.pop(_BEFORE)
            self._note(instance, using, {"action": "delete", "old_values": before}, key=key)

    def _members(self, field: Any) -> Any:
        def changed(
            instance: models.Model,
            action: str,
            reverse: bool,
            model: type[models.Model],
            pk_set: set[Any] | None,
            using: str,
            **_: Any,
        ) -> None:
            name = field.remote_field.get_accessor_name() if reverse else field.name
            if action == "pre_clear":
                gone = getattr(instance, name).using(using).values_list("pk", flat=True)
                instance.__dict__[_BEFORE] = set(gone)
                return
            if action == "post_clear":
                added, removed = set(), instance.__dict__.pop(_BEFORE, set())
            elif action == "post_add":
                added, removed = pk_set or set(), set()
            elif action == "post_remove":
                added, removed = set(), pk_set or set()
            else:
                return
            if not added and not removed:
                return
            members = {name: {"added": _keys(added), "removed": _keys(removed)}}
            change = {"action": "update", "changed_fields": [name], "members": members}
            self._note(instance, using, change)

        return changed

    def _note(
        self, instance: models.Model, using: str, change: dict[str, Any], key: Any = None
    ) -> None:
        label = instance._meta.concrete_model._meta.label_lower
        key = instance.pk if key is None else key
        resource = (label, jsonable(hidden(key) if is_bearer(type(instance)) else key))
        # Made now: the object may change again before the commit.
        _on_commit(_Entry(self.log, {**current(), "resource": resource, **jsonable(change)}), using)


class _Entry:
    """An entry that waits for the commit, and is appended when it is called."""

    def __init__(self, log: AuditLog, event: dict[str, Any]) -> None:
        self.log, self.event = log, event

    def __call__(self) -> None:
        self.log.append_many([self.event])


def _on_commit(entry: _Entry, using: str) -> None:
    """Append an entry after the commit, before the callbacks that the application registered.

    Django calls them in turn, and stops once one of them raises.
    """
    transaction.on_commit(entry, using=using)
    hooks = transaction.get_connection(using).run_on_commit
    if hooks and hooks[-1][1] is entry:  # otherwise there is no transaction, and it is appended
        first = next(n for n, hook in enumerate(hooks) if not _is_ours(hook) or hook is hooks[-1])
        hooks.insert(first, hooks.pop())


def _is_ours(hook: tuple[Any, ...]) -> bool:
    return isinstance(hook[1], _Entry)


def _with_children(recorded: Iterable[type[models.Model]]) -> Iterator[type[models.Model]]:
    for model in recorded:
        yield model
        yield from _with_children(model.__subclasses__())


def _is_parent(instance: models.Model, origin: Any) -> bool:
    """Whether this is the parent's half of a child object, which is deleted with it.

    :param origin: the object or the queryset that is deleted.
    """
    kind = getattr(origin, "model", None) or type(origin)
    return issubclass(kind, type(instance)) and bool(
        kind._meta.concrete_model is not instance._meta.concrete_model
    )


def _row(instance: models.Model, using: str) -> dict[str, Any] | None:
    """Return the object's row as the database has it."""
    # Not through a manager: one that hides rows would make a soft delete look like a real one.
    rows = models.QuerySet(type(instance), using=using)
    names = [field.attname for field in instance._meta.concrete_fields]
    row: dict[str, Any] | None = rows.filter(pk=instance.pk).order_by().values(*names).first()
    if row is not None and is_bearer(type(instance)):
        row[instance._meta.pk.attname] = hidden(instance.pk)
    return row


def _keys(keys: set[Any]) -> list[str]:
    return sorted(str(jsonable(key)) for key in keys)
