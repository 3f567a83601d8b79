"""Logs that are stopped in one destination, and the messages that stopped them."""

from __future__ import annotations

from nats_logs import ORIGIN, Stream

from chained_logging.ship.nats.connection import Connection
from chained_logging.ship.nats.consumers import pull, take
from chained_logging.ship.nats.message import partition_of, token_of
from chained_logging.ship.nats.stopped import StoppedLogs

TOKEN = token_of(ORIGIN)


def test_a_log_is_stopped_in_one_destination_until_it_is_resumed(connection: Connection) -> None:
    one, two = StoppedLogs(connection, "one"), StoppedLogs(connection, "two")
    one.stop(TOKEN, "it is forged")
    assert StoppedLogs(connection, "one").read() == {TOKEN: "it is forged"}
    assert two.read() == {}
    one.resume(TOKEN)
    assert one.read() == {}


def test_a_message_is_kept_once_with_the_reason(stream: Stream, connection: Connection) -> None:
    stream.publish(stream.subject(ORIGIN), {"Audit-Format": "1", "Other": "x"}, b"garbage")
    pulled = pull(connection, partition_of(ORIGIN, connection.partitions), "one", 60)
    ((raw,), _) = connection.ask(take([pulled], 5))
    stopped = StoppedLogs(connection, "one")
    for _ in range(2):
        stopped.keep(TOKEN, raw, "it is\nforged")
    (kept,) = stream.dead()
    assert kept.data == b"garbage"
    assert kept.subject == f"{stream.name}-dead.one.{TOKEN}.1"
    headers = kept.headers
    assert headers["Audit-Reason"] == "it is forged"
    assert headers["Audit-Subject"] == stream.subject(ORIGIN)
    assert headers["Audit-Format"] == "1"
    assert "Other" not in headers
