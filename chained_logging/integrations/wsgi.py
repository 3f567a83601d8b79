"""WSGI: Flask, and every other application that speaks it.

app.wsgi_app = AuditMiddleware(app.wsgi_app, log="audit.jsonl")     # Flask
app = AuditMiddleware(app, log="audit.jsonl")                       # any
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from chained_logging.integrations.web import flask
from chained_logging.integrations.web.answer import Answer
from chained_logging.integrations.web.auditor import Auditor
from chained_logging.integrations.web.exchange import Exchange, annotate, set_actor
from chained_logging.integrations.web.headers import (
    content_length,
    environ_header,
    header_text,
    location,
    redirects,
)
from chained_logging.integrations.web.marks import audited
from chained_logging.integrations.web.people import Person, person_of
from chained_logging.integrations.web.shown import shown
from chained_logging.log import AuditLog

__all__ = ["AuditMiddleware", "annotate", "audited", "set_actor", "shown"]

Environ = MutableMapping[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_SEEN = "chained_logging"


class AuditMiddleware:
    """Records one entry for each request.

    :param app: the application.
    :param log: an open :class:`AuditLog`, or a path.
    :param options: those of :class:`chained_logging.integrations.web.Auditor`.
    """

    def __init__(
        self, app: Application, *, log: AuditLog | str | os.PathLike[str], **options: Any
    ) -> None:
        self.app = app
        self.auditor = Auditor(log, **options)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        exchange = None
        if _SEEN not in environ:
            exchange = self.auditor.begin(
                environ,
                environ["REQUEST_METHOD"],
                _text(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")),
                environ.get("REMOTE_ADDR"),
                environ_header(environ),
                _text(environ.get("QUERY_STRING", "")),
            )
        if exchange is None:
            return self.app(environ, start_response)
        environ[_SEEN] = True
        exchange.look = _look
        flask.listen()
        response = _Response(self.auditor, exchange, start_response)
        try:
            with exchange:
                response.body = self.app(environ, response.start_response)
        except BaseException as error:
            response.note_failure(error)
            response.record()
            raise
        if response.completes(b""):
            response.complete()
        return response


class _Response(Answer):
    """One response: the iterable that the server gets."""

    def __init__(self, auditor: Auditor, exchange: Exchange, start_response: StartResponse) -> None:
        super().__init__(auditor, exchange)
        self._start_response = start_response

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self._exchange.status = int(status[:3])
        self.length = content_length(headers)
        if redirects(self._exchange.status):
            self._exchange.location = location(headers)
        try:
            flask.started(self._exchange)
        except Exception as error:  # of an application that is not what it seems
            self._auditor.complain("flask", error, self._exchange)
        write = self._start_response(status, headers, *((exc_info,) if exc_info else ()))

        def counted(data: bytes) -> object:
            if self.completes(data):
                self.complete()
            return write(data)

        return counted

    def record(self) -> None:
        """Store the entry. A failure is not raised as OSError, which servers take for a socket
        error."""
        try:
            super().record()
        except OSError as error:
            raise RuntimeError(f"the audit log failed: {error}") from error


def _look(exchange: Exchange) -> Person | None:
    """Return Flask's user, or the one whom the server signed in (RFC 3875, section 4.1.11)."""
    return flask.look(exchange) or person_of(exchange.native.get("REMOTE_USER"))


def _text(value: str) -> str:
    """Decode text that WSGI passes as Latin-1 (PEP 3333)."""
    return header_text(value.encode("latin-1", "replace"))
