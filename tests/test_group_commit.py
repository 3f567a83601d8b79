"""Group commit: who waits together is written and synced together, and nobody waits for ever."""

from __future__ import annotations

import errno
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import EVENT, check_chain

from chained_logging.group_commit import GroupCommit
from chained_logging.log import AuditLog


def together(count: int, work: object) -> list[object]:
    """Run `work(n)` in threads at once, and return what each gave or raised."""
    found: list[object] = [None] * count
    start = threading.Barrier(count)

    def run(n: int) -> None:
        start.wait()
        try:
            found[n] = work(n)  # type: ignore[operator]
        except BaseException as error:
            found[n] = error

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), "a caller waits for ever"
    return found


def test_each_caller_gets_its_own_results() -> None:
    groups: list[int] = []

    def commit(items: Sequence[int]) -> list[int]:
        groups.append(len(items))
        time.sleep(0.001)
        return [item * 10 for item in items]

    gate = GroupCommit(commit)

    def work(n: int) -> list[int]:
        return [r for k in range(50) for r in gate.submit([n * 1000 + k, n * 1000 + 500 + k])]

    for n, results in enumerate(together(8, work)):
        expected = [v * 10 for k in range(50) for v in (n * 1000 + k, n * 1000 + 500 + k)]
        assert results == expected
    assert sum(groups) == 8 * 50 * 2
    assert len(groups) < 8 * 50 / 2, "callers did not share commits"


def test_a_failure_reaches_all_whose_entries_these_were_and_only_those() -> None:
    def commit(items: Sequence[int]) -> list[int]:
        time.sleep(0.001)
        if any(item % 7 == 0 for item in items):
            raise OSError(errno.EIO, "Input/output error")
        return list(items)

    gate = GroupCommit(commit)
    outcome: dict[int, bool] = {}

    def work(n: int) -> None:
        for k in range(40):
            item = n * 100 + k + 1
            try:
                assert gate.submit([item]) == [item]
                outcome[item] = True
            except OSError as error:
                outcome[item] = error.errno != errno.EIO

    assert together(6, work) == [None] * 6
    assert len(outcome) == 240
    assert not any(ok for item, ok in outcome.items() if item % 7 == 0)
    assert any(ok for ok in outcome.values())


def test_an_interrupted_leader_lets_another_one_lead() -> None:
    first = True

    def commit(items: Sequence[int]) -> list[int]:
        nonlocal first
        time.sleep(0.01)
        if first:
            first = False
            raise KeyboardInterrupt
        return list(items)

    gate = GroupCommit(commit)
    found = together(6, lambda n: gate.submit([n]))
    assert sum(isinstance(one, KeyboardInterrupt) for one in found) == 1
    assert all(
        one == [n] or isinstance(one, KeyboardInterrupt | OSError) for n, one in enumerate(found)
    )
    assert gate.submit([99]) == [99]


def test_an_interrupted_follower_blocks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    # Control-C while the main thread waits for another one's commit.
    go = threading.Event()

    def commit(items: Sequence[int]) -> list[int]:
        go.set()
        time.sleep(0.3)
        return list(items)

    gate = GroupCommit(commit)
    leader = threading.Thread(target=gate.submit, args=([1],), daemon=True)
    leader.start()
    go.wait()
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            gate.submit([2])
    finally:
        signal.signal(signal.SIGALRM, previous)
    leader.join(5)
    assert gate.submit([3]) == [3]
    assert together(3, lambda n: gate.submit([n])) == [[0], [1], [2]]


def test_sixteen_threads_share_syncs(path: Path) -> None:
    with AuditLog(path, durability="fsync") as log:
        real = log._sink.sync

        def slow() -> None:  # a disk as it is elsewhere, so that the test does not hang on this one
            time.sleep(0.005)
            real()

        log._sink.sync = slow  # type: ignore[method-assign]
        together(16, lambda n: [log.append(f"{n}-{k}", **EVENT) for k in range(20)])
        stats = log.stats()
    assert stats["appended"] == 320
    assert stats["syncs"] < 320 / 4
    assert len(check_chain(path)) == 321
