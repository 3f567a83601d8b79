"""Reading a log is an entry in it, whoever reads, unless the entry says where else it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditEntry, AuditLog
from chained_logging.event.entry import InvalidEntry
from chained_logging.keys import PrivateKey
from chained_logging.review import reading
from chained_logging.review.filter import Filter
from chained_logging.review.reading import NotRecorded, Reader, Reading, Rules, record
from chained_logging.verify import verify

READER = Reader("ann", {"host": "h"})


def newest(path: Path) -> AuditEntry:
    with AuditLog(path, sign="follow") as log:
        return list(log.entries())[-1]


def test_the_entry_says_who_what_how_many_and_why(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    asked = Reading("query", Filter(actor=("u-1",)), 3, "a complaint", {"question": "logins"})
    where, made = record(str(path), asked, READER)
    entry = newest(path)
    assert (where, entry.hash) == (path, made.hash)
    assert (entry.action, entry.result) == ("audit_log.read", "success")
    assert (entry.actor_id, entry.actor_type) == ("chained_logging", "system")
    assert (entry.fields["on_behalf_of"], entry.fields["reason"]) == ("ann", "a complaint")
    assert entry.fields["resource_type"] == "audit_log"
    assert entry.context == {
        "entries": 3,
        "filter": "actor=u-1",
        "host": "h",
        "how": "query",
        "question": "logins",
    }


def test_all_entries_are_counted_where_no_count_is_given(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    record(str(path), Reading("export"), READER)
    assert newest(path).context["entries"] == 2


@pytest.mark.parametrize("sign", ["checkpoint", "each"])
def test_a_signed_log_is_read_without_its_key_and_stays_intact(path: Path, sign: str) -> None:
    key = PrivateKey.generate()
    with AuditLog(path, key=key, sign=sign) as log:  # type: ignore[arg-type]
        log.append("read", **EVENT)
        record(str(path), Reading("query"), READER)
        log.append("read", **EVENT)
    assert verify(path).intact
    assert verify(path).entries == 4


def test_a_program_cannot_pretend_that_the_log_was_read(path: Path) -> None:
    with AuditLog(path, strict=True) as log, pytest.raises(InvalidEntry, match="the log itself"):
        log.append("audit_log.read", **{**EVENT, "actor": "chained_logging"})


def test_a_copy_is_left_as_it_is(path: Path, tmp_path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    copy = tmp_path / f"copy{path.suffix}"
    shutil.copy(path, copy)
    before = copy.read_bytes()
    with pytest.raises(NotRecorded, match="is a copy"):
        record(str(copy), Reading("query"), READER)
    assert copy.read_bytes() == before
    assert not Path(f"{copy}.lock").exists()


def test_what_cannot_be_recorded_in_the_log_is_recorded_elsewhere(
    path: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "reads.jsonl"
    url = "postgresql://auditor:secret@db.example/audit?sslmode=require&password=secret"
    where, entry = record(url, Reading("query", entries=9), READER, str(elsewhere))
    assert where == elsewhere
    assert entry.context["log"] == "db.example/audit"
    assert b"secret" not in elsewhere.read_bytes()
    with pytest.raises(NotRecorded, match="central store"):
        record(url, Reading("query"), READER)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every file")
def test_a_log_that_one_may_only_read_says_so(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    path.chmod(0o400)
    with pytest.raises(NotRecorded, match="may not write"):
        record(str(path), Reading("query"), READER)


def test_a_log_of_somebody_else_is_not_written_to(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    path.chmod(0o666)  # as if it were anybody's
    with pytest.raises(NotRecorded, match="can be written to by others"):
        record(str(path), Reading("query"), READER)


def test_a_reason_can_be_demanded() -> None:
    Rules(reason=True).check(Reading("query", reason="a complaint"))
    for missing in (None, "", "  "):
        with pytest.raises(NotRecorded, match="a reason must be given"):
            Rules(reason=True).check(Reading("query", reason=missing))


def test_the_reader_is_the_one_who_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "mallory")
    monkeypatch.setenv("SUDO_USER", "mallory")
    user = reading._user_name(os.getuid())
    assert user != "mallory"
    monkeypatch.setattr(reading, "_login", lambda: "ann")
    assert Reader.of_this_process().name == "ann"
    assert Reader.of_this_process().about["user"] == user
    monkeypatch.setattr(reading, "_login", lambda: None)
    assert Reader.of_this_process().name == user


def test_a_user_without_a_name_has_a_number() -> None:
    assert reading._user_name(54_321) == "uid-54321"
