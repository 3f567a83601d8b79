"""The event loops of ASGI servers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi.responses import StreamingResponse
from web_site import Site

from chained_logging.event.entry import InvalidEntry
from chained_logging.integrations.web import loops


@pytest.mark.parametrize("durability", ["os", "fsync"])
@pytest.mark.parametrize("mode", ["before", "after"])
def test_under_trio(tmp_path: Path, durability: str, mode: str) -> None:
    pytest.importorskip("trio")
    site = Site(tmp_path, mode=mode, log_options={"durability": durability})

    @site.app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[str]:
            yield "a"
            yield "b"

        return StreamingResponse(chunks())

    @site.app.get("/raises")
    async def raises() -> str:
        raise ValueError("on purpose")

    with site.client(backend="trio") as client:
        assert client.get("/stream").text == "ab"
        assert client.get("/raises").status_code == 500
        assert client.get("/nothing").status_code == 404
    assert [f["result"] for f in site.found()] == ["success", "failure", "failure"]
    site.log.close()


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_log_that_refuses_under_trio(tmp_path: Path, durability: str) -> None:
    pytest.importorskip("trio")
    options = {"durability": durability, "strict": True}
    site = Site(tmp_path, actor=lambda exchange: "", log_options=options)
    client = site.client(backend="trio", raise_server_exceptions=True)
    with pytest.raises(InvalidEntry):
        client.get("/")
    site.log.close()


def test_asyncio_is_told_from_trio() -> None:
    trio = pytest.importorskip("trio")

    async def asked() -> bool:
        return loops.is_asyncio()

    assert asyncio.run(asked())
    assert not trio.run(asked)
    assert not loops.is_asyncio()


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_a_function_runs_in_a_thread_to_its_end(kind: str) -> None:
    trio = pytest.importorskip("trio")
    began, ended = threading.Event(), threading.Event()
    threads: list[int] = []

    def work() -> None:
        threads.append(threading.get_ident())
        began.set()
        time.sleep(0.1)
        ended.set()

    async def in_asyncio() -> None:
        task = asyncio.create_task(loops.in_thread(work))
        await asyncio.to_thread(began.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(ended.wait, 10)

    async def in_trio() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await loops.in_thread(work)
        assert ended.is_set()

    if kind == "asyncio":
        asyncio.run(in_asyncio())
    else:
        trio.run(in_trio)
    assert ended.is_set()
    assert threads != [threading.get_ident()]


def test_how_each_loop_ends_a_task_is_known() -> None:
    trio = pytest.importorskip("trio")
    caught: list[BaseException] = []

    async def cancelled() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.sleep(1)
            except BaseException as error:
                caught.append(error)
                raise

    trio.run(cancelled)
    assert loops.is_cancellation(caught[0])
    assert loops.is_cancellation(asyncio.CancelledError())
    assert not loops.is_cancellation(ValueError())
