"""A witness on HTTP. TLS, if it leaves the machine, is left to a reverse proxy."""

from __future__ import annotations

import logging
import re
from typing import Final

from chained_logging.net.head import Head
from chained_logging.net.server import STRANGERS, Admission, HttpServer, Request, Response
from chained_logging.transparency.witness.service import Answer, Witness
from chained_logging.transparency.witness.wire import MAX_REQUEST

_log = logging.getLogger(__name__)

_CHECKPOINT_PATH = re.compile("/([0-9a-f]{64})/checkpoint")


class _Submissions:
    """A witness for :class:`~chained_logging.net.server.HttpServer`."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def admit(self, head: Head) -> Admission | Response:
        if head.target == "/add-checkpoint":
            if head.method != "POST":
                return self.refuse(405, "this is for POST", ("Allow", "POST"))
            return Admission(MAX_REQUEST)
        if not _CHECKPOINT_PATH.fullmatch(head.target):
            return self.refuse(404, "there is nothing here")
        if head.method not in ("GET", "HEAD"):
            return self.refuse(405, "this is for GET", ("Allow", "GET, HEAD"))
        if head.length:
            return self.refuse(400, "a body has no meaning here")
        return Admission(0)

    def answer(self, request: Request) -> Response:
        try:
            answer = self._answer(request)
        except Exception:
            _log.exception("nothing was cosigned")
            return self.refuse(500, "the witness failed; nothing was cosigned")
        headers = (("Retry-After", "60"),) if answer.status == 503 else ()
        # The log's signature was verified before the witness gave one of these.
        known = request.head.method == "POST" and answer.status in (200, 409, 422)
        return Response(answer.status, answer.body, answer.content_type, headers, known)

    def _answer(self, request: Request) -> Answer:
        found = _CHECKPOINT_PATH.fullmatch(request.head.target)
        if found is None:
            return self._witness.add_checkpoint(request.body)
        return self._witness.checkpoint(found[1])

    def refuse(self, status: int, reason: str, *headers: tuple[str, str]) -> Response:
        if status == 503:
            headers += (("Retry-After", "1"),)
        return Response(status, f"{reason}\n".encode(), headers=headers)


class WitnessServer:
    """A :class:`Witness` on HTTP: ``POST /add-checkpoint`` and ``GET /<origin hash>/checkpoint``.

    A context manager. It listens once it is made. It may be stopped or killed at any moment.
    Internal errors are logged to the logger ``chained_logging.transparency.witness`` and not shown
    to the client. Limits: :mod:`chained_logging.net.server`.

    :param port: 0 for any that is free; then see :attr:`url`.
    :param strangers: how many connections there may be that brought no checkpoint of a known log.
    :param connections: how many of those that did.
    :param timeout: seconds for a connection to be idle and to send a whole request, together.
    :raises OSError: if it cannot listen on the address.
    """

    def __init__(
        self,
        witness: Witness,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        strangers: int = STRANGERS,
        connections: int = 128,
        timeout: float = 15.0,
    ) -> None:
        self.witness: Final = witness
        self._server = HttpServer(
            _Submissions(witness),
            host,
            port,
            strangers=strangers,
            connections=connections,
            timeout=timeout,
        )

    @property
    def url(self) -> str:
        """The submission and monitoring prefix."""
        host, port = self._server.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def serve_forever(self) -> None:
        """Serve until :meth:`shutdown` is called from another thread."""
        self._server.run()

    def shutdown(self) -> None:
        """Take no more requests, and let :meth:`serve_forever` end."""
        self._server.stop()

    def __enter__(self) -> WitnessServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._server.close()


def serve(witness: Witness, host: str = "127.0.0.1", port: int = 8330) -> None:
    """Run a witness on HTTP until the process is stopped. See :class:`WitnessServer`.

    :raises OSError: if it cannot listen on the address.
    """
    with WitnessServer(witness, host, port) as server:
        _log.info("%s at %s", witness.key.format(), server.url)
        server.serve_forever()
