"""The stream and what belongs to it: made once, and compared later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chained_logging.errors import Refused
from chained_logging.ship.nats.connection import MAX_PARTITIONS, Connection, subjects_of
from chained_logging.ship.retention import retention_days

if TYPE_CHECKING:
    from nats.js.api import StreamConfig


def settings(name: str, subjects: list[str]) -> dict[str, Any]:
    """Return what must hold of a stream, or nothing that it acknowledged is safe."""
    from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType

    return {
        "name": name,
        "subjects": subjects,
        "retention": RetentionPolicy.LIMITS,
        "discard": DiscardPolicy.NEW,
        "storage": StorageType.FILE,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "deny_delete": True,
        "deny_purge": True,
        "allow_rollup_hdrs": False,
        "allow_direct": True,
    }


def init(
    url: str,
    *,
    retention: str | None = None,
    partitions: int = 16,
    replicas: int = 1,
    max_bytes: int | None = None,
) -> list[str]:
    """Create the stream and what belongs to it. What exists is checked and not changed.

    :param url: the stream, with a user that may create streams.
    :param retention: how long a message stays, landed or not; by default 14 days.
    :param partitions: how many landings can share the work. It can never be changed.
    :param replicas: how many servers of a cluster keep each message.
    :param max_bytes: the size at which the stream is full: it then accepts nothing, and shippers
        wait.
    :returns: sentences that say what was done.
    :raises Refused: if a stream of this name exists with other settings.
    :raises DestinationError: if the server fails or does not answer.
    :raises ValueError: if the URL, the retention or the number of partitions is invalid.
    """
    days = retention_days(retention or "14d")
    if not 1 <= partitions <= MAX_PARTITIONS:
        raise ValueError(f"a stream must have 1 to {MAX_PARTITIONS:,} partitions")
    connection = Connection(url)
    try:
        connection.open(stream=False)
        return _init(connection, days, partitions, replicas, max_bytes)
    finally:
        connection.close()


def _init(
    connection: Connection, days: int, partitions: int, replicas: int, max_bytes: int | None
) -> list[str]:
    from nats.js.api import KeyValueConfig, StreamConfig

    name, js = connection.stream, connection.js
    wanted = {
        name: (subjects_of(name, partitions), max_bytes or -1, days * 86_400.0),
        f"{name}-dead": ([f"{name}-dead.>"], -1, 0.0),
    }
    done = []
    for stream, (subjects, limit, age) in wanted.items():
        found = connection.stream_config(stream)
        if found is not None:
            if reasons := weaknesses(found, settings(stream, subjects)):
                raise Refused(
                    f"{connection.name}: the stream {stream} exists with other settings, and "
                    f"nothing was changed: {'; '.join(reasons)}"
                )
            done.append(f"The stream {stream} is there already.")
            continue
        made = StreamConfig(
            **settings(stream, subjects),
            max_bytes=limit,
            max_age=age,
            num_replicas=replicas,
            duplicate_window=120,
        )
        connection.ask(js.add_stream(made))
        done.append(
            f"Made the stream {stream} with {partitions} partitions and {replicas} replicas: a "
            f"message stays for {days} days, landed or not."
            if stream == name
            else f"Made the stream {stream} for what cannot be landed."
        )
    for kind in ("heads", "stopped"):
        bucket = f"{name}-{kind}"
        if connection.stream_config(f"KV_{bucket}") is None:
            config = KeyValueConfig(bucket=bucket, history=1, replicas=replicas, direct=True)
            connection.ask(js.create_key_value(config))
            done.append(f"Made the bucket {bucket}.")
    return done


def weaknesses(config: StreamConfig, expected: dict[str, Any]) -> list[str]:
    """Return how a stream differs from what it should be."""
    reasons = []
    for field, value in expected.items():
        found = getattr(config, field)
        same = set(found or []) == set(value) if field == "subjects" else found == value
        if not same:
            reasons.append(f"{field} is {_shown(found)}, not {_shown(value)}")
    if config.no_ack:
        reasons.append("it acknowledges nothing")
    return reasons


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value[:3]) + (f" … ({len(value)})" if len(value) > 3 else "")
    return str(getattr(value, "value", value))
