"""The body of a response on its way out: when the client has all of it, and what is said then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_servers import entries

from chained_logging import AuditLog
from chained_logging.integrations.web.answer import CLIENT_GONE, UNFINISHED, Answer
from chained_logging.integrations.web.auditor import Auditor


class Request:
    """One request, and the entries that it made."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.log = AuditLog(folder / "audit.jsonl")
        self.auditor = Auditor(self.log, **options)

    def answer(
        self,
        body: Any = (),
        length: int | None = None,
        status: int | None = 200,
        method: str = "GET",
    ) -> Answer:
        exchange = self.auditor.begin(None, method, "/p/1", "192.0.2.1", lambda name: None)
        assert exchange is not None
        exchange.status = status
        return Answer(self.auditor, exchange, body, length)

    def said(self) -> list[tuple[str, Any]]:
        return [(f["result"], f["context"].get("cause")) for f in entries(self.log.path)]


@pytest.fixture
def request_of(tmp_path: Path) -> Iterator[Request]:
    request = Request(tmp_path)
    yield request
    request.log.close()


def test_the_entry_is_stored_with_the_chunk_that_reaches_the_length(request_of: Request) -> None:
    answer = request_of.answer([b"ab", b"c"], length=3)
    assert next(answer) == b"ab"
    assert request_of.said() == []
    assert next(answer) == b"c"
    assert request_of.said() == [("success", None)]
    answer.close()
    assert len(request_of.said()) == 1


def test_without_a_length_it_is_stored_at_the_end(request_of: Request) -> None:
    answer = request_of.answer([b"ab"])
    next(answer)
    assert request_of.said() == []
    assert list(answer) == []
    assert request_of.said() == [("success", None)]


def test_after_mode_stores_it_when_the_server_is_done(tmp_path: Path) -> None:
    request = Request(tmp_path, mode="after")
    answer = request.answer([b"ab"], length=2)
    assert list(answer) == [b"ab"]
    assert request.said() == []
    answer.close()
    assert request.said() == [("success", None)]
    request.log.close()


def test_less_than_was_announced_is_a_failure(request_of: Request) -> None:
    assert list(request_of.answer([b"ab"], length=3)) == [b"ab"]
    assert request_of.said() == [("failure", UNFINISHED)]


def test_a_client_that_leaves_is_a_failure_and_the_body_is_closed(request_of: Request) -> None:
    closed: list[bool] = []

    def body() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    answer = request_of.answer(body())
    next(answer)
    answer.close()
    assert closed == [True]
    assert request_of.said() == [("failure", CLIENT_GONE)]


def test_an_error_in_the_body_is_a_failure_and_goes_on(request_of: Request) -> None:
    def body() -> Iterator[bytes]:
        yield b"a"
        raise KeyError("k")

    answer = request_of.answer(body())
    next(answer)
    with pytest.raises(KeyError):
        next(answer)
    (fields,) = entries(request_of.log.path)
    assert fields["result"] == "failure"
    assert fields["context"]["exception"]["type"] == "KeyError"


def test_an_error_before_the_answer_has_the_servers_status(request_of: Request) -> None:
    answer = request_of.answer(status=None)
    answer.note_failure(KeyError("k"))
    answer.record()
    assert entries(request_of.log.path)[0]["context"]["http_status"] == 500


def test_an_answer_that_nobody_closes_has_an_entry(request_of: Request) -> None:
    answer = request_of.answer([b"a"])
    del answer
    assert request_of.said() == [("failure", UNFINISHED)]


def test_an_answer_without_a_body_is_whole_with_its_head(request_of: Request) -> None:
    for status, method in ((204, "GET"), (200, "HEAD")):
        assert request_of.answer(status=status, method=method).completes(b"")
    assert not request_of.answer(status=None, length=0).completes(b"")


def test_in_an_event_loop_the_same_is_stored(request_of: Request) -> None:
    asyncio.run(request_of.answer([b"a"]).complete_async())
    assert request_of.said() == [("success", None)]
