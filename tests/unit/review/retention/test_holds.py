"""A hold covers what its fields say, before and after; only the log itself can end it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from signed_logs import ORIGIN, OWN, Key, append_lines, pin

from chained_logging import AuditLog
from chained_logging.errors import KeyMissing
from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry
from chained_logging.format.canonical import canonical
from chained_logging.format.line import GENESIS, leaf_hash
from chained_logging.format.record import Record
from chained_logging.review.reading import Reader
from chained_logging.review.retention.holds import add_hold, release_holds
from chained_logging.ship.holds import Covered, Holds, holds_of
from chained_logging.sinks import open_sink

ANN = Reader("ann", {"host": "h"})
MIDNIGHT = "2026-01-01T00:00:00.000000Z"
LATER = "2026-01-01T00:00:00.000001Z"


def entry(**fields: Any) -> AuditEntry:
    event = {"action": "read", **EVENT, **fields}
    return AuditEntry(draft(event).body(7, "0" * 64), "1" * 64)


def hold(path: Path, case: str = "c-1", covered: Covered | None = None, **options: Any) -> None:
    with AuditLog(path, sign="follow", on_failure="raise", **options) as log:
        add_hold(log, case, covered or Covered(actor_id="user-1"), "a lawsuit", ANN)


def release(path: Path, case: str = "c-1", **options: Any) -> None:
    with AuditLog(path, sign="follow", on_failure="raise", **options) as log:
        release_holds(log, case, "settled", ANN)


def found(path: Path) -> Holds:
    return holds_of(open_sink(path))


# --- Added, and released.


def test_a_hold_keeps_entries_before_and_after_it(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("a", **EVENT, session_id="before")
        add_hold(log, " c-1 ", Covered(actor_id=EVENT["actor"]), "a lawsuit", ANN)
        log.append("a", **EVENT, session_id="after")
        log.append("a", **{**EVENT, "actor": "another"})
        holds = holds_of(log)
        kept = [holds.keeps(entry) for entry in log.entries()]
    assert kept == [None, "c-1", None, "c-1", None]
    (one,) = holds.active
    assert (one.case, one.seq, one.by, one.reason) == ("c-1", 2, "ann", "a lawsuit")
    assert not holds.remarks


def test_a_release_ends_all_holds_of_its_case_alone(path: Path) -> None:
    for case, actor in (("c-1", "a"), ("c-1", "b"), ("c-2", "c")):
        hold(path, case, Covered(actor_id=actor))
    release(path)
    holds = found(path)
    assert [one.case for one in holds.active] == ["c-2"]
    assert [(one.case, one.released) for one in holds.released] == [("c-1", 4), ("c-1", 4)]
    hold(path, "c-1", Covered(actor_id="a"))
    assert found(path).keeps(entry(actor="a")) == "c-1"


def test_what_is_said_must_have_a_case_and_a_reason(path: Path) -> None:
    with AuditLog(path) as log:
        for case, reason in (("", "r"), ("a\nb", "r"), ("x" * 201, "r"), ("c", " ")):
            with pytest.raises(ValueError, match="must be"):
                add_hold(log, case, Covered(), reason, ANN)
        with pytest.raises(ValueError, match="holds nothing for the case 'c'"):
            release_holds(log, "c", "r", ANN)
        assert log.last_seq == 0


# --- Who may say so.


def test_in_a_signed_log_the_key_must_sign_a_release(path: Path) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    hold(path)
    with pytest.raises(KeyMissing):
        release(path)
    assert [one.case for one in found(path).active] == ["c-1"]
    release(path, key=key)
    assert not found(path).active
    assert not found(path).remarks


def own(action: str, **context: Any) -> dict[str, Any]:
    about = {"origin": ORIGIN, **context}
    return {**OWN, "resource": ("audit_log", ORIGIN), "action": action, "context": about}


@pytest.mark.parametrize("statement", [{}, {"statement": ""}, {"statement": "A" * 86 + "=="}])
def test_a_forged_release_is_named_and_ends_nothing(path: Path, statement: dict[str, str]) -> None:
    with AuditLog(path, key=Key(), origin=ORIGIN) as log:
        log.append("a", **EVENT)
    hold(path)
    append_lines(path, [own("hold.release", case="c-1", **statement)], own=True)
    holds = found(path)
    assert [one.case for one in holds.active] == ["c-1"]
    assert holds.remarks == [
        "entry 3 does not release the case 'c-1': the log's key did not sign its statement"
    ]


def test_the_statement_of_another_release_ends_nothing(path: Path) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        add_hold(log, "c-1", Covered(), "r", ANN)
        add_hold(log, "c-2", Covered(), "r", ANN)
        statement = release_holds(log, "c-1", "r", ANN).context["statement"]
    for case in ("c-1", "c-2"):
        append_lines(path, [own("hold.release", case=case, statement=statement)], own=True)
    assert [one.case for one in found(path).active] == ["c-2"]
    assert len(found(path).remarks) == 2


def test_a_key_that_was_revoked_or_smuggled_in_ends_nothing(path: Path) -> None:
    key, thief = Key(), Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        add_hold(log, "c-1", Covered(), "r", ANN)
        log.revoke_key(pin(key), "stolen")
        release_holds(log, "c-1", "r", ANN)
    assert "was revoked" in found(path).remarks[0]
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.rotate_key(thief)
        release_holds(log, "c-1", "r", ANN)
    assert not found(path).active
    hold(path)
    named = {"old_public_key": pin(thief), "public_key": pin(key)}
    append_lines(path, [own("key.rotate", **named), own("hold.release", case="c-1")], own=True)
    holds = found(path)
    assert [one.case for one in holds.active] == ["c-1"]
    assert "without a statement of the log's key" in holds.remarks[-1]


def test_an_application_cannot_say_so(path: Path) -> None:
    hold(path)
    with AuditLog(path) as log:
        log.append("hold.release", **EVENT, context={"case": "c-1"})
        log.append("hold.release", **{**EVENT, **OWN}, context={"case": "c-1"})
        log.append("hold.add", **{**EVENT, **OWN}, context={"case": "c-2", "filter": {}})
    assert [one.case for one in found(path).active] == ["c-1"]


def test_a_hold_that_cannot_be_read_keeps_everything_until_it_is_released(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    events = [
        own("hold.add", case="c-1", filter={"actr": "x"}),
        own("hold.add"),
        own("hold.release"),
    ]
    append_lines(path, events, own=True)
    holds = found(path)
    assert holds.keeps(entry()) == "entry 2"
    assert [remark.partition(" (")[0] for remark in holds.remarks] == [
        "entry 2 cannot be read as a hold",
        "entry 3 cannot be read as a hold",
        "entry 4 releases nothing: 'case'",
    ]
    release(path, "entry 2")
    release(path, "entry 3")
    assert found(path).keeps(entry()) is None


@pytest.mark.parametrize(
    "said",
    [
        '"context":{"case":"\\ud800","filter":{}},',
        '"context":{"case":"c","filter":{"actor_id":"\\ud800"}},',
        '"context":{"case":"a\\nb","filter":{}},',
        '"context":[],"on_behalf_of":"\\ud800","reason":7,"timestamp":7,',
        '"context":',
        '"context":' + "[" * 30_000,
    ],
)
def test_what_anybody_may_write_in_a_hold_is_shown_and_can_be_released(
    path: Path, said: str
) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    first, last = open_sink(path).records()
    ours = '"action":"hold.add","actor_id":"chained_logging","actor_type":"system"'
    body = f'{{{ours},{said}"prev_hash":"{last.hash}","seq":2}}'.encode()
    holds = Holds()
    for record in (first, last, Record(2, body, leaf_hash(body), None)):
        holds.look(record)
    (one,) = holds.active
    assert (one.case, one.seq, holds.keeps(entry())) == ("entry 2", 2, "entry 2")
    assert "release the case 'entry 2'" in holds.remarks[0]
    assert canonical([one.since, one.by, one.reason])


def test_a_log_whose_beginning_is_gone_is_released_by_nobody_it_does_not_know() -> None:
    holds = Holds()
    body = draft(own("hold.add", case="c-1", filter={}), own=True).body(5, GENESIS)
    holds.look(Record(5, body, "1" * 64, None))
    assert [one.case for one in holds.active] == ["c-1"]
