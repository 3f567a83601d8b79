"""Overviews that take long are kept for a while; who read the log is always of now."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from periods import event, write_log
from viewers import EVERYTHING, Access

from chained_logging import AuditLog
from chained_logging.review.opening import open_log
from chained_logging.review.period import Period
from chained_logging.review.reading import Reader, Reading, record
from chained_logging.review.verdict import Verdict
from chained_logging.review.viewer import overviews
from chained_logging.review.viewer.access import NarrowedEngine
from chained_logging.review.viewer.counting import Counting
from chained_logging.review.viewer.overviews import Overviews

FINE = Verdict("intact", "fine")
CENTURY = Period("2000-01-01T00:00:00.000000Z", "2100-01-01T00:00:00.000000Z")


@pytest.mark.parametrize(("quick", "kept"), [(1e9, False), (-1.0, True)])
def test_a_slow_one_is_kept_and_a_quick_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: float, kept: bool
) -> None:
    monkeypatch.setattr(overviews, "_QUICK", quick)
    monkeypatch.setattr(overviews, "_SHARE", 1e6)
    path = write_log(tmp_path / "audit.jsonl", [event(1, tenant="t-1"), event(2)])
    known = Overviews(Counting(lambda: open_log(str(path))))
    with open_log(str(path)) as whole:
        engine = NarrowedEngine(whole.store, EVERYTHING)
        first = known.overview(engine, EVERYTHING, FINE, CENTURY)
        assert first is not None
        with AuditLog(path) as log:
            log.append("read", actor="ann")
        record(str(path), Reading("query", reason="why"), Reader("eve"))
        engine.store.refresh()
        other = Verdict("tampered", "no")
        second = known.overview(engine, EVERYTHING, other, CENTURY)
        assert second is not None
        assert (second.at == first.at) is kept
        assert second.found.scope.entries == (3 if kept else 5)
        assert [one.who for one in second.found.readings] == ["eve"]
        assert second.found.verdict is other
        narrow = Access("ann", tenants=["t-1"])
        theirs = known.overview(NarrowedEngine(whole.store, narrow), narrow, FINE, CENTURY)
        assert theirs is not None
        assert theirs.found.scope.entries == 1


def test_a_large_log_is_counted_apart_and_an_old_count_is_shown_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overviews, "FEW", 1)
    monkeypatch.setattr(overviews, "_LEAST", 0.0)
    monkeypatch.setattr(overviews, "_SHARE", 0.0)
    path = write_log(tmp_path / "audit.jsonl", [event(1), event(2)])
    go, counting = threading.Event(), Counting(lambda: open_log(str(path)))
    known = Overviews(counting)
    with open_log(str(path)) as whole:
        engine = NarrowedEngine(whole.store, EVERYTHING)
        with monkeypatch.context() as patched:
            patched.setattr(overviews, "_counted", after(go, overviews._counted))
            assert known.overview(engine, EVERYTHING, FINE, CENTURY) is None
            go.set()
            first = known.overview(engine, EVERYTHING, FINE, CENTURY)
            while first is None:
                first = known.overview(engine, EVERYTHING, FINE, CENTURY)
            assert first.found.scope.entries == 3
            go.clear()
            with AuditLog(path) as log:
                log.append("read", actor="ann")
            old = known.overview(engine, EVERYTHING, FINE, CENTURY)
            assert old is not None
            assert old.found.scope.entries == 3
            go.set()


def after(go: threading.Event, call: Any) -> Any:
    def waited(*given: Any) -> Any:
        assert go.wait(30)
        return call(*given)

    return waited
