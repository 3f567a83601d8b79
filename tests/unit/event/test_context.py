"""What ``context`` gives to events, and that its block may be left from anywhere."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from web_servers import entries

from chained_logging import AuditHandler, AuditLog, context
from chained_logging.event.context import current, restore, share


def test_what_the_call_passes_wins_whatever_its_name(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    logger = logging.Logger("app")
    logger.addHandler(AuditHandler(log=log))
    with context(actor="ann"), context(actor_id="bob"), context(user_id="cid", ip="10.0.0.9"):
        logger.info("a", extra={"audit": True, "resource": "p/1"})
        logger.info("b", extra={"audit": True, **EVENT})
        with context(actor="eve"):
            logger.info("c", extra={"audit": True, "resource": "p/1"})
    log.close()
    assert [(f["actor_id"], f["ip_address"]) for f in entries(log.path)] == [
        ("cid", "10.0.0.9"),
        ("user-1", "10.0.0.1"),
        ("eve", "10.0.0.9"),
    ]


def test_what_a_request_learns_later_holds_in_a_block_too() -> None:
    shared: dict[str, Any] = {"ip_address": "10.0.0.1"}

    token = share(lambda: shared)
    with context(tenant="t-1"), context(colour="red"):
        shared["actor_id"] = "ann"
        inside = {"ip_address": "10.0.0.1", "actor_id": "ann", "tenant_id": "t-1", "colour": "red"}
        assert dict(current()) == inside
        with context(actor="bob"):
            assert current()["actor_id"] == "bob"
    restore(token)
    assert current() == {}


def test_block_is_left_in_another_thread() -> None:
    stack = ExitStack()
    stack.enter_context(context(actor="ann"))
    failed: list[BaseException] = []

    def leave() -> None:
        try:
            stack.close()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    assert failed == []
    assert current() == {}, "the block is left, here too"


def test_block_is_left_by_the_loop() -> None:
    complaints: list[dict[str, Any]] = []

    async def numbers() -> AsyncIterator[int]:
        with context(actor="ann"):
            yield 1
            yield 2

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, c: complaints.append(c))
        async for _ in numbers():
            break
        await asyncio.sleep(0.01)
        assert current() == {}

    asyncio.run(main())
    assert complaints == []


def test_block_that_a_task_inherited_ends_where_it_was_left() -> None:
    """A generator that is begun in one task and ended in a child of it."""
    seen: list[Any] = []

    async def numbers() -> AsyncIterator[int]:
        with context(actor="ann"):
            yield 1

    async def main() -> None:
        iterator = numbers()
        await anext(iterator)

        async def rest() -> None:
            with suppress(StopAsyncIteration):
                await anext(iterator)
            seen.append(dict(current()))

        await asyncio.create_task(rest())
        seen.append(dict(current()))

    asyncio.run(main())
    assert seen == [{}, {}]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("asynchronous", [True, False])
def test_dependency_that_yields_in_a_block(tmp_path: Path, asynchronous: bool) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    logger = logging.Logger("app")
    logger.addHandler(AuditHandler(log=log))

    def plain() -> Iterator[None]:
        with context(**EVENT):
            yield

    async def loop() -> AsyncIterator[None]:
        with context(**EVENT):
            yield

    app = FastAPI()

    @app.get("/", dependencies=[Depends(loop if asynchronous else plain)])
    def view() -> str:
        logger.info("read", extra={"audit": True})
        return "x"

    with TestClient(app) as client:
        assert client.get("/").status_code == 200
    log.close()
    (fields,) = entries(log.path)
    if asynchronous:  # what a thread sets is its own: see docs/web.md
        assert fields["actor_id"] == "user-1"
