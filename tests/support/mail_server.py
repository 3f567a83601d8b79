"""A real mail server on 127.0.0.1, as aiosmtpd is one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import oracles


class Inbox:
    """Takes mails.

    :ivar mails: what it took, each with its recipients.
    :ivar refuses: whether it answers each mail with an error.
    """

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []
        self.refuses = False
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuses:
            return "451 try again later"
        self.mails.append((envelope.rcpt_tos, envelope.content))
        return "250 OK"


@contextlib.contextmanager
def mail_server(**options: Any) -> Iterator[Inbox]:
    """Yield a server's inbox.

    :param options: of ``aiosmtpd.controller.Controller``.
    """
    controller = oracles.module("aiosmtpd.controller")
    inbox = Inbox()
    server = controller.Controller(inbox, hostname="127.0.0.1", port=0, **options)
    server.port = free_port()
    server.start()
    inbox.port = server.port
    try:
        yield inbox
    finally:
        server.stop()


def free_port() -> int:
    """Return a port that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
