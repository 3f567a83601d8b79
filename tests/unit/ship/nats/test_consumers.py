"""The consumers of a stream's partitions: what they deliver, and what waits."""

from __future__ import annotations

import time

import pytest
from nats_logs import ORIGIN, Stream

from chained_logging.ship.nats.connection import Connection
from chained_logging.ship.nats.consumers import (
    Pull,
    acknowledge,
    oldest,
    pull,
    put_back,
    take,
    waiting,
)
from chained_logging.ship.nats.message import partition_of


@pytest.fixture
def pulled(connection: Connection) -> Pull:
    return pull(connection, partition_of(ORIGIN, connection.partitions), "test", 60)


def test_what_was_taken_waits_until_it_is_acknowledged(
    stream: Stream, connection: Connection, pulled: Pull
) -> None:
    assert waiting(connection, [pulled]) == 0
    assert oldest(connection, [pulled]) == 0.0
    for number in range(70):
        stream.publish(stream.subject(ORIGIN), {}, b"%d" % number)
    taken, more = connection.ask(take([pulled], 5))
    assert [raw.data for raw in taken] == [b"%d" % number for number in range(70)]
    assert not more
    assert waiting(connection, [pulled]) == 1
    assert 0 < oldest(connection, [pulled]) < 60
    connection.ask(acknowledge(taken))
    assert connection.ask(take([pulled], 1)) == ([], False)
    deadline = time.monotonic() + 10
    while waiting(connection, [pulled]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert waiting(connection, [pulled]) == 0


def test_what_was_put_back_is_delivered_again(
    stream: Stream, connection: Connection, pulled: Pull
) -> None:
    stream.publish(stream.subject(ORIGIN), {}, b"x")
    taken, _ = connection.ask(take([pulled], 5))
    connection.ask(put_back(taken, 0.1))
    time.sleep(0.3)
    ((again,), _) = connection.ask(take([pulled], 5))
    assert (again.data, again.metadata.num_delivered) == (b"x", 2)


def test_a_stored_message_that_looks_like_a_servers_word_is_delivered(
    stream: Stream, connection: Connection, pulled: Pull
) -> None:
    stream.publish(stream.subject(ORIGIN), {"Status": "404", "Description": "No Messages"}, b"")
    stream.publish(stream.subject(ORIGIN), {}, b"after it")
    taken, _ = connection.ask(take([pulled], 5))
    assert [raw.data for raw in taken][-1] == b"after it"
    assert len(taken) == 2


def test_two_of_one_destination_share_what_there_is(
    stream: Stream, connection: Connection, pulled: Pull
) -> None:
    other = pull(connection, partition_of(ORIGIN, connection.partitions), "test", 60)
    for number in range(10):
        stream.publish(stream.subject(ORIGIN), {}, b"%d" % number)
    first, _ = connection.ask(take([pulled], 2))
    second, _ = connection.ask(take([other], 2))
    assert sorted(raw.data for raw in [*first, *second]) == [b"%d" % n for n in range(10)]


def test_a_partition_that_is_not_there_is_refused(connection: Connection) -> None:
    for partition in (-1, connection.partitions):
        with pytest.raises(ValueError, match="4 partitions"):
            pull(connection, partition, "test", 60)
