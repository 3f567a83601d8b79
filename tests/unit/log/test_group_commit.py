"""Group commit: who waits together is written and synced together, and nobody waits for ever."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from chains import EVENT, check_chain

from chained_logging.errors import FAILURES, KeyRotated, LogError
from chained_logging.log import AuditLog
from chained_logging.log.group_commit import GroupCommit, SyncGate


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

    def commit(items: Sequence[int]) -> list[int | BaseException]:
        groups.append(len(items))
        time.sleep(0.001)
        return [item * 10 for item in items]

    gate = GroupCommit(commit, gather=True)

    def work(n: int) -> list[int]:
        return [gate.submit(n * 1000 + k) for k in range(50)]

    for n, results in enumerate(together(8, work)):
        assert results == [(n * 1000 + k) * 10 for k in range(50)]
    assert sum(groups) == 8 * 50
    assert len(groups) < 8 * 50 / 2, "callers did not share commits"


@pytest.mark.parametrize(
    "failure", [OSError(errno.EIO, "Input/output error"), KeyRotated("a+1+b")], ids=repr
)
def test_each_caller_gets_its_own_failure(failure: OSError | LogError) -> None:
    def commit(items: Sequence[int]) -> list[int | BaseException]:
        time.sleep(0.001)
        return [
            failure if item % 7 == 0 else ZeroDivisionError() if item % 5 == 0 else item
            for item in items
        ]

    gate = GroupCommit(commit)
    outcome: dict[int, object] = {}

    def work(n: int) -> None:
        for k in range(40):
            item = n * 100 + k + 1
            try:
                outcome[item] = gate.submit(item)
            except (*FAILURES, ZeroDivisionError) as error:
                outcome[item] = error

    assert together(6, work) == [None] * 6
    assert len(outcome) == 240
    for item, found in outcome.items():
        if item % 7 == 0:
            assert type(found) is type(failure)
            assert (str(found), vars(found)) == (str(failure), vars(failure))
        else:
            assert isinstance(found, ZeroDivisionError) if item % 5 == 0 else found == item
    # A raised exception collects a traceback: no two callers share one.
    errors = [found for found in outcome.values() if isinstance(found, FAILURES)]
    assert len({id(error) for error in errors}) == len(errors)


def test_an_interrupted_leader_lets_another_one_lead() -> None:
    first = True

    def commit(items: Sequence[int]) -> list[int | BaseException]:
        nonlocal first
        time.sleep(0.01)
        if first:
            first = False
            raise KeyboardInterrupt
        return list(items)

    gate = GroupCommit(commit)
    found = together(6, gate.submit)
    assert sum(isinstance(one, KeyboardInterrupt) for one in found) == 1
    assert all(
        one == n or isinstance(one, KeyboardInterrupt | LogError) for n, one in enumerate(found)
    )
    assert gate.submit(99) == 99


@pytest.mark.parametrize("raised", [KeyboardInterrupt, OSError, LogError])
def test_an_interrupted_sync_lets_another_one_sync(raised: type[BaseException]) -> None:
    syncs = 0

    def sync() -> int:
        nonlocal syncs
        syncs += 1
        time.sleep(0.01)
        if syncs == 1:
            raise raised
        return 7

    gate = SyncGate(sync)
    found = together(6, lambda n: gate.wait(n + 1))
    assert syncs == 2 or raised is not KeyboardInterrupt
    assert (
        1
        <= sum(isinstance(one, raised) for one in found)
        <= (1 if raised is KeyboardInterrupt else 6)
    )
    gate.wait(7)


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
