"""The spill file keeps events, and trusts none of its lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chains import EVENT
from log_parts import events

from chained_logging.errors import Busy, ForeignFile
from chained_logging.event.draft import Draft, draft
from chained_logging.event.fields import OURSELVES
from chained_logging.format.line import GENESIS
from chained_logging.log import spill
from chained_logging.log.spill import Spill, spills_of


def bodies(file: Spill) -> list[bytes]:
    return [item.body(0, GENESIS) for item in file.read() if isinstance(item, Draft)]


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    file, waiting = Spill(tmp_path / "a.spill"), events("a", "b", "c")
    assert not file.exists()
    file.add(waiting[:2])
    file.add(waiting[2:], sync=False)
    assert file.exists()
    assert bodies(file) == [event.body(0, GENESIS) for event in waiting]
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.remove(sync=True)
    assert not file.exists()


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    file, (first, second) = Spill(tmp_path / "a.spill"), events("a", "b")
    file.add([first])
    with open(file.path, "ab") as torn:
        torn.write(first.body(0, GENESIS)[:50])
    file.add([second])
    assert bodies(file) == [first.body(0, GENESIS), second.body(0, GENESIS)]
    name = file.set_aside()
    assert (tmp_path / name).read_bytes() == first.body(0, GENESIS)[:50] + b"\n"


def test_the_lowest_mark_counts(tmp_path: Path) -> None:
    file = Spill(tmp_path / "a.spill")
    file.add(events("a"))
    assert file.start() is None
    with file.held():
        file.mark(7, sync=False)
        file.mark(3, sync=False)
        file.mark(9, sync=False)
    assert file.start() == 3


def test_no_line_speaks_in_the_logs_name(tmp_path: Path) -> None:
    file = Spill(tmp_path / "a.spill")
    forged = draft(
        {**EVENT, "actor": OURSELVES, "actor_type": "system"}, action="key.rotate", own=True
    )
    file.add([forged])
    assert bodies(file) == []
    assert [item for item in file.read() if isinstance(item, bytes)]


def test_nothing_is_added_while_events_are_chained(tmp_path: Path) -> None:
    file = Spill(tmp_path / "a.spill")
    file.add(events("a"))
    with file.held():
        for one in (file, Spill(file.path)):  # this one, and another process's
            with pytest.raises(Busy):
                one.add(events("b"), patience=0)
    file.add(events("b"), patience=0)
    assert len(bodies(file)) == 2


def test_a_file_that_others_can_write_is_left_alone(tmp_path: Path) -> None:
    file = Spill(tmp_path / "a.spill")
    file.add(events("a"))
    os.chmod(file.path, 0o666)
    assert not file.exists()
    assert file.refused is not None
    assert str(file.path) in file.refused
    os.chmod(file.path, 0o600)
    assert file.exists()
    assert file.refused is None


def test_events_elsewhere_are_in_a_folder_of_this_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "FOLDERS", (str(tmp_path),))
    beside, elsewhere = spills_of(tmp_path / "audit.jsonl")
    assert beside.path == tmp_path / "audit.jsonl.spill"
    elsewhere.add(events("a"))
    folder = elsewhere.path.parent
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert elsewhere.exists()
    folder.chmod(0o755)
    assert not elsewhere.exists()
    with pytest.raises(ForeignFile, match="only this user"):
        elsewhere.add(events("b"))


def test_two_logs_never_share_a_file_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "FOLDERS", (str(tmp_path),))
    one, other = (spills_of(tmp_path / name / "audit.db")[1].path for name in ("a", "b"))
    assert one.parent == other.parent
    assert one != other
