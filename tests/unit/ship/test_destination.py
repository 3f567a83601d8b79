"""The protocol of a central store, and what each destination can do beyond it."""

from __future__ import annotations

from typing import Any

import pytest

from chained_logging.ship import destination_name, init_destination, open_destination, pin
from chained_logging.ship.destination import (
    Destination,
    JudgingDestination,
    OpenDestination,
    PinnableDestination,
    RememberingDestination,
    SharedDestination,
)

ABLE: dict[str, set[Any]] = {
    "postgresql://ann:hush@127.0.0.1:1/db": {JudgingDestination, SharedDestination},
    "s3://bucket/prefix": {
        *(JudgingDestination, OpenDestination, PinnableDestination, RememberingDestination),
    },
    "nats://ann:hush@127.0.0.1:1/AUDIT": {OpenDestination, JudgingDestination},
    "syslog+tls://127.0.0.1:1": {OpenDestination},
    "otlp+http://127.0.0.1:1": {OpenDestination},
}


@pytest.mark.parametrize("url", ABLE)
def test_a_url_opens_its_destination_and_connects_nothing(url: str) -> None:
    destination: Destination = open_destination(url)
    try:
        assert "hush" not in destination.name
        assert destination_name(url) == destination.name
        assert destination.batch_entries > 0
        assert destination.batch_bytes > 0
        assert destination.batch_seconds > 0
        for method in ("head", "write", "tend", "origins", "records", "checkpoints", "inspect"):
            assert callable(getattr(destination, method)), method
    finally:
        destination.close()


@pytest.mark.parametrize("url", ["", "ftp://x", "audit.jsonl", "postgresql:x"])
def test_what_names_no_destination_is_refused(url: str) -> None:
    for call in (open_destination, destination_name, init_destination):
        with pytest.raises(ValueError, match="a destination is postgresql"):
            call(url)


def test_only_what_takes_several_logs_is_told_which_key_to_prefer() -> None:
    class One:
        pass

    class Several:
        def pin(self, public_key: bytes) -> None:
            pinned.append(public_key)

    pinned: list[bytes] = []
    pin(One(), bytes(32))  # type: ignore[arg-type]
    pin(Several(), bytes(32))  # type: ignore[arg-type]
    assert isinstance(open_destination("s3://bucket/prefix"), PinnableDestination)


def test_s3_needs_a_retention() -> None:
    with pytest.raises(ValueError, match="S3 needs a retention"):
        init_destination("s3://bucket/prefix")
