"""The courier takes events from event loops to the log: each once, together where it can."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from chained_logging.integrations.courier import Courier, Event
from chained_logging.log import AuditWarning


class Store:
    """What the courier has stored, call by call."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.threads: set[int] = set()
        self.error: Exception | None = None
        self.may_go = threading.Event()
        self.may_go.set()

    def __call__(self, events: Sequence[Event]) -> list[BaseException | None]:
        self.may_go.wait(10)
        self.calls.append([event["n"] for event in events])
        self.threads.add(threading.get_ident())
        return [self.error if event["n"] == 1 else None for event in events]


@pytest.fixture
def store() -> Store:
    return Store()


def send_all(courier: Courier, many: int) -> None:
    async def main() -> None:
        await asyncio.gather(*(courier.send({"n": n}) for n in range(many)))

    asyncio.run(main())


def test_events_of_a_few_turns_share_one_call_in_the_loop_if_it_is_quick(store: Store) -> None:
    send_all(Courier(store, quick=True), 5)
    assert store.calls == [[0, 1, 2, 3, 4]]
    assert store.threads == {threading.get_ident()}


def test_a_call_that_may_wait_is_made_in_a_thread_and_those_meanwhile_share_the_next(
    store: Store,
) -> None:
    courier = Courier(store, quick=False)
    store.may_go.clear()

    async def main() -> None:
        first = courier.send({"n": 0})
        await asyncio.sleep(0.1)  # the thread has taken it
        rest = [courier.send({"n": n}) for n in (2, 3)]
        store.may_go.set()
        await asyncio.gather(first, *rest)

    asyncio.run(main())
    assert store.calls == [[0], [2, 3]]
    assert threading.get_ident() not in store.threads
    courier.drain()


@pytest.mark.parametrize("quick", [True, False])
def test_only_who_sent_what_was_refused_gets_the_error(store: Store, quick: bool) -> None:
    store.error = ValueError("refused")
    courier = Courier(store, quick)

    async def main() -> list[Any]:
        sent = [courier.send({"n": n}) for n in range(3)]
        return await asyncio.gather(*sent, return_exceptions=True)

    assert asyncio.run(main()) == [None, store.error, None]
    courier.drain()


def test_in_a_hurry_what_was_gathered_is_stored_now_and_not_again(store: Store) -> None:
    courier = Courier(store, quick=True)

    async def main() -> None:
        waiting = courier.send({"n": 0})
        courier.hurry()
        assert store.calls == [[0]]
        await waiting
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert store.calls == [[0]]


@pytest.mark.parametrize("quick", [True, False])
def test_what_nobody_waits_for_is_stored_by_the_end_of_a_drain(store: Store, quick: bool) -> None:
    courier = Courier(store, quick)
    for n in (0, 2):
        courier.post({"n": n})
    courier.drain()
    assert sorted(n for call in store.calls for n in call) == [0, 2]


def test_what_nobody_waits_for_and_was_refused_is_a_warning(store: Store) -> None:
    store.error = OSError("disk full")
    with pytest.warns(AuditWarning, match="an entry was not stored: disk full"):
        Courier(store, quick=True).post({"n": 1})


def test_a_loop_that_was_closed_breaks_nothing_for_another_one(store: Store) -> None:
    courier = Courier(store, quick=False)
    store.may_go.clear()
    loop = asyncio.new_event_loop()

    async def leave() -> None:
        courier.send({"n": 0})

    loop.run_until_complete(leave())
    loop.close()
    store.may_go.set()
    send_all(courier, 1)
    courier.drain()
    assert [n for call in store.calls for n in call] == [0, 0]


def test_a_fork_has_a_thread_of_its_own(store: Store) -> None:
    courier = Courier(store, quick=False)
    send_all(courier, 1)
    courier._pid = os.getpid() + 1  # as a fork finds it: with a thread that does not run
    courier._busy = True
    send_all(courier, 1)
    assert store.calls == [[0], [0]]
    courier.drain()
