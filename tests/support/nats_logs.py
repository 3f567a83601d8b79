"""What the tests of streams share: a stream, and a store that it is landed in."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nats as nats_py
import pytest
from chains import EVENT
from folder_store import FolderStore
from servers_nats import NatsServer

from chained_logging import AuditLog
from chained_logging.format.record import Head, Record
from chained_logging.ship import nats
from chained_logging.ship.land import Landing
from chained_logging.ship.nats import (
    encode,
    partition_of,
    token_of,
)
from chained_logging.ship.shipper import Shipper

ORIGIN = "example.com/audit/web"
_names = itertools.count()


class Stream:
    """A stream of its own on the server, and somebody who may do everything there."""

    def __init__(self, server: NatsServer, **options: Any) -> None:
        self.server = server
        self.name = f"AUDIT{next(_names)}"
        self.url = server.url(self.name)
        self.partitions = options.setdefault("partitions", 4)
        nats.init(self.url, **options)

    def subject(self, origin: str) -> str:
        return f"{self.name}.{partition_of(origin, self.partitions)}.{token_of(origin)}"

    def do(self, act: Callable[[Any], Awaitable[Any]]) -> Any:
        """Do something with nats-py's JetStream."""

        async def connected() -> Any:
            client = await nats_py.connect(self.server.url("").rstrip("/"))
            try:
                return await act(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(connected())

    def publish(self, subject: str, headers: dict[str, str], data: bytes) -> None:
        """Publish as a forger does: on no condition."""
        self.do(lambda js: js.publish(subject, data, headers=headers))

    def change(self, **options: Any) -> None:
        async def update(js: Any) -> None:
            config = (await js.stream_info(self.name)).config
            await js.update_stream(config.evolve(**options))

        self.do(update)

    def dead(self) -> list[Any]:
        async def read(js: Any) -> list[Any]:
            state = (await js.stream_info(f"{self.name}-dead")).state
            return [
                await js.get_msg(f"{self.name}-dead", seq)
                for seq in range(state.first_seq, state.last_seq + 1)
                if state.messages
            ]

        return self.do(read)


@pytest.fixture
def stream(nats_server: NatsServer) -> Stream:
    return Stream(nats_server)


class Store:
    """Where the landing of a test brings it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.alerts: list[str] = []

    def open(self) -> FolderStore:
        return FolderStore(self.path)

    def landing(self, stream: Stream, patience: float = 1.0, **options: Any) -> Landing:
        return Landing(
            stream.url, self.open, patience=patience, on_alert=self.alerts.append, **options
        )

    def land(self, stream: Stream, seconds: float = 15) -> bool:
        return self.landing(stream).land(seconds)

    def stopped(self, stream: Stream) -> dict[str, str]:
        landing = self.landing(stream)
        found = landing.stopped()
        landing.close()
        return found

    def resume(self, stream: Stream, origin: str = ORIGIN) -> int:
        landing = self.landing(stream)
        try:
            return landing.resume(origin)
        finally:
            landing.close()

    def records(self, origin: str = ORIGIN) -> list[Record]:
        store = self.open()
        found = list(store.records(origin))
        store.close()
        return found


def write(path: Path, count: int, origin: str = ORIGIN, **options: Any) -> list[Record]:
    """Append entries to a log, and return all that it has."""
    with AuditLog(path, origin=origin, on_failure="raise", **options) as log:
        log.append_many([{**EVENT, "action": f"a-{n}"} for n in range(count)])
        return list(log.records())


def ship(path: Path, url: str, patience: float = 10) -> Any:
    with AuditLog(path, sign="follow") as log:
        return Shipper(log, [url]).ship(patience)[0]


def batch(records: list[Record]) -> tuple[dict[str, str], bytes]:
    return encode(records[0].seq, Head(records[-1].seq, records[-1].hash), records, [])
