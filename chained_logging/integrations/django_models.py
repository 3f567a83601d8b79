"""A recorder for Django models: each saved or deleted object becomes an entry, once committed.

The entry comes with ``transaction.on_commit``, so that nothing that was rolled back is in the log
as if it had happened. What sends no signal is not seen: ``QuerySet.update``, ``bulk_create``,
``bulk_update`` and raw SQL (``docs/sensitive.md``, "Changes of models").
"""

from __future__ import annotations

import os
from typing import Any, Final

try:
    from django.db import models, transaction  # type: ignore[import-untyped]
    from django.db.models import signals  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError("the recorder needs Django: pip install django") from error

from chained_logging.context import current
from chained_logging.diff import diff
from chained_logging.log import AuditLog
from chained_logging.values import jsonable

_BEFORE: Final = "_chained_logging_before"


def record_changes(
    *recorded: type[models.Model], log: AuditLog | str | os.PathLike[str]
) -> Recorder:
    """Append an entry for each object of these models that is created, updated or deleted.

    Call it in ``AppConfig.ready``. Action ``create``, ``update`` or ``delete``; the resource is the
    model's label (``shop.order``) and the primary key; ``changed_fields`` and ``old_values``. The
    members of a many-to-many field that were added or removed are in ``context.members``. An
    update costs one more query, which reads the row as it was.

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
        self.log = log if isinstance(log, AuditLog) else AuditLog(log)
        self._connected: list[tuple[signals.ModelSignal, Any, Any]] = []
        for model in recorded:
            self._connect(signals.pre_save, self._before_save, model)
            self._connect(signals.post_save, self._saved, model)
            self._connect(signals.pre_delete, self._before_delete, model)
            self._connect(signals.post_delete, self._deleted, model)
            for field in model._meta.many_to_many:
                self._connect(
                    signals.m2m_changed, self._members(field), getattr(model, field.name).through
                )

    def _connect(self, signal: signals.ModelSignal, receiver: Any, sender: Any) -> None:
        signal.connect(receiver, sender=sender, weak=False)
        self._connected.append((signal, receiver, sender))

    def stop(self) -> None:
        """Record no more."""
        for signal, receiver, sender in self._connected:
            signal.disconnect(receiver, sender=sender)
        self._connected.clear()

    def _before_save(self, instance: models.Model, using: str, **_: Any) -> None:
        instance.__dict__[_BEFORE] = _row(instance, using) if instance.pk is not None else None

    def _saved(
        self,
        instance: models.Model,
        created: bool,
        using: str,
        update_fields: frozenset[str] | None,
        **_: Any,
    ) -> None:
        before = instance.__dict__.pop(_BEFORE, None)
        if created:
            names = [f.attname for f in instance._meta.concrete_fields]
            changed = [n for n in names if instance.__dict__.get(n) is not None]
            self._note(instance, using, {"action": "create", "changed_fields": sorted(changed)})
            return
        after = _values(instance, before or {}, update_fields)
        change = diff(before, after)
        if change["changed_fields"]:
            self._note(instance, using, {"action": "update", **change})

    def _before_delete(self, instance: models.Model, using: str, **_: Any) -> None:
        instance.__dict__[_BEFORE] = (instance.pk, _row(instance, using))

    def _deleted(self, instance: models.Model, using: str, **_: Any) -> None:
        key, before = instance.__dict__.pop(_BEFORE, (instance.pk, None))
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
        resource = (instance._meta.label_lower, jsonable(instance.pk if key is None else key))
        # Made now: the object may change again before the commit.
        noted = {**current(), "resource": resource, **jsonable(change)}
        transaction.on_commit(lambda: self._append(noted), using=using)

    def _append(self, change: dict[str, Any]) -> None:
        self.log.append_many([change])


def _row(instance: models.Model, using: str) -> dict[str, Any] | None:
    """Return the object's row as the database has it."""
    manager = type(instance)._base_manager.using(using)
    names = [field.attname for field in instance._meta.concrete_fields]
    row: dict[str, Any] | None = manager.filter(pk=instance.pk).values(*names).first()
    return row


def _values(
    instance: models.Model, before: dict[str, Any], update_fields: frozenset[str] | None
) -> dict[str, Any]:
    """Return what was saved: of a deferred field, and one that was left out, what was there."""
    values = {}
    for field in instance._meta.concrete_fields:
        saved = update_fields is None or {field.name, field.attname} & update_fields
        if saved and field.attname in instance.__dict__:
            value = instance.__dict__[field.attname]
            # "7" for a number is stored as 7; an expression, F("visits") + 1, differs in any case.
            if not hasattr(value, "resolve_expression"):
                value = field.to_python(value)
            values[field.attname] = value
        elif field.attname in before:
            values[field.attname] = before[field.attname]
    return values


def _keys(keys: set[Any]) -> list[str]:
    return sorted(str(jsonable(key)) for key in keys)
