"""@audited, diff, and the context in tasks and threads."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from chains import check_chain

from chained_logging import AuditHandler, AuditLog, audited, context, diff
from chained_logging.errors import LogClosed
from chained_logging.event.context import carried

WHO = {"actor": "user-7", "ip": "10.0.0.7"}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    with AuditLog(tmp_path / "audit.jsonl") as opened:
        yield opened


def entries(log: AuditLog) -> list[dict[str, Any]]:
    return check_chain(log.path)[1:]


def test_a_call_is_an_entry_with_what_came_of_it(log: AuditLog) -> None:
    @audited("patient_record", id="patient_id", action="read", log=log, purpose="care")
    def load(patient_id: int, *, fail: type[BaseException] | None = None) -> str:
        """Load."""
        if fail:
            raise fail("why")
        return "record"

    assert (load.__name__, load.__doc__) == ("load", "Load.")
    with context(**WHO):
        assert load(456) == "record"
        for error in (PermissionError, ValueError, KeyboardInterrupt):
            with pytest.raises(error):
                load(patient_id=7, fail=error)
    first, denied, failed, interrupted = entries(log)
    assert first["action"] == "read"
    assert (first["resource_type"], first["resource_id"]) == ("patient_record", "456")
    assert (first["actor_id"], first["ip_address"]) == ("user-7", "10.0.0.7")
    assert first["result"] == "success"
    assert first["context"]["purpose"] == "care"
    assert 0 <= first["context"]["duration_ms"] < 1000
    assert [e["result"] for e in (denied, failed, interrupted)] == ["denied", "failure", "failure"]
    assert failed["context"]["exception"] == {"message": "why", "type": "ValueError"}


def test_the_id_is_found_in_arguments_and_in_what_was_returned(log: AuditLog) -> None:
    @dataclass
    class Patient:
        id: int
        card: dict[str, str]

    @audited("p", id="patient.card.number", log=log)
    def nested(patient: Patient) -> None: ...

    @audited("p", id="return.id", log=log)
    def create(fail: bool = False) -> Patient:
        if fail:
            raise ValueError
        return Patient(9, {})

    @audited("p", id=lambda arguments: arguments["a"] + arguments["b"], log=log)
    def added(a: int, b: int = 5) -> None: ...

    @audited("p", log=log)
    def everything() -> None: ...

    nested(Patient(1, {"number": "n-1"}))
    create()
    with pytest.raises(ValueError, match=r"^$"):
        create(fail=True)
    added(1)
    everything()
    nested(None)  # type: ignore[arg-type]
    made = entries(log)
    assert [entry["resource_id"] for entry in made] == ["n-1", "9", "*", "6", "*", "unknown"]
    assert "resource_id" in made[-1]["context"]["invalid"]
    assert made[0]["action"] == "nested"


def test_what_cannot_work_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="has no parameter 'patient'"):

        @audited("p", id="patient")
        def load(person: int) -> None: ...

    with pytest.raises(TypeError, match="is a generator"):

        @audited("p")
        def stream() -> Iterator[int]:
            yield 1


def test_a_call_that_does_not_fit_the_signature_is_a_failure_too(log: AuditLog) -> None:
    @audited("p", id="x", log=log)
    def f(x: int) -> None: ...

    with pytest.raises(TypeError, match="missing"):
        f()  # type: ignore[call-arg]
    assert entries(log)[0]["result"] == "failure"


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_async_functions_and_their_cancellation(tmp_path: Path, durability: Any) -> None:
    log = AuditLog(tmp_path / "a.jsonl", durability=durability)

    @audited("job", id="n", log=log)
    async def work(n: int) -> int:
        await asyncio.sleep(30 if n == 99 else 0)
        return n

    async def main() -> None:
        with context(**WHO):
            assert await asyncio.gather(*(work(n) for n in range(20))) == list(range(20))
            task = asyncio.create_task(work(99))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    assert asyncio.iscoroutinefunction(work)
    asyncio.run(main())
    log.close()
    made = entries(log)
    assert sorted(int(e["resource_id"]) for e in made) == [*range(20), 99]
    assert {e["actor_id"] for e in made} == {"user-7"}
    assert [e["result"] for e in made if e["resource_id"] == "99"] == ["failure"]


def test_without_a_log_the_modules_logger_takes_it_whatever_its_level(log: AuditLog) -> None:
    logger = logging.getLogger(__name__)
    handler = AuditHandler(log=log)
    logger.addHandler(handler)
    logger.setLevel(logging.CRITICAL)

    @audited("thing", id="n")
    def touch(n: int) -> None:
        if n == 2:
            raise PermissionError("not yours")

    try:
        with context(**WHO):
            touch(1)
            with pytest.raises(PermissionError):
                touch(2)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    done, denied = entries(log)
    assert (done["resource_id"], done["result"], done["actor_id"]) == ("1", "success", "user-7")
    assert (denied["result"], denied["context"]["exception"]["message"]) == ("denied", "not yours")


def test_a_path_is_opened_with_the_first_call(tmp_path: Path) -> None:
    path = tmp_path / "late.jsonl"

    @audited("a", log=path)
    def one() -> None: ...

    @audited("a", log=str(path))
    def two() -> None: ...

    assert not path.exists()
    with context(**WHO):
        one()
        two()
    assert [e["action"] for e in check_chain(path)[1:]] == ["one", "two"]


def test_a_log_that_fails_closed_says_so_to_the_caller(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "a.jsonl", on_failure="raise")

    @audited("a", log=log)
    def act() -> None: ...

    log.close()
    with pytest.raises(LogClosed, match="is closed"):
        act()


def test_threads_have_the_context_that_they_were_given(log: AuditLog) -> None:
    def work(number: int) -> None:
        with context(step=number):
            noted(number)

    @audited("a", id="number", log=log)
    def noted(number: int) -> None: ...

    with context(**WHO):
        bound = carried(work)
        thread = threading.Thread(target=bound, args=(0,))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bound, range(1, 40)))
    thread.start()
    thread.join()
    made = entries(log)
    assert {e["actor_id"] for e in made} == {"user-7"}
    assert sorted(e["context"]["step"] for e in made) == list(range(40))


# --- diff


class Point(NamedTuple):
    x: int
    y: int


class Slotted:
    __slots__ = ("_hidden", "ward")

    def __init__(self, ward: int) -> None:
        self.ward = ward
        self._hidden = object()


class Plain:
    def __init__(self, ward: int, **more: Any) -> None:
        self.ward = ward
        self._state = object()
        self.__dict__.update(more)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}, (["b", "c"], {"b": 2})),
        ({"a": 1}, {}, (["a"], {"a": 1})),
        ({"a": 1, "b": True}, {"a": 1.0, "b": 1}, (["b"], {"b": True})),
        (None, {"a": 1}, (["a"], {})),
        ({"a": None}, None, (["a"], {"a": None})),
        ({"n": float("nan")}, {"n": float("nan")}, ([], {})),
        ({"l": [1, {"x": {2, 3}}]}, {"l": (1, {"x": {3, 2}})}, ([], {})),
        (Point(1, 2), Point(1, 3), (["y"], {"y": 2})),
        (Slotted(1), Slotted(2), (["ward"], {"ward": 1})),
        (Plain(1, z=0), Plain(2), (["ward", "z"], {"ward": 1, "z": 0})),
    ],
)
def test_diff_names_what_changed_and_what_it_was(before: Any, after: Any, expected: Any) -> None:
    changed, old = expected
    assert diff(before, after) == {"changed_fields": changed, "old_values": old}


def test_a_changed_password_is_recorded_and_no_password(log: AuditLog) -> None:
    changes = diff({"password": "S3cret-1"}, {"password": "S3cret-2"})
    log.append("write", **WHO, resource="user/1", **changes)
    assert b"S3cret" not in log.path.read_bytes()
    (entry,) = entries(log)
    assert entry["changed_fields"] == ["password"]
    assert entry["old_values"] == {"password": "[redacted]"}
    assert json.dumps(changes)  # and the caller's own is untouched
    assert changes["old_values"] == {"password": "S3cret-1"}


def test_what_has_no_fields_is_refused() -> None:
    with pytest.raises(TypeError, match="a int has no fields to compare"):
        diff(1, 2)
