"""How a writer takes part in a log, according to what the log shows and the others do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from log_parts import actions
from signed_logs import ORIGIN, Key

from chained_logging import AuditLog
from chained_logging.diagnostics import AuditWarning
from chained_logging.errors import FAILURES
from chained_logging.log.backlog import Backlog
from chained_logging.log.membership import Membership
from chained_logging.sinks import open_sink


def membership_of(log: AuditLog) -> Membership:
    return log._parts.membership


def test_a_log_gets_its_first_key_when_it_is_opened_with_one(path: Path) -> None:
    AuditLog(path, origin=ORIGIN).close()
    with AuditLog(path, key=Key()) as log:
        assert actions(log._parts.state.sink.records()) == ["log.open", "key.add"]


def test_another_key_is_refused(path: Path) -> None:
    AuditLog(path, key=Key()).close()
    with pytest.raises(ValueError, match="has the key"):
        AuditLog(path, key=Key())


def test_a_follower_without_the_key_speaks_for_the_log_alone(path: Path) -> None:
    AuditLog(path, key=Key()).close()
    with AuditLog(path, sign="follow", on_failure="raise") as log:
        assert membership_of(log).mute
        log.note("log.restore")
        with pytest.raises(FAILURES, match="has no key"):
            log.append("a", **EVENT)


def test_a_follower_without_the_key_leaves_what_waits_for_a_writer_with_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, chained = Key(), Backlog.chain_deferred
    AuditLog(path, key=key).close()
    tries = []

    def counted(*arguments: Any) -> None:
        tries.append(1)
        assert len(tries) < 20
        chained(*arguments)

    monkeypatch.setattr(Backlog, "chain_deferred", counted)
    for _ in range(2):
        with AuditLog(path, sign="follow") as log, pytest.warns(AuditWarning, match="has no key"):
            log.append("a", **EVENT)
        with AuditLog(path, sign="follow", on_failure="raise") as log:
            log.note("log.read")
            assert log._parts.backlog.spilled
    AuditLog(path, key=key).close()
    assert sorted(actions(open_sink(path).records())) == [
        "a",
        "a",
        "log.open",
        "log.read",
        "log.read",
    ]


def test_a_follower_signs_as_the_log_does(path: Path) -> None:
    key = Key()
    with AuditLog(path, key=key, sign="each") as log:
        log.append("a", **EVENT)
    with AuditLog(path, key=key, sign="follow") as log:
        assert log.append("b", **EVENT).signature is not None


def test_an_outvoted_writer_writes_no_more(path: Path) -> None:
    """Its file was deleted, and writers that sign another way came and went."""
    key = Key()
    with AuditLog(path, origin=ORIGIN, on_failure="raise") as log:
        log.append("a", **EVENT)
        (path.parent / f"{path.name}.writers").unlink()
        with AuditLog(path, key=key, sign="each") as other:
            other.append("b", **EVENT)
        for _ in range(2):
            membership_of(log).look_around = True
            with pytest.raises(FAILURES, match="signed"):
                log.append("c", **EVENT)


def test_leaving_lets_others_sign_another_way(path: Path) -> None:
    key = Key()
    log = AuditLog(path, key=key)
    with pytest.raises(ValueError, match="sign='checkpoint'"):
        AuditLog(path, key=key, sign="each")
    membership_of(log).leave()
    AuditLog(path, key=key, sign="each").close()
    log.close()
