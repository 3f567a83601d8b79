"""A large log is read by a copy of the process: the same rows come of it, and the same errors."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review import index_build
from chained_logging.review.files import JsonlSource
from chained_logging.review.index_build import Alone, made, made_apart

ALONE = os.path.isdir("/proc/self/task") and (os.cpu_count() or 1) > 1


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(index_build, "_LARGE", 0)
    monkeypatch.setattr(index_build, "_BATCH", 7)
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as opened:
        opened.append_many([{"action": "read", **EVENT}] * 20)
    return path


SAME = """
import sys
from pathlib import Path
from chained_logging.review import index_build
from chained_logging.review.files import JsonlSource
index_build._LARGE, index_build._BATCH = 0, 7
source = JsonlSource(Path(sys.argv[1]))
apart = list(index_build.made_apart(source))
assert len(apart) == 3
assert apart == list(index_build.made(source.entries(), {}))
"""


@pytest.mark.skipif(not ALONE, reason="copies of a process are made on Linux, with two processors")
def test_a_copy_of_the_process_makes_the_same_rows(log: Path) -> None:
    subprocess.run([sys.executable, "-c", SAME, log], check=True)


@pytest.mark.skipif(not ALONE, reason="copies of a process are made on Linux, with two processors")
def test_what_goes_wrong_in_it_is_left_to_this_process(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_build, "_may_fork", lambda: True)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:18], lines[1], *lines[18:]]))
    with pytest.raises(Alone):
        list(made_apart(JsonlSource(log)))
    with pytest.raises(ValueError, match="its seq is 1, after 17"):
        list(made(JsonlSource(log).entries(), {}))


def test_a_program_with_threads_is_not_copied(log: Path) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with pytest.raises(Alone):
            next(made_apart(JsonlSource(log)))
    finally:
        done.set()
        thread.join()


def test_what_is_known_goes_on_from_batch_to_batch(log: Path) -> None:
    source = JsonlSource(log)
    *_, last = made(source.entries(), {})
    known = last[-1]
    assert (known["seq"], known["version"]) == ("20", index_build.VERSION)
    assert "fault" not in known
    assert list(made(iter(()), known)) == []
