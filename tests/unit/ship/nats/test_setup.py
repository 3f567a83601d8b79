"""The stream and what belongs to it."""

from __future__ import annotations

from pathlib import Path

import nats as nats_py
import pytest
from nats.js.api import DiscardPolicy
from nats_logs import ORIGIN, Stream, batch, write
from servers_nats import NatsServer

from chained_logging.errors import Refused
from chained_logging.ship import nats
from chained_logging.ship.nats import (
    NatsDestination,
)
from chained_logging.ship.nats.setup import settings, weaknesses


def test_init_changes_nothing_that_stands_and_names_what_is_weak(stream: Stream) -> None:
    done = nats.init(stream.url, partitions=4)
    assert all("already" in sentence for sentence in done)
    with pytest.raises(Refused, match="subjects is"):
        nats.init(stream.url, partitions=5)
    destination = NatsDestination(stream.url)
    stream.change(discard=DiscardPolicy.OLD, max_msgs_per_subject=1)
    reasons = " ".join(fault.reason for fault in destination.inspect(ORIGIN))
    assert "discard is old, not new" in reasons
    assert "max_msgs_per_subject is 1, not -1" in reasons
    destination.close()
    with pytest.raises(Refused, match="discard is old"):
        nats.init(stream.url, partitions=4)


def test_messages_can_be_neither_deleted_nor_purged_and_that_cannot_be_undone(
    stream: Stream, tmp_path: Path
) -> None:
    records = write(tmp_path / "a.jsonl", 9)
    stream.publish(stream.subject(ORIGIN), *batch(records))
    for attack in (
        lambda js: js.delete_msg(stream.name, 1),
        lambda js: js.purge_stream(stream.name),
    ):
        with pytest.raises(nats_py.js.errors.APIError):
            stream.do(attack)
    with pytest.raises(nats_py.js.errors.APIError):
        stream.change(deny_delete=False)
    destination = NatsDestination(stream.url)
    assert list(destination.records(ORIGIN)) == records
    destination.close()


def test_what_was_made_is_said_and_has_the_settings(nats_server: NatsServer) -> None:
    url = nats_server.url("SETUP")
    done = nats.init(url, retention="3d", partitions=2)
    assert len(done) == 4
    assert "Made the stream SETUP with 2 partitions" in done[0]
    assert "stays for 3 days" in done[0]
    connection = nats.Connection(url)
    connection.open()
    try:
        config = connection.config
        assert config.max_age == 3 * 86_400
        assert weaknesses(config, settings("SETUP", ["SETUP.0.*", "SETUP.1.*"])) == []
        assert weaknesses(config, settings("SETUP", ["SETUP.0.*"])) == [
            "subjects is SETUP.0.*, SETUP.1.*, not SETUP.0.*"
        ]
        config.no_ack = True
        assert weaknesses(config, {}) == ["it acknowledges nothing"]
    finally:
        connection.close()


@pytest.mark.parametrize("partitions", [0, -1, 1025])
def test_a_stream_has_a_number_of_partitions_that_works(partitions: int) -> None:
    with pytest.raises(ValueError, match=r"1 to 1,024 partitions"):
        nats.init("nats://127.0.0.1:1/AUDIT", partitions=partitions)
