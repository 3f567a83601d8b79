"""A decision bears the key's statement; what loosens a protection is refused without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chains import EVENT
from signed_logs import ORIGIN, Key, append_lines, pin

from chained_logging import AuditLog, verify
from chained_logging.errors import KeyForged, KeyMissing
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.statements import is_stated

ABOUT = {"case": "2026-7", "filter": {"actor_id": "user-ü\U0001f600"}}


def stated(entry: AuditEntry, key: Key, action: str = "hold.release") -> bool:
    of = VerifierKey.parse(pin(key))
    return is_stated(action, ORIGIN, entry.seq, entry.prev_hash, of, entry.context)


@pytest.mark.parametrize("sign", ["checkpoint", "each"])
def test_the_key_states_what_the_entry_says(path: Path, sign: str) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN, sign=sign) as log:
        log.append("a", **EVENT)
        entry = log.decide("hold.release", ABOUT, loosens=True, on_behalf_of="ann", reason="over")
        assert log.last_seq == 2
        log.append("b", **EVENT)
    assert (entry.actor_id, entry.actor_type, entry.on_behalf_of) == (
        "chained_logging",
        "system",
        "ann",
    )
    assert entry.reason == "over"
    assert entry.resource_id == ORIGIN
    said = {name: value for name, value in entry.context.items() if name != "statement"}
    assert said == {**ABOUT, "origin": ORIGIN}
    assert (entry.signature is not None) is (sign == "each")
    assert stated(entry, key)
    assert not stated(entry, Key())
    assert not stated(entry, key, "retention.apply")
    assert verify(path).intact


def test_a_statement_is_about_one_context(path: Path) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        entry = log.decide("hold.release", ABOUT, loosens=True)
    of = VerifierKey.parse(pin(key))
    for change in ({"case": "2026-8"}, {"more": 1}, {"statement": ""}, {"statement": "é"}):
        context = {**entry.context, **change}
        assert not is_stated("hold.release", ORIGIN, entry.seq, entry.prev_hash, of, context)
    assert not is_stated("hold.release", ORIGIN, 7, entry.prev_hash, of, entry.context)


def test_without_the_key_a_signed_log_can_only_be_protected(path: Path) -> None:
    with AuditLog(path, key=Key(), origin=ORIGIN) as log:
        log.append("a", **EVENT)
    with AuditLog(path, sign="follow") as log:
        entry = log.decide("hold.add", ABOUT, loosens=False)
        assert "statement" not in entry.context
        with pytest.raises(KeyMissing, match="--key"):
            log.decide("hold.release", ABOUT, loosens=True)
        assert [entry.action for entry in log.entries()] == ["log.open", "a", "hold.add"]


def test_a_log_without_a_key_states_nothing(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        assert "statement" not in log.decide("hold.release", ABOUT, loosens=True).context
    assert verify(path).intact


def test_nobody_waits_while_the_log_is_searched_for_a_key(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, bool]] = []
    with AuditLog(path) as log:
        for _ in range(3):
            log.append("a", **EVENT)
        state = log._parts.state
        records = state.sink.records

        def watched(start: int = 0) -> Iterator[Record]:
            for record in records(start):
                read.append((record.seq, state.file_lock.held))
                yield record

        monkeypatch.setattr(state.sink, "records", watched)
        log.decide("hold.release", ABOUT, loosens=True)
    assert read == [(seq, False) for seq in range(4)]


def test_nothing_is_stated_above_a_key_that_somebody_else_named(path: Path) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    thief = {"origin": ORIGIN, "old_public_key": pin(key), "public_key": pin(Key())}
    own = {"actor": "chained_logging", "actor_type": "system", "resource": ("audit_log", ORIGIN)}
    append_lines(path, [{**own, "action": "key.rotate", "context": thief}], own=True)
    for given in (key, None):
        with (
            AuditLog(path, key=given, sign="follow") as log,
            pytest.raises(KeyForged, match="not written by this log"),
        ):
            log.decide("hold.release", ABOUT, loosens=True)


def test_what_does_not_fit_an_entry_is_refused(path: Path) -> None:
    with AuditLog(path, key=Key(), origin=ORIGIN) as log:
        with pytest.raises(ValueError, match="must fit one entry"):
            log.decide("hold.release", {"case": "x" * 65_440}, loosens=True)
        assert log.last_seq == 0
