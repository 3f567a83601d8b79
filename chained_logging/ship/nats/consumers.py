"""The consumers of a stream's partitions: what they deliver, and what waits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from chained_logging.ship.nats.connection import Connection

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription
    from nats.js.api import ConsumerInfo

_ROUND_BYTES: Final = 32 << 20  # compressed; what a landing holds at a time, about
_FETCH: Final = 64  # messages of a partition at a time
_FETCH_WAIT: Final = 0.2  # seconds for which the server waits for more


class Pull:
    """The consumer of a partition that the landings of one destination share.

    It does not use nats-py's ``fetch``. That takes a stored message that begins with a status for
    an answer of the server, and never returns it (2.16). Anybody can have such a message put there.
    """

    def __init__(self, connection: Connection, name: str, answers: Subscription) -> None:
        self._connection = connection
        self._name = name
        self._answers = answers

    async def fetch(self) -> list[Msg]:
        """Return the messages that are there, up to a number."""
        import nats.errors

        client = self._connection.client
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._connection.stream}.{self._name}"
        asked = {"batch": _FETCH, "no_wait": True, "expires": int(_FETCH_WAIT * 1e9)}
        await client.publish(subject, json.dumps(asked).encode(), reply=self._answers.subject)
        found: list[Msg] = []
        while len(found) < _FETCH:
            try:
                raw = await self._answers.next_msg(_FETCH_WAIT + 0.3)
            except nats.errors.TimeoutError:
                break
            if not raw.reply:  # where a message is acknowledged; so this is a word of the server's
                break
            found.append(raw)
        return found

    def info(self) -> ConsumerInfo:
        """Return the consumer's state."""
        connection = self._connection
        info: ConsumerInfo = connection.ask(
            connection.js.consumer_info(connection.stream, self._name)
        )
        return info


def pull(connection: Connection, partition: int, id: str, ack_wait: float) -> Pull:
    """Return the consumer of a partition, made if it is not there yet."""
    from nats.js.api import AckPolicy, ConsumerConfig

    if not 0 <= partition < connection.partitions:
        raise ValueError(f"{connection.name} has {connection.partitions} partitions")
    name = f"land-{id}-{partition}"
    config = ConsumerConfig(
        durable_name=name,
        filter_subject=f"{connection.stream}.{partition}.*",
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait,
        max_deliver=-1,
        max_ack_pending=20_000,
    )
    connection.ask(connection.js.add_consumer(connection.stream, config))
    client = connection.client
    return Pull(connection, name, connection.ask(client.subscribe(client.new_inbox())))


async def take(pulls: Sequence[Pull], seconds: float) -> tuple[list[Msg], bool]:
    """Return messages of all partitions, and whether there may be more at once."""
    taken: list[Msg] = []
    size = 0
    end = time.monotonic() + seconds
    while pulls and size < _ROUND_BYTES and time.monotonic() < end:
        lists = await asyncio.gather(*(pull.fetch() for pull in pulls))
        for few in lists:
            taken += few
            size += sum(len(raw.data) for raw in few)
        pulls = [pull for pull, few in zip(pulls, lists, strict=True) if len(few) == _FETCH]
    return taken, bool(pulls)


def waiting(stream: Connection, pulls: Sequence[Pull]) -> int:
    """Return how many partitions hold something that was not acknowledged.

    The stream's leader is asked what is there: in a cluster a consumer may hear of it later.
    """
    import nats.js.errors

    count = 0
    for pull in pulls:
        info = pull.info()
        try:
            last = stream.ask(stream.js.get_msg(stream.stream, subject=info.config.filter_subject))
        except nats.js.errors.NotFoundError:
            continue
        count += (info.ack_floor.stream_seq if info.ack_floor else 0) < (last.seq or 0)
    return count


def oldest(stream: Connection, pulls: Sequence[Pull]) -> float:
    """Return the age in seconds of the oldest message that is not landed."""
    import nats.js.errors

    age = 0.0
    for pull in pulls:
        info = pull.info()
        if not (info.num_pending or info.num_ack_pending):
            continue
        start = (info.ack_floor.stream_seq if info.ack_floor else 0) + 1
        try:
            raw = stream.ask(
                stream.js.get_msg(
                    stream.stream, seq=start, subject=info.config.filter_subject, next=True
                )
            )
        except nats.js.errors.NotFoundError:
            continue
        if raw.time is not None:
            age = max(age, time.time() - raw.time.timestamp())
    return age


async def acknowledge(raws: Iterable[Msg]) -> None:
    """Stop the delivery of messages."""
    for raw in raws:
        if not raw.is_acked:
            await raw.ack()


async def put_back(raws: Iterable[Msg], delay: float) -> None:
    """Have messages delivered again, so many seconds later."""
    for raw in raws:
        if not raw.is_acked:
            await raw.nak(delay=delay)
