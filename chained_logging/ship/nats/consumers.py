"""The consumers of a stream's partitions: what they deliver, and what waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from chained_logging.ship.nats.connection import Connection

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    Pull: TypeAlias = JetStreamContext.PullSubscription

_ROUND_BYTES: Final = 32 << 20  # compressed; what a landing holds at a time, about
_FETCH: Final = 64  # messages of a partition at a time


def pull(connection: Connection, partition: int, id: str, ack_wait: float) -> Pull:
    """Return the consumer of a partition that the landings of one destination share."""
    from nats.js.api import AckPolicy, ConsumerConfig

    stream, js = connection.stream, connection.js
    if not 0 <= partition < connection.partitions:
        raise ValueError(f"{connection.name} has {connection.partitions} partitions")
    name = f"land-{id}-{partition}"
    config = ConsumerConfig(
        durable_name=name,
        filter_subject=f"{stream}.{partition}.*",
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait,
        max_deliver=-1,
        max_ack_pending=20_000,
    )
    connection.ask(js.add_consumer(stream, config))
    return connection.ask(js.pull_subscribe_bind(consumer=name, stream=stream))


async def take(pulls: Sequence[Pull], seconds: float) -> tuple[list[Msg], bool]:
    """Return messages of all partitions, and whether there may be more at once."""
    import nats.errors

    async def some(pull: Pull) -> list[Msg]:
        try:
            return await pull.fetch(_FETCH, timeout=0.2)
        except (TimeoutError, nats.errors.TimeoutError):
            return []

    taken: list[Msg] = []
    size = 0
    end = time.monotonic() + seconds
    while pulls and size < _ROUND_BYTES and time.monotonic() < end:
        lists = await asyncio.gather(*(some(pull) for pull in pulls))
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
        info = stream.ask(pull.consumer_info())
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
        info = stream.ask(pull.consumer_info())
        if not (info.num_pending or info.num_ack_pending):
            continue
        start = (info.ack_floor.stream_seq if info.ack_floor else 0) + 1
        try:
            raw = stream.ask(
                stream.js.get_msg(
                    stream.stream,
                    seq=start,
                    subject=info.config.filter_subject,
                    next=True,
                    direct=True,
                )
            )
        except nats.js.errors.NotFoundError:
            continue
        if raw.time is not None:
            age = max(age, time.time() - raw.time.timestamp())
    return age


async def acknowledge(raws: Iterable[Msg]) -> None:
    """Have messages delivered no more."""
    for raw in raws:
        if not raw.is_acked:
            await raw.ack()


async def put_back(raws: Iterable[Msg], delay: float) -> None:
    """Have messages delivered again, so many seconds later."""
    for raw in raws:
        if not raw.is_acked:
            await raw.nak(delay=delay)
