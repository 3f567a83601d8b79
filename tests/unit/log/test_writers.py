"""All that have a log open sign it alike: who would not is refused when he opens it, and told why.

What a log's entries say keeps nobody out who has its key, as others may have written them.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from programs import running
from signed_logs import ORIGIN, Key, append_lines, own, pin

from chained_logging import AuditLog, verify
from chained_logging.errors import KeyMissing


@pytest.fixture(autouse=True)
def few_objects() -> Iterator[None]:
    """Who is refused looks for a log that nobody holds, but not among the objects of all tests."""
    gc.freeze()
    yield
    gc.unfreeze()


WAYS: dict[str, dict[str, Any]] = {"each": {"sign": "each"}, "checkpoint": {}, "no key": {}}


def open_as(path: Path, way: str, key: Key) -> AuditLog:
    given = None if way == "no key" else key
    return AuditLog(path, key=given, origin=ORIGIN, sync_interval=0.02, **WAYS[way])


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("each", "checkpoint", "open it with sign='each'"),
        ("each", "no key", "is signed: open it with its key"),
        ("checkpoint", "each", "open it with sign='checkpoint'"),
        ("checkpoint", "no key", "is signed: open it with its key"),
        ("no key", "each", "open it without a key"),
    ],
)
@pytest.mark.parametrize("used", [False, True])
def test_a_second_writer_that_signs_another_way_is_refused(
    path: Path, first: str, second: str, reason: str, used: bool
) -> None:
    key = Key()
    if used:  # nothing that the entries say tells how the first one signs
        AuditLog(path, origin=ORIGIN).close()
        append_lines(path, [{"action": "before", **EVENT}])
    with open_as(path, first, key) as log:
        for _ in range(2):
            with pytest.raises(ValueError, match=reason):
                open_as(path, second, key)
            log.append("a", **EVENT)
        with open_as(path, first, key) as another:
            another.append("b", **EVENT)
    report = verify(path, public_key=None if first == "no key" else pin(key))
    assert report.status == "intact", report.faults


def test_a_key_is_given_while_writers_without_one_run(path: Path) -> None:
    """As in a restart of one worker after the other. Their entries are sealed."""
    key = Key()
    with open_as(path, "no key", key) as old:
        old.append("a", **EVENT)
        with open_as(path, "checkpoint", key) as new:
            old.append("b", **EVENT)
            new.append("c", **EVENT)
            with pytest.raises(ValueError, match="is signed: open it with its key"):
                open_as(path, "no key", key)
            with pytest.raises(ValueError, match="has the key"):
                open_as(path, "checkpoint", Key())
            old.close()
    assert verify(path, public_key=pin(key)).unsigned == 0


def test_a_key_that_nothing_is_signed_with_yet_keeps_those_without_one_out(path: Path) -> None:
    key = Key()
    with open_as(path, "no key", key) as log:
        log.append("a", **EVENT)
    append_lines(
        path, [own("key.add", origin=ORIGIN, public_key=pin(key))], own=True
    )  # then killed
    with pytest.raises(ValueError, match="is signed: open it with its key"):
        open_as(path, "no key", key)


def test_those_who_ended_keep_nobody_out(path: Path) -> None:
    key = Key()
    program = (
        "log = AuditLog(path)\nlog.append('a', **EVENT)\nprint('open', flush=True)\ntime.sleep(60)"
    )
    with running(path, program) as writer:
        writer.says("open")
        with pytest.raises(ValueError, match="open it without a key"):
            AuditLog(path, key=key, sign="each")
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        AuditLog(path, key=key, sign="each").close()
    left = AuditLog(path, key=key, sign="each")
    left.loop = left  # type: ignore[attr-defined]  # until Python collects it, nobody closes it
    del left
    with pytest.raises(ValueError, match="open it with sign='each'"):
        AuditLog(path, key=key)  # as the entries say
    assert verify(path).intact


def test_a_fork_takes_part_as_long_as_it_has_the_log_open(path: Path) -> None:
    key = Key()
    log = open_as(path, "each", key)
    child = os.fork()
    if not child:
        signal.pause()
    log.close()
    try:
        with pytest.raises(ValueError, match="open it with sign='each'"):
            open_as(path, "checkpoint", key)
        open_as(path, "each", key).close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert Path(f"{path}.writers").read_text() == "each\n"
    assert verify(path, public_key=pin(key)).intact


def test_where_the_file_was_deleted_the_first_to_write_spoils_nothing(path: Path) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN, sync_interval=600) as log:
        log.append("a", **EVENT)
        Path(f"{path}.writers").unlink()
        with open_as(path, "each", key) as other:
            other.append("b", **EVENT)
            log._parts.membership.look_around = True  # as its keeper does each interval
            with pytest.warns(UserWarning, match="open it with sign='checkpoint'|'each'"):
                assert log.append("c", **EVENT).hash is None
        with pytest.warns(UserWarning, match="sign='each'"):
            log.append("d", **EVENT)
        with pytest.warns(UserWarning, match="wait in"):
            log.close()
    with open_as(path, "each", key) as log:
        log.append("e", **EVENT)
    actions = [entry.action for entry in AuditLog(path, sign="follow").entries()]
    assert actions == ["log.open", "a", "b", "c", "d", "e"]
    assert verify(path, public_key=pin(key)).intact


@pytest.mark.parametrize("said", [b"", b"each\n", b"\xff" * 99, b"no key\n"])
def test_what_the_file_says_of_a_log_at_rest_is_not_believed(path: Path, said: bytes) -> None:
    key = Key()
    with open_as(path, "checkpoint", key) as log:
        log.append("a", **EVENT)
    Path(f"{path}.writers").write_bytes(said)
    with open_as(path, "checkpoint", key) as log:
        log.append("b", **EVENT)
        Path(f"{path}.writers").write_bytes(said)
    assert verify(path, public_key=pin(key)).intact


@pytest.mark.parametrize("way", ["each", "checkpoint"])
def test_tools_follow_and_are_refused_no_more_than_they_must(path: Path, way: str) -> None:
    key = Key()
    with open_as(path, way, key) as log:
        with (
            AuditLog(path, sign="follow", on_failure="raise") as keyless,
            AuditLog(path, key=key, sign="follow", on_failure="raise") as tool,
        ):
            keyless.note("log.note", x=1)
            with pytest.raises(KeyMissing, match="no key"):
                keyless.append("b", **EVENT)
            assert (tool.append("c", **EVENT).signature is not None) == (way == "each")
        log.append("d", **EVENT)
    report = verify(path, public_key=pin(key))
    assert (report.status, report.unsigned) == ("intact", 0)


def test_a_follower_that_only_looks_keeps_no_writer_out(path: Path) -> None:
    key = Key()
    AuditLog(path, origin=ORIGIN).close()
    with AuditLog(path, sign="follow", on_failure="raise") as tool:
        with open_as(path, "each", key) as log:
            log.append("a", **EVENT)
            with pytest.raises(KeyMissing, match="no key"):
                tool.append("b", **EVENT)
        tool.note("log.note", x=1)
    assert verify(path, public_key=pin(key)).intact


@pytest.mark.parametrize("signature", ["A" * 86 + "==", "x"])
def test_a_signature_of_nobody_does_not_make_the_log_one_of_signed_entries(
    path: Path, signature: str
) -> None:
    key = Key()
    with open_as(path, "checkpoint", key) as log:
        log.append("a", **EVENT)
    append_lines(path, [{"action": "forged", **EVENT}])
    if path.suffix == ".db":
        import sqlite3

        with sqlite3.connect(path) as connection:
            connection.execute("DROP TRIGGER entries_no_update")
            connection.execute("UPDATE entries SET signature = ? WHERE seq = 2", (signature,))
        connection.close()
    else:
        *lines, last = path.read_bytes().splitlines(keepends=True)
        last = last[:-2] + f',"signature":"{signature}"}}\n'.encode()
        path.write_bytes(b"".join([*lines, last]))
    with open_as(path, "checkpoint", key) as log:
        log.append("goes on", **EVENT)


def change(path: Path, seq: int, how: str) -> None:
    """Change an entry of a log at rest, so that it is none any more or another one."""
    if path.suffix == ".jsonl":
        lines = path.read_bytes().splitlines(keepends=True)
        junk = {"gone": b"", "junk": b"\xff{}\n", "edited": lines[seq].replace(b'"v":1', b'"v":2')}
        path.write_bytes(b"".join([*lines[:seq], junk[how], *lines[seq + 1 :]]))
        return
    import sqlite3

    with sqlite3.connect(path) as connection:
        for trigger in ("entries_no_update", "entries_no_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        edit = {
            "gone": "DELETE FROM entries",
            "junk": "UPDATE entries SET hash = CAST(hash AS BLOB)",
            "edited": "UPDATE entries SET body = replace(body, '\"v\":1', '\"v\":2')",
        }[how]
        connection.execute(f"{edit} WHERE seq = {seq}")
    connection.close()


@pytest.mark.parametrize("how", ["gone", "junk", "edited"])
@pytest.mark.parametrize("seq", [0, 1, 2])
def test_a_changed_entry_lets_nobody_in_without_the_key(path: Path, seq: int, how: str) -> None:
    key = Key()
    with open_as(path, "no key", key) as log:
        log.append("a", **EVENT)
    with open_as(path, "checkpoint", key) as log:  # its entry 2 names the key
        for n in range(150):
            log.append(f"b-{n}", **EVENT)
    change(path, seq, how)
    with pytest.raises(ValueError, match="is signed: open it with its key"):
        open_as(path, "no key", key)
    with open_as(path, "checkpoint", key) as log:
        log.append("goes on", **EVENT)


@pytest.mark.parametrize("how", ["gone", "junk", "edited"])
def test_a_changed_entry_keeps_nobody_out_of_a_log_without_a_key(path: Path, how: str) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        for n in range(3):
            log.append(f"a-{n}", **EVENT)
    change(path, 1, how)
    with AuditLog(path) as log:
        assert log.origin == ORIGIN
        assert log.append("goes on", **EVENT).seq == 4
    assert not verify(path).intact
