"""NATS JetStream: a stream between many hosts and few databases.

A host publishes batches of stored lines and is told when the stream has them on its disk;
:mod:`chained_logging.ship.land` takes them out again. ``docs/stream.md`` says what a message looks
like, why it is NATS, and who may do what.

Each log has a subject of its own, and a batch is published on the condition that it comes right
after the last one of that subject. So the stream itself refuses a second shipper that would fork a
log, and a batch that it already has, however old.

From below upward: :mod:`.message` is one batch, :mod:`.connection` talks to the server,
:mod:`.setup` makes the stream, :mod:`.destination` publishes to it, and :mod:`.landing` takes
batches out again.
"""

from chained_logging.ship.nats.connection import (
    MAX_PARTITIONS,
    Connection,
    out_of_sequence,
    subjects_of,
)
from chained_logging.ship.nats.destination import NatsDestination
from chained_logging.ship.nats.message import (
    FORMAT,
    MAX_LINES,
    Foreign,
    Message,
    check_published,
    decode,
    encode,
    following,
    origin_of,
    partition_of,
    pieces,
    token_of,
)
from chained_logging.ship.nats.setup import init, weaknesses

__all__ = [
    "FORMAT",
    "MAX_LINES",
    "MAX_PARTITIONS",
    "Connection",
    "Foreign",
    "Message",
    "NatsDestination",
    "check_published",
    "decode",
    "encode",
    "following",
    "init",
    "origin_of",
    "out_of_sequence",
    "partition_of",
    "pieces",
    "subjects_of",
    "token_of",
    "weaknesses",
]
