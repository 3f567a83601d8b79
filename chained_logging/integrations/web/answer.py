"""The body of a response on its way out, where the server asks for it: WSGI and Django."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chained_logging.diagnostics import warn
from chained_logging.integrations.courier import Event
from chained_logging.integrations.web.auditor import Auditor
from chained_logging.integrations.web.exchange import Exchange
from chained_logging.integrations.web.headers import has_no_body

CLIENT_GONE: Final = "the client was gone"
UNFINISHED: Final = "the answer was not finished"


class Answer(Iterator[bytes]):
    """The body of a response on its way out, counted.

    The client has the whole answer with the chunk that reaches Content-Length, or, without one,
    at the end.

    :ivar body: what the application returned.
    """

    def __init__(
        self, auditor: Auditor, exchange: Exchange, body: Any = (), length: int | None = None
    ) -> None:
        self.body = body
        self.length = length
        self._auditor = auditor
        self._exchange = exchange
        self._chunks: Iterator[bytes] | None = None
        self._sent = 0
        self._whole = False

    def __next__(self) -> bytes:
        try:
            with self._exchange:
                if self._chunks is None:
                    self._chunks = iter(self.body)
                chunk = next(self._chunks)
        except StopIteration:
            self.end()
            self.complete()
            raise
        except BaseException as error:
            self.note_failure(error)
            self.record()
            raise
        if self.completes(chunk):
            self.complete()
        return chunk

    def close(self) -> None:
        """Close the application's iterable: the server is done with this response."""
        try:
            close = getattr(self.body, "close", None)
            if close is not None:
                with self._exchange:
                    close()
        finally:
            self.note_failure(CLIENT_GONE)
            self.record()

    def __del__(self) -> None:
        """Store the entry of an answer that the server did not close, contrary to PEP 3333."""
        if self._exchange.done:
            return
        try:
            self.note_failure(UNFINISHED)
            self.record()
        except Exception as error:
            warn(f"audit log: {error}", stacklevel=1)

    def completes(self, data: bytes) -> bool:
        """Whether the client has the whole answer with this."""
        exchange = self._exchange
        if exchange.status is None:
            return False
        self._sent += len(data)
        return has_no_body(exchange.method, exchange.status, self.length) or (
            self.length is not None and self._sent >= self.length
        )

    def end(self) -> None:
        """Note it if the application returned less than it announced."""
        if self.length is not None and not self.completes(b""):
            self.note_failure(UNFINISHED)

    def complete(self) -> None:
        """The client has the whole answer with what is sent next."""
        self._whole = True
        if self._auditor.mode == "before":
            self.record()

    async def complete_async(self) -> None:
        """Like :meth:`complete`, without blocking the event loop by a sync."""
        self._whole = True
        if self._auditor.mode == "before":
            await self.record_async()

    def note_failure(self, cause: str | BaseException) -> None:
        """Note why the answer is not whole, unless it is."""
        exchange = self._exchange
        if exchange.cause is None and not self._whole:
            exchange.cause = cause
            if exchange.status is None and isinstance(cause, BaseException):
                exchange.status = 500  # which is what the server answers

    def record(self) -> None:
        """Store the entry, once.

        :raises: as :meth:`Auditor.store`.
        """
        event = self._take_event()
        if event is not None:
            self._auditor.store(event)

    async def record_async(self) -> None:
        """Like :meth:`record`, without blocking the event loop by a sync."""
        event = self._take_event()
        if event is not None:
            await self._auditor.store_async(event)

    def _take_event(self) -> Event | None:
        if self._exchange.done:
            return None
        self._exchange.done = True
        return self._auditor.event(self._exchange)
