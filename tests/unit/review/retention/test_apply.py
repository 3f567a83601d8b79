"""What a plan lets go is gone, and nothing else; and a hold keeps what it covers at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from retention_logs import ANN, check_chain, everything_in, fill, left, old, purge, stubs
from signed_logs import ORIGIN, OWN, Key, append_lines, pin

from chained_logging import AuditLog, verify
from chained_logging.errors import KeyMissing
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.log.signed import Signed
from chained_logging.review.files import JsonlSource
from chained_logging.review.index import IndexedLog
from chained_logging.review.retention.apply import Changed, apply, look_at
from chained_logging.review.retention.holds import add_hold
from chained_logging.review.retention.policies import Policy
from chained_logging.review.sources import SqliteSource
from chained_logging.ship.holds import Covered
from chained_logging.sinks import open_sink
from chained_logging.sinks.removal import NotNamed
from chained_logging.sinks.segments import describe, read_manifest, segment_paths

YEAR = Policy("year", 365)


def secrets(count: int, age: float = 400) -> list[dict[str, Any]]:
    more = ({}, {"resources": [("invoice", "7"), ("patient_record", "secret")]})
    return [old(age, note=f"secret-{n}-", **more[n % 2]) for n in range(count)]


def test_what_is_old_is_gone_from_every_file(path: Path) -> None:
    fill(path, [*secrets(30), old(3, note="kept"), *secrets(30)])
    before = left(path)
    view, done = purge(path, YEAR)
    assert (done.removed, view.plan.count, done.remarks) == (60, 60, [])
    gone = stubs(path)
    assert gone == {*range(1, 31), *range(32, 62)}
    after = left(path)
    assert {seq: hash for seq, (hash, _) in before.items()}.items() <= {
        seq: hash for seq, (hash, _) in after.items()
    }.items()
    check_chain(path)
    assert b"secret" not in everything_in(path.parent)
    assert b"kept" in everything_in(path.parent)
    assert done.size_after < done.size_before
    with AuditLog(path) as log:
        log.append("goes on", **EVENT)
    check_chain(path)


def test_a_log_that_is_written_to_faster_than_it_is_read_is_planned(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, secrets(5))
    with AuditLog(path) as log:
        stored, meanwhile = log.stored, []

        def chased(start: int = 0) -> Iterator[Record | Stub]:
            yield from stored(start)
            if start == 0 and meanwhile:  # not the survey, which came first
                for _ in range(100):
                    meanwhile.append(log.append("read", **EVENT).seq)
                    yield from stored(meanwhile[-1])
            meanwhile.append(-1)

        monkeypatch.setattr(log, "stored", chased)
        assert look_at(path, log, [Policy("year", 365)], without_copy=True).plan.count == 5
    assert len(meanwhile) < 5


def test_an_index_of_what_went_is_thrown_away(path: Path) -> None:
    fill(path, secrets(9))
    source = JsonlSource(path) if path.suffix == ".jsonl" else SqliteSource(path)
    index = path.with_name(f"{path.name}.index")
    IndexedLog(source, index).close()
    assert b"secret" in everything_in(path.parent)
    _, done = purge(path, YEAR)
    assert done.discarded == [index]
    assert b"secret" not in everything_in(path.parent)
    IndexedLog(source, index).close()
    assert b"secret" not in everything_in(path.parent)


def test_the_entry_says_under_which_policy_and_who(path: Path) -> None:
    fill(path, secrets(9))
    policy = Policy("p", 365, "gdpr", "GDPR Article 5(1)(e)", "abuse", action=("read",))
    _, done = purge(path, policy)
    (entry,) = done.entries
    assert (entry.action, entry.actor_id, entry.on_behalf_of) == (
        "retention.apply",
        "chained_logging",
        "ann",
    )
    about = entry.context
    expected = {"policy": "p", "standard": "gdpr", "clause": "GDPR Article 5(1)(e)", "days": 365}
    expected |= {"purpose": "abuse", "selector": {"action": ["read"]}, "host": "h"}
    expected |= {"copies": ["none required: --without-copy"], "ranges": [[1, 9]], "count": 9}
    assert expected.items() <= about.items()


def test_a_second_call_has_nothing_to_do(path: Path) -> None:
    fill(path, secrets(30))
    purge(path, YEAR)
    size = len(left(path))
    _, done = purge(path, YEAR)
    assert (done.removed, done.entries) == (0, [])
    assert len(left(path)) == size


def test_a_signed_log_needs_its_key(path: Path) -> None:
    key = Key()
    fill(path, secrets(9), key=key)
    with pytest.raises(KeyMissing, match="--key"):
        purge(path, YEAR)
    assert not stubs(path)
    _, done = purge(path, YEAR, key=key)
    assert done.entries[0].context["statement"]
    assert len(stubs(path)) == 9


def test_a_decision_that_counts_for_nothing_is_named(path: Path) -> None:
    key = Key()
    fill(path, secrets(9), key=key, origin=ORIGIN)
    with AuditLog(path, key=key) as log:
        log.revoke_key(pin(key), "stolen")
    for _ in range(2):
        _, done = purge(path, YEAR, key=key)
        (entry,) = done.entries
        assert not done.removed
        assert done.remarks == [
            f"entry {entry.seq} lets nothing be removed: the log's key was revoked before it"
        ]


def test_checkpoints_and_signatures_of_entries_hold(path: Path) -> None:
    key = Key()
    fill(path, secrets(20), key=key, sign="each")
    _, done = purge(path, YEAR, key=key)
    assert done.removed == 20
    with AuditLog(path, key=key, sign="each") as log:
        log.append("more", **EVENT)
        note = log.checkpoint()
    with AuditLog(path, key=key, sign="each") as log:
        assert log.checkpoint() == note
        signatures = [one.signature for one in log.stored()]
    assert all(signatures)


# --- Entries that somebody wrote who has no key.


def forge(path: Path, *ranges: list[int], **fields: str) -> None:
    """Append an entry that names something, in the log's own name."""
    event = {**OWN, "action": "retention.apply", "resource": ("audit_log", ORIGIN), **fields}
    append_lines(path, [event | {"context": {"ranges": ranges}}], own=True)


@pytest.mark.parametrize("fields", [{}, {"actor_type": "admin"}])
def test_an_entry_that_counts_for_nothing_keeps_nothing_from_going(
    path: Path, fields: dict[str, str]
) -> None:
    key = Key()
    fill(path, secrets(20), key=key, origin=ORIGIN)
    forge(path, [2, 2], [5, 8], [17, 25], **fields)
    forge(path, [7, 12], [18, 18], [30, 31], **fields)  # a database knows only a part of it
    forge(path, [10, 11], [1, 2], **fields)
    view, done = purge(path, YEAR, key=key)
    assert done.removed == len(stubs(path)) == 20
    assert len(view.survey.applies.remarks) == 3
    assert b"secret" not in everything_in(path.parent)
    faults = {fault.seq for fault in verify(path).faults}
    assert faults - {None} == {*view.survey.applies.refused}  # None: of the table purges


def test_such_an_entry_that_comes_meanwhile_is_noticed(path: Path) -> None:
    key = Key()
    fill(path, secrets(9), key=key, origin=ORIGIN)
    with AuditLog(path, key=key, on_failure="raise", sign="follow") as log:
        view = look_at(path, log, [YEAR], without_copy=True)
        forge(path, [2, 2])
        with pytest.raises(Changed, match="run it again"):
            apply(log, view, ANN)
    assert purge(path, YEAR, key=key)[1].removed == 9


@pytest.mark.parametrize("path", ["db"], indirect=True)
def test_what_a_database_does_not_let_go_is_said_with_the_entry_that_keeps_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Key()
    fill(path, secrets(9), key=key, origin=ORIGIN)
    forge(path, [2, 2])
    with monkeypatch.context() as patched:
        patched.setattr("chained_logging.review.retention.plan._Planner._side", lambda *_: 0)
        with pytest.raises(NotNamed, match="entry 10, which counts for nothing, named a part"):
            purge(path, YEAR, key=key)
    assert not stubs(path)
    with pytest.raises(NotNamed, match="entry 10, which"):  # the log has decided already
        purge(path, YEAR, key=key)


# --- Kills, and other processes.


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", range(4))
def test_what_a_killed_call_left_is_finished(
    path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, secrets(4000 if path.suffix == ".db" else 40))
    count = 0

    def die(self: Signed, *arguments: Any) -> Any:
        nonlocal count
        named, guard, *_ = arguments
        for piece in self._parts.purging._state.sink.removals(named):
            if count == at:
                raise Killed
            count += 1
            piece.prepare(guard.may_go)
            with self._parts.state.held():
                self._parts.state.head()
                guard.refresh()
                piece.commit(guard.may_go)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Signed, "remove", die)
        with pytest.raises(Killed):
            purge(path, YEAR)
    check_chain(path)
    some = len(stubs(path))
    sink = open_sink(path)
    view = look_at(path, sink, [YEAR], without_copy=True)
    everything = 4000 if path.suffix == ".db" else 40
    assert view.plan.left.count() == everything - some
    assert view.plan.count == 0
    _, done = purge(path)  # without any policy: the log has decided
    assert (done.removed, done.entries) == (everything - some, [])
    assert len(stubs(path)) == everything
    assert b"secret" not in everything_in(path.parent)


def test_a_call_that_was_killed_leaves_no_index_of_what_went(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, secrets(9))
    source = JsonlSource(path) if path.suffix == ".jsonl" else SqliteSource(path)
    IndexedLog(source, path.with_name(f"{path.name}.index")).close()
    remove = Signed.remove

    def die(*arguments: Any) -> Any:
        remove(*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Signed, "remove", die)
        with pytest.raises(Killed):
            purge(path, YEAR)
    assert len(stubs(path)) == 9
    assert purge(path, YEAR)[1].removed == 0
    assert b"secret" not in everything_in(path.parent)


def test_a_hold_that_comes_meanwhile_keeps_what_is_still_there(path: Path) -> None:
    fill(path, [old(400, action=f"a-{n % 2}") for n in range(2400 if path.suffix == ".db" else 60)])
    with AuditLog(path, on_failure="raise", sign="follow") as log:
        view = look_at(path, log, [YEAR], without_copy=True)
        total = view.plan.count
        began: list[int] = []

        def hold(done: int) -> None:
            if not began:
                began.append(done)
                with AuditLog(path, sign="follow", on_failure="raise") as other:
                    add_hold(other, "late", Covered(action="a-1"), "a letter", ANN)

        done = apply(log, view, ANN, hold)
    assert began[0] < done.removed < total
    kept = [body for _, body in left(path).values() if body and body.startswith(b'{"action":"a-1"')]
    assert len(kept) + done.removed == total
    view = look_at(path, open_sink(path), [YEAR], without_copy=True)
    assert (view.plan.left.count(), view.plan.left_held) == (0, len(kept))
    assert purge(path, YEAR)[1].removed == 0
    check_chain(path)


def test_a_plan_that_another_process_overtook_is_not_carried_out(path: Path) -> None:
    fill(path, secrets(9))
    with AuditLog(path, on_failure="raise", sign="follow") as log:
        view = look_at(path, log, [YEAR], without_copy=True)
        with AuditLog(path, sign="follow") as other:
            add_hold(other, "c", Covered(), "all", ANN)
        with pytest.raises(Changed, match="run it again"):
            apply(log, view, ANN)
        assert not stubs(path)
        view = look_at(path, log, [YEAR], without_copy=True)
        assert view.plan.held == {"c": 9}


def test_a_reader_of_old_pages_is_named_and_the_next_call_ends_it(tmp_path: Path) -> None:
    import sqlite3

    from chained_logging.sinks import removal_rows

    path = tmp_path / "audit.db"
    fill(path, secrets(50))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM entries").fetchone()
    patience, removal_rows._PATIENCE = removal_rows._PATIENCE, 50
    try:
        _, done = purge(path, YEAR)
        assert "stay in its file -wal" in done.remarks[0]
        assert done.removed == 50
    finally:
        removal_rows._PATIENCE = patience
        reader.close()
    _, done = purge(path, YEAR)
    assert done.remarks == []
    assert b"secret" not in everything_in(tmp_path)


# --- JSON Lines.


def test_only_sealed_segments_are_rewritten_and_the_manifest_follows(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    fill(path, secrets(40))
    with AuditLog(path) as log:
        for event in secrets(2):
            log.append(**event)
    view, done = purge(path, YEAR)
    assert (view.plan.waiting, done.removed) == (2, 40)
    listed = read_manifest(path)
    assert [
        describe(one, segment.first_prev_hash)
        for one, segment in zip(segment_paths(path), listed, strict=True)
    ] == listed
    before, *_ = listed
    assert before.first_prev_hash == "GENESIS"
    assert [a.last_hash for a in listed[:-1]] == [b.first_prev_hash for b in listed[1:]]
    assert not list(tmp_path.glob("*.new"))
    for segment in segment_paths(path):
        assert segment.stat().st_mode & 0o777 == 0o600


def test_a_line_of_the_manifest_that_a_crash_left_behind_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chained_logging.sinks import removal_segments

    path = tmp_path / "audit.jsonl"
    fill(path, secrets(40))

    def die(*arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(removal_segments, "mend_manifest", die)
        with pytest.raises(Killed):
            purge(path, YEAR)
    first = segment_paths(path)[0]
    assert read_manifest(path)[0].bytes != first.stat().st_size
    purge(path, YEAR)
    assert read_manifest(path)[0].bytes == first.stat().st_size
    check_chain(path)


# --- Whatever the policies and holds are.


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_exactly_what_the_policies_say_is_gone(
    path: Path, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("log") / path.name
    kinds = st.tuples(st.integers(1, 50), st.sampled_from("ab"), st.sampled_from("rw"))
    events = data.draw(st.lists(kinds, max_size=40))
    periods = data.draw(st.dictionaries(st.sampled_from("abrw"), st.integers(5, 40), max_size=3))
    held = data.draw(st.sets(st.sampled_from("ab"), max_size=1))
    policies = [
        Policy(name, days, **{"resource_type" if name in "ab" else "action": (name,)})
        for name, days in periods.items()
    ]
    fill(path, [old(age + 0.5, resource=(kind, "1"), action=do) for age, kind, do in events])
    with AuditLog(path, sign="follow") as log:
        for kind in held:
            add_hold(log, "c", Covered(resource_type=kind), "r", ANN)
    before = left(path)
    purge(path, *policies)
    expected = {
        seq
        for seq, (age, kind, do) in enumerate(events, 1)
        if kind not in held
        and (days := [periods[name] for name in (kind, do) if name in periods])
        and age >= max(days)
    }
    assert stubs(path) == expected
    after = left(path)
    assert all(after[seq] == kept for seq, kept in before.items() if seq not in expected)
    check_chain(path)
