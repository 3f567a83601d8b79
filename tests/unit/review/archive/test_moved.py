"""What a log says was moved is found in it."""

from __future__ import annotations

from pathlib import Path

from archived import archive, key, log, moved

from chained_logging.review.archive.moved import LastMoved, last_moved
from chained_logging.review.archive.stores import at_hand
from chained_logging.review.filter import ANY
from chained_logging.review.opening import open_log

__all__ = ["archive", "key", "log"]  # fixtures


def test_the_last_segment_that_was_moved_is_named(log: Path, archive: Path) -> None:
    with open_log(str(log)) as engine:
        assert last_moved(engine) is None
        count = engine.count(ANY)
    done = moved(log, archive)
    with open_log(str(log)) as engine:
        assert last_moved(engine) == LastMoved(str(archive), done.entries - 1)
        here = engine.count(ANY)
    assert here == count - done.entries + len(done.files)
    with (
        at_hand(str(archive), log) as paths,
        open_log(str(log), archive=(str(archive), paths)) as engine,
    ):
        assert engine.count(ANY) == count + len(done.files)
        assert [entry.seq for entry in engine.every(ANY)] == list(range(count + len(done.files)))
