"""For your own tests: what was audited, and assertions that say what was not.

With pytest there is a fixture::

    def test_reading_a_record_is_audited(client, audit_log):
        client.get("/patients/456")
        audit_log.assert_recorded(action="read", actor="user-1", resource="patient/456")

and without it a context manager, for ``unittest`` as well::

    def setUp(self):
        self.audit_log = self.enterContext(chained_logging.testing.recorded())

It sees every event that this process hands to any log, and tagged calls of plain loggers that no
log heard, also where the root logger's level would stop them. Nothing needs to be configured for
it; where a log is asked for, ``audit_log.log`` is one
that is gone when the test ends.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from chained_logging.event.draft import Draft
from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import FIELD_OF
from chained_logging.event.records import pairs
from chained_logging.event.values import jsonable
from chained_logging.format.line import GENESIS
from chained_logging.integrations.capture import capture_record, recorded_as
from chained_logging.integrations.listening import Listener, listeners
from chained_logging.integrations.log_records import install, is_tagged
from chained_logging.log import AuditLog
from chained_logging.log.writer import Writer

__all__ = ["RecordedLog", "recorded"]

_SHOWN = 10


class RecordedLog:
    """What was audited since a test began.

    :ivar log: an open log, for code that takes one.
    """

    def __init__(self, log: AuditLog) -> None:
        self.log = log
        self._lock = threading.Lock()
        self._entries: list[AuditEntry] = []

    @property
    def entries(self) -> list[AuditEntry]:
        """The entries, in order. What the log writes about itself is not among them."""
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        """Forget what was recorded so far."""
        with self._lock:
            self._entries.clear()

    def find(self, **fields: Any) -> list[AuditEntry]:
        """Return the entries that have all these fields.

        :param fields: by name or alias, as a call takes them; any other key is looked for in
            ``context``. A callable is asked whether the value will do, and ``...`` says that
            there is one.
        """
        expected = _expected(fields)
        return [entry for entry in self.entries if not _differences(entry, expected)]

    def assert_recorded(self, **fields: Any) -> AuditEntry:
        """Return the last entry that has all these fields, as :meth:`find` takes them.

        :raises AssertionError: if no entry has them. It names the closest one and what differs.
        """
        found = self.find(**fields)
        if found:
            return found[-1]
        raise AssertionError(self._explain(_expected(fields)))

    def assert_recorded_once(self, **fields: Any) -> AuditEntry:
        """As :meth:`assert_recorded`, and fail if there are several."""
        entry = self.assert_recorded(**fields)
        found = self.find(**fields)
        if len(found) > 1:
            lines = "\n".join(f"  {_line(each)}" for each in found[:_SHOWN])
            raise AssertionError(f"{len(found)} entries have {_text(fields)}, not one:\n{lines}")
        return entry

    def assert_not_recorded(self, **fields: Any) -> None:
        """Fail if an entry has all these fields; without any, if there is an entry.

        :raises AssertionError: with these entries.
        """
        found = self.find(**fields)
        if found:
            lines = "\n".join(f"  {_line(each)}" for each in found[:_SHOWN])
            what = f" with {_text(fields)}" if fields else ""
            raise AssertionError(f"{len(found)} entries{what} were recorded:\n{lines}")

    def _explain(self, expected: Mapping[str, Any]) -> str:
        entries = self.entries
        if not entries:
            return f"no entry with {_text(expected)}: nothing was recorded"
        closest = min(entries, key=lambda entry: len(_differences(entry, expected)))
        lines = [f"no entry with {_text(expected)}; the closest of {len(entries)} differs in"]
        lines += [
            f"  {name}: expected {wanted!r}, was {found!r}"
            for name, wanted, found in _differences(closest, expected)
        ]
        lines.append("recorded:")
        lines += [f"  {_line(entry)}" for entry in entries[-_SHOWN:]]
        if len(entries) > _SHOWN:
            lines.append(f"  and {len(entries) - _SHOWN} before")
        return "\n".join(lines)

    def _add(self, drafts: Sequence[Draft], records: Sequence[Any]) -> None:
        if records:
            made = [AuditEntry(body, hash, signature) for _, body, hash, signature in records]
        else:  # they wait
            made = [AuditEntry(draft.body(0, GENESIS), None) for draft in drafts]
        with self._lock:
            self._entries += [entry for entry in made if entry.actor_id != "chained_logging"]


@contextlib.contextmanager
def recorded(**options: Any) -> Iterator[RecordedLog]:
    """Record what is audited in this block.

    :param options: those of :class:`AuditLog`, for the log that is used where there is no other.
    """
    install()
    store_events, handle = Writer.store, logging.Logger.handle
    passes = logging.Logger.isEnabledFor
    with (
        tempfile.TemporaryDirectory(prefix="chained_logging-") as folder,
        AuditLog(Path(folder) / "audit.jsonl", **options) as log,
    ):
        recording = RecordedLog(log)

        def observed(self: Writer, drafts: Sequence[Draft]) -> Any:
            records = store_events(self, drafts)
            recording._add(drafts, records)
            return records

        fallback = _Fallback(log)

        def handled(self: logging.Logger, record: logging.LogRecord) -> None:
            if passes(self, record.levelno):
                handle(self, record)
            elif is_tagged(record):
                for listener in listeners(self):
                    listener.handle(record)
            fallback.handle(record)  # others may stand in for the handlers, as with assertLogs

        def enabled(self: logging.Logger, level: int) -> bool:
            """Pass what only the root logger's level stops: no test has configured that."""
            return passes(self, level) or (
                level >= logging.INFO
                and not self.disabled
                and self.manager.disable < level
                and _has_roots_level(self)
            )

        with (
            mock.patch.object(Writer, "store", observed),
            mock.patch.object(logging.Logger, "handle", handled),
            mock.patch.object(logging.Logger, "isEnabledFor", enabled),
        ):
            logging.getLogger().addHandler(fallback)
            try:
                yield recording
            finally:
                logging.getLogger().removeHandler(fallback)


def _has_roots_level(logger: logging.Logger) -> bool:
    at: logging.Logger | None = logger
    while at is not None and at.level == logging.NOTSET:
        at = at.parent
    return at is None or at is logging.root


class _Fallback(Listener):
    """Records what no log heard."""

    heard = True

    def __init__(self, log: AuditLog) -> None:
        super().__init__()
        self._log = log

    def has(self, record: logging.LogRecord) -> bool:
        return recorded_as(record) is not None

    def emit(self, record: logging.LogRecord) -> None:
        if is_tagged(record) and not self.has(record):
            capture_record(self._log, record)


# --- What is compared, and how it is shown.


def _expected(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is expected, by the names that entries have."""
    expected: dict[str, Any] = {}
    for key, value in fields.items():
        name = FIELD_OF.get(key) or key
        if name == "resource" and isinstance(value, str):
            kind, slash, id = value.partition("/")
            expected["resource_type"] = kind
            expected |= {"resource_id": id} if slash else {}
        elif name == "resource" and isinstance(value, tuple | list):
            expected["resource_type"], expected["resource_id"] = value
        elif name == "resources" and isinstance(value, tuple | list):
            expected[name] = [{"id": id, "type": kind} for kind, id in pairs(value)]
        else:
            expected[name] = value
    return expected


def _differences(entry: AuditEntry, expected: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the name of each field that is another, what was expected, and what it is."""
    return [
        (name, wanted, found)
        for name, wanted in expected.items()
        if not _fits(wanted, found := _value(entry, name))
    ]


def _value(entry: AuditEntry, name: str) -> Any:
    fields = entry.fields
    return fields[name] if name in fields else fields["context"].get(name)


def _fits(wanted: Any, found: Any) -> bool:
    if wanted is ...:
        return found is not None
    if callable(wanted):
        return found is not None and bool(wanted(found))
    return bool(wanted == found or jsonable(wanted) == found or str(wanted) == found)


def _text(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in fields.items()) or "any fields"


def _line(entry: AuditEntry) -> str:
    resource = f"{entry.resource_type}/{entry.resource_id}"
    about = f" {entry.context}" if entry.context else ""
    return (
        f"{entry.action} by {entry.actor_id} on {resource} from {entry.ip_address}: "
        f"{entry.result}{about}"
    )


with contextlib.suppress(ImportError):  # unittest needs no pytest
    import pytest

    @pytest.fixture
    def audit_log() -> Iterator[RecordedLog]:
        """What the code under test audits: :class:`chained_logging.testing.RecordedLog`."""
        with recorded() as recording:
            yield recording
