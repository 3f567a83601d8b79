"""Whatever fails, an event is kept and chained later, or its caller gets that very error."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, check_chain

from chained_logging import errors
from chained_logging.errors import Busy, Failure, KeyRotated, LogClosed, LogError
from chained_logging.log import AuditLog, AuditWarning

FAILURES: list[Failure] = [
    OSError(errno.EIO, "Input/output error"),
    KeyRotated("example.com/a+1+b"),
    *(
        one("it is so")
        for one in vars(errors).values()
        if isinstance(one, type)
        and issubclass(one, LogError)
        and not issubclass(one, (Busy, LogClosed, KeyRotated))
    ),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("durability", ["os", "fsync"])
@pytest.mark.parametrize("where", ["head", "write", "spill"])
def test_an_event_is_kept(
    path: Path, where: str, durability: Any, failure: Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise failure

    with AuditLog(path, durability=durability, sync_interval=1000) as log:
        with monkeypatch.context() as patched:
            patched.setattr(log._sink, "head" if where == "head" else "write", fails)
            if where == "spill":
                for spill in log._parts.backlog.spills:
                    patched.setattr(spill, "add", fails)
            with pytest.warns(AuditWarning, match="audit log: "):
                assert log.append("kept", **EVENT).hash is None
            assert log.stats()["failed"] == 1
        log.append("after", **EVENT)
        stats = log.stats()
    assert (stats["failed"], stats["dropped"], stats["waiting"]) == (1, 0, 0)
    assert [body["action"] for body in check_chain(path)] == ["log.open", "kept", "after"]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
def test_a_caller_that_asked_for_it_gets_the_error(
    path: Path, failure: Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise failure

    with AuditLog(path, on_failure="raise", sync_interval=1000) as log:
        with monkeypatch.context() as patched:
            patched.setattr(log._sink, "write", fails)
            with pytest.raises(type(failure)) as caught:
                log.append("not", **EVENT)
            assert caught.value is failure
        log.append("after", **EVENT)
    assert [body["action"] for body in check_chain(path)] == ["log.open", "after"]
