"""Listings of a server that lies: each ends in a sentence, and none goes on for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from s3_logs import ORIGIN

from chained_logging.errors import DestinationError
from chained_logging.ship.s3 import S3Destination

PREFIX = "logs/example.com_2Faudit_2Fweb/"


def version(name: str, **changes: Any) -> dict[str, Any]:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return {"Key": f"{PREFIX}{name}", "VersionId": "1", "LastModified": when} | changes


class Liar:
    """A client whose listings are these pages, the last one again and again."""

    def __init__(self, *pages: Any) -> None:
        self._pages = list(pages)
        self.asked = 0

    def list_object_versions(self, **given: Any) -> Any:
        self.asked += 1
        page = self._pages.pop(0) if len(self._pages) > 1 else self._pages[0]
        return page(given) if callable(page) else page

    def close(self) -> None:
        pass


SEGMENT = f"segments/{0:020d}-{9:020d}.jsonl.gz"
LIES: dict[str, list[Any]] = {
    "no marker": [{"IsTruncated": True}],
    "the same marker": [{"IsTruncated": True, "NextKeyMarker": PREFIX + "m"}],
    "the marker it was given": [
        lambda given: {"IsTruncated": True, "NextKeyMarker": given.get("KeyMarker", PREFIX)}
    ],
    "a marker that goes back": [
        {"IsTruncated": True, "NextKeyMarker": PREFIX + "z"},
        {"IsTruncated": True, "NextKeyMarker": PREFIX + "a"},
    ],
    "a version without its ID": [{"Versions": [{"Key": PREFIX + SEGMENT}]}],
    "a time that is none": [{"Versions": [version(SEGMENT, LastModified="now")]}],
    "a key of elsewhere": [{"Versions": [version("", Key="other/" + SEGMENT)]}],
    "what is not a list": [{"Versions": 7}],
}


@pytest.mark.parametrize("lie", LIES)
def test_a_listing_that_lies_ends_in_a_sentence(lie: str) -> None:
    store = S3Destination("s3://bucket/logs")
    store._made = client = Liar(*LIES[lie])
    for ask in (lambda: store.grouped(PREFIX), lambda: list(store.records(ORIGIN))):
        with pytest.raises(DestinationError, match="cannot be listed"):
            ask()
    assert client.asked < 20


def test_an_end_that_is_moved_on_and_on_is_no_end() -> None:
    """The end is looked for by halves: an answer that contradicts the one before is no way on."""

    def page(given: dict[str, Any]) -> dict[str, Any]:
        return {"IsTruncated": True, "Versions": [version(SEGMENT)], "NextKeyMarker": "logs/f"}

    store = S3Destination("s3://bucket/logs")
    store._made = client = Liar(page)
    with pytest.raises(DestinationError, match="contradicts itself"):
        store.head(ORIGIN)
    assert client.asked < 2_000
