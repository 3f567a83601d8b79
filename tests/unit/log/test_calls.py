"""How many Python calls an audited call passes until its entry is handed to the store.

A figure that does not depend on the machine, for what a call costs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import structlog
from chains import EVENT
from structlog.contextvars import bound_contextvars, merge_contextvars

import chained_logging
from chained_logging import AuditHandler, AuditLog, AuditProcessor, context

MOST = 30
PACKAGE = Path(chained_logging.__file__).parent


@pytest.fixture(autouse=True)
def no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry, which other tests import, asks itself for the span by calls of its own."""
    monkeypatch.delitem(sys.modules, "opentelemetry.trace", raising=False)


def calls_between(
    call: Callable[[], object], first: Any, last: Any, *, ours: bool = False
) -> list[str]:
    """Return the functions that are called from `first` to `last`, with these two.

    :param ours: only those of this package, and `first` need not be one.
    """
    begin, end = first.__code__, last.__code__
    calls: list[str] = []
    begun = False

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal begun
        code = frame.f_code
        begun = begun or code is begin
        if event == "call" and begun:
            if not ours or PACKAGE in Path(code.co_filename).parents:
                calls.append(code.co_qualname)
            if code is end:
                sys.setprofile(None)

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    assert calls[-1] == end.co_qualname
    return calls


def fewest(call: Callable[[], object], first: Any, last: Any, *, ours: bool = False) -> list[str]:
    """Return the calls of the shortest of some rounds: what is cached is filled by the first, and
    a finaliser of somebody else's may run in the middle of one."""
    # Not in this thread's context, in which a test before may have left something.
    rounds = (Context().run(calls_between, call, first, last, ours=ours) for _ in range(5))
    return min(rounds, key=len)


def test_append_passes_few_calls(path: Path) -> None:
    with AuditLog(path) as log:
        calls = fewest(lambda: log.append("read", **EVENT), AuditLog.append, type(log._sink).write)
    assert len(calls) <= MOST, "\n".join(calls)


def test_a_call_of_structlog_passes_few_calls(path: Path) -> None:
    with AuditLog(path) as log:
        logger: Any = structlog.wrap_logger(
            structlog.ReturnLogger(),
            processors=[
                merge_contextvars,
                AuditProcessor(log),
                lambda logger, method, event: event["audit_id"],
            ],
        )

        def request() -> None:
            with bound_contextvars(request_id="r-1"), context(tenant="clinic-1"):
                logger.info("read", audit=True, **EVENT)

        calls = fewest(request, AuditProcessor.__call__, type(log._sink).write)
    assert len(calls) <= MOST, "\n".join(calls)


def test_a_call_of_logging_passes_few_calls(path: Path) -> None:
    logger = logging.Logger("calls")
    with AuditLog(path) as log:
        logger.addHandler(AuditHandler(log=log))
        calls = fewest(
            lambda: logger.info("read", extra={"audit": True, **EVENT}),
            AuditHandler.emit,
            type(log._sink).write,
        )
    assert len(calls) <= MOST, "\n".join(calls)


def test_logging_and_the_package_share_few_calls_from_the_programs_own_on(path: Path) -> None:
    """From ``logger.info`` on: what logging calls by itself is not counted."""
    before = logging.getLogRecordFactory()
    logger = logging.Logger("calls")
    try:
        with AuditLog(path) as log:
            logger.addHandler(AuditHandler(log=log))
            calls = fewest(
                lambda: logger.info("read", extra={"audit": True, **EVENT}),
                logging.Logger.info,
                type(log._sink).write,
                ours=True,
            )
    finally:
        logging.setLogRecordFactory(before)
    assert len(calls) <= MOST, "\n".join(calls)
