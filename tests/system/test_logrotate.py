"""The real logrotate under running writers: the chain goes on, and what it loses is shown."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, stored
from programs import SECONDS, Program, needed, noted, place, running, until

from chained_logging.log import AuditLog, AuditWarning
from chained_logging.verify import Report, verify

WRITER = """
log = AuditLog(path)
stop = threading.Event()
def work(thread):
    while not stop.is_set():
        note(log.append(f"thread-{thread}", **EVENT))
        stop.wait(0.0003)
threads = [threading.Thread(target=work, args=(t,)) for t in range(2)]
for thread in threads: thread.start()
print("ready", flush=True)
sys.stdin.readline()
stop.set()
for thread in threads: thread.join()
log.close()
"""


class Logrotate:
    """The real program, with a configuration for one log."""

    def __init__(self, path: Path, *options: str) -> None:
        self.command = needed("logrotate", "logrotate")
        self.path = path
        self.directory = path.parent / "logrotate"
        self.directory.mkdir(mode=0o700)
        lines = ["rotate 1000", *options]
        # A name without a pattern: the files beside the log are nobody's to rotate.
        (self.directory / "conf").write_text(
            f'"{path}" {{\n' + "".join(f"  {line}\n" for line in lines) + "}\n"
        )
        self.turns = 0

    def rotate(self) -> None:
        """Rotate now. It is not a failure if a writer has made the new file first."""
        state, conf = str(self.directory / "state"), str(self.directory / "conf")
        command = [self.command, "--force", "--state", state, conf]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0 or "already exists" in done.stderr, done.stderr
        self.turns += 1
        # It names this file after the hour, and a second one of that hour would replace it.
        for file in self.path.parent.glob("*.backup"):
            file.rename(f"{file}.{self.turns}")


def pieces(path: Path) -> list[Path]:
    """Return all files that hold the log, in no order."""
    besides = (".lock", ".writers", ".spill", ".manifest", ".checkpoints", "-wal", "-shm")
    found = [file for file in path.parent.glob(f"{path.name}*") if not file.name.endswith(besides)]
    random.shuffle(found)
    return found


def entries(files: list[Path]) -> list[tuple[int, str, dict[str, Any]]]:
    """Return (seq, hash, body) of what stands in all pieces, in order of seq."""
    found = []
    for file in files:
        if file.suffix == ".db" or ".db." in file.name:
            if file.stat().st_size:
                found += [(seq, hash, json.loads(body)) for seq, body, hash in rows(file)]
            continue
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for line in data.split(b"\n")[:-1]:
            fields = json.loads(line)
            found.append((fields["seq"], fields["hash"], fields))
    return sorted(found, key=lambda entry: entry[0])


def rows(file: Path) -> list[tuple[int, bytes, str]]:
    """Read a database by its content, whatever its name."""
    copy = file.with_name(f"read-{file.name}.db")
    copy.symlink_to(file)
    try:
        return stored(copy)
    finally:
        copy.unlink()


def rotate_under_writers(path: Path, *options: str, writers: int, turns: int = 3) -> None:
    """Rotate several times while each of several processes appends in two threads."""
    logrotate = Logrotate(path, *options)
    notes = path.with_name("notes")

    def written() -> int:
        return notes.stat().st_size

    def step(programs: list[Program]) -> None:
        before = written()
        until(lambda: written() > before + 4000 * writers, "the writers went on")
        assert all(program.process.poll() is None for program in programs)

    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(running(path, WRITER)) for _ in range(writers)]
        for program in programs:
            program.says("ready")
        for _ in range(turns):
            step(programs)
            logrotate.rotate()
        step(programs)
        for program in programs:
            program.go()
        for program in programs:
            program.ends()


def check(path: Path) -> tuple[Report, set[str]]:
    """Verify all pieces, in any order, and return what was acknowledged and is in none.

    Holds for whatever happened: one genesis, no place given twice, and never "intact" where an
    acknowledged entry is missing.
    """
    found = entries(pieces(path))
    places = [seq for seq, _, _ in found]
    assert len(set(places)) == len(places), "a place was given twice"
    assert sum(fields["prev_hash"] == "GENESIS" for _, _, fields in found) == 1
    ids = {fields["id"]: (seq, hash) for seq, hash, fields in found}
    acknowledged = noted(path)
    lost = acknowledged.keys() - ids.keys()
    assert {id: ids[id] for id in acknowledged.keys() - lost} == {
        id: acknowledged[id] for id in acknowledged.keys() - lost
    }
    first = verify(*pieces(path))
    again = verify(*pieces(path))
    assert (first.status, first.fault_count) == (again.status, again.fault_count)
    if lost:
        assert first.status != "intact", f"{len(lost)} acknowledged entries are missing"
    return first, lost


def reopened(path: Path) -> int:
    return sum(fields["action"] == "log.reopen" for _, _, fields in entries(pieces(path)))


# --- The file is moved away: nothing is lost.


@pytest.mark.parametrize(
    "options",
    [["create 0600"], ["nocreate"], ["nocreate", "compress", "delaycompress"]],
    ids=lambda options: "-".join(options).replace(" ", ""),
)
@pytest.mark.parametrize("writers", [1, 2])
def test_moving_loses_nothing(tmp_path: Path, options: list[str], writers: int) -> None:
    path = tmp_path / "audit.jsonl"
    rotate_under_writers(path, *options, writers=writers)
    report, lost = check(path)
    assert report.status == "intact", report.faults[:3]
    assert not lost
    assert report.starts_at_genesis
    assert reopened(path) >= 3
    assert len(pieces(path)) >= 4
    assert [file.suffix for file in pieces(path)].count(".gz") == 2 * ("compress" in options)
    assert not Path(f"{path}.spill").exists()
    # A piece that is left out is missed, in the middle and at the front.
    ordered = sorted(pieces(path), key=lambda file: entries([file])[0][0] if file != path else -1)
    for gone in ordered[1:3]:
        rest = [file for file in pieces(path) if file != gone]
        assert verify(*rest).status in ("tampered", "incomplete"), gone


def test_a_writer_that_makes_the_new_file_before_logrotate(tmp_path: Path) -> None:
    # What `create` does then, seen with strace: the writer's file becomes a ….backup.
    path = tmp_path / "audit.jsonl"
    backup = Path(f"{path}-2026112421.backup")
    with AuditLog(path) as log:
        log.append("a", **EVENT)
        os.rename(path, f"{path}.1")
        log.append("b", **EVENT)
        os.rename(path, backup)
        path.touch(0o600)
        log.append("c", **EVENT)
    assert verify(*pieces(path)).intact
    assert [fields["action"] for _, _, fields in entries([backup])] == ["log.reopen", "b"]
    without = verify(*(file for file in pieces(path) if file != backup))
    assert [fault.kind for fault in without.faults] == ["missing"]


def test_rotation_between_two_runs(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("a", **EVENT)
    os.rename(path, f"{path}.1")
    with AuditLog(path) as log:
        log.append("b", **EVENT)
    assert verify(path, f"{path}.1").intact
    actions = [fields["action"] for _, _, fields in entries(pieces(path))]
    assert actions == ["log.open", "a", "log.recover", "b"]


def test_rotation_after_a_writer_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    program = """
        log = AuditLog(path, sync_interval=1000)
        for n in range(5):
            note(log.append(str(n), **EVENT))
        print("ready", flush=True)
        time.sleep(1000)
    """
    with running(path, program) as writer:
        writer.says("ready")
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    Logrotate(path, "nocreate").rotate()
    with AuditLog(path) as log:
        log.append("after", **EVENT)
    report, lost = check(path)
    assert not lost
    assert report.status == "intact", report.faults[:3]


# --- copytruncate: what is written between its copy and its cut is lost, and that is shown.


@pytest.mark.parametrize("writers", [1, 2])
def test_what_copytruncate_loses_is_missed(tmp_path: Path, writers: int) -> None:
    path = tmp_path / "audit.jsonl"
    rotate_under_writers(path, "copytruncate", writers=writers)
    report, lost = check(path)
    assert (report.status == "intact") == (not lost), (len(lost), report.faults[:3])
    assert {fault.kind for fault in report.faults} <= {"missing", "torn"}
    assert reopened(path) >= 3
    assert not Path(f"{path}.spill").exists()


@pytest.mark.parametrize("next_step", ["append", "keeper", "close"])
def test_no_place_is_given_twice_where_the_file_grew_to_its_old_size(
    tmp_path: Path, next_step: str
) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as one, AuditLog(path) as other:
        for _ in range(5):
            one.append("a", **EVENT)
        other.append("b", **EVENT, reason="x")
        seen = path.stat().st_size  # by the other
        line = len(path.read_bytes().splitlines(keepends=True)[-1])
        shutil.copy(path, f"{path}.1")
        cut(path)
        one.append("c", **EVENT)  # after an entry about the cut
        one.append("d", **EVENT, reason="x" * (1 + seen - path.stat().st_size - line))
        assert path.stat().st_size == seen
        if next_step == "keeper":
            other._parts.upkeep.tend()
        if next_step == "close":
            other.close()
            other = AuditLog(path)
        other.append("e", **EVENT)
        one.append("f", **EVENT)
        other.close()
    found = [seq for seq, _, _ in entries(pieces(path))]
    assert found == list(range(len(found)))
    assert verify(path, f"{path}.1").intact


def test_the_keeper_forgets_no_entry_that_was_cut_off_unseen(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as one, AuditLog(path) as other:
        other.append("a", **EVENT)
        lost = one.append("b", **EVENT)
        cut(path)
        other._parts.upkeep.tend()
        other.append("c", **EVENT)
    assert min(seq for seq, _, _ in entries([path])) > lost.seq


def cut(path: Path) -> None:
    """Do what copytruncate does after its window."""
    os.truncate(path, 0)


@pytest.mark.parametrize("last", ["one", "other"])
def test_an_entry_in_the_window_is_missed_whoever_writes_next(tmp_path: Path, last: str) -> None:
    # The next writer may be one that never saw the lost entry, and would take its place.
    path = tmp_path / "audit.jsonl"
    with (
        AuditLog(path, sync_interval=1000) as one,
        AuditLog(path, sync_interval=1000) as other,
    ):
        kept = [one.append("a", **EVENT), other.append("b", **EVENT)]
        shutil.copy(path, f"{path}.1")
        lost = one.append("in the window", **EVENT)
        cut(path)
        kept.append((one if last == "one" else other).append("c", **EVENT))
        kept.append((other if last == "one" else one).append("d", **EVENT))
    report = verify(*pieces(path))
    found = {fields["id"]: (seq, hash) for seq, hash, fields in entries(pieces(path))}
    assert lost.id not in found
    assert dict(map(place, kept)).items() <= found.items()
    assert report.status == "tampered", "it says intact, and an acknowledged entry is missing"
    assert [fault.kind for fault in report.faults] == ["missing"]


def test_an_entry_in_the_window_is_missed_when_its_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    program = """
        log = AuditLog(path, sync_interval=1000)
        log.append("a", **EVENT)
        print("written", flush=True)
        sys.stdin.readline()
        note(log.append("in the window", **EVENT))
        print("written", flush=True)
        time.sleep(1000)
    """
    with running(path, program) as writer:
        writer.says("written")
        shutil.copy(path, f"{path}.1")
        writer.go()
        writer.says("written")
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    cut(path)
    with AuditLog(path) as log:
        log.append("after", **EVENT)
    report, lost = check(path)
    assert len(lost) == 1
    assert [fault.kind for fault in report.faults] == ["missing"]


def test_an_entry_in_the_window_is_missed_when_nothing_follows_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append("a", **EVENT)
        shutil.copy(path, f"{path}.1")
        log.append("in the window", **EVENT)
        cut(path)
    report = verify(*pieces(path))
    assert [fault.kind for fault in report.faults] == ["missing"]


@pytest.mark.parametrize("pad", [0, 200, 400])
def test_a_file_that_was_cut_and_has_grown_past_its_size(tmp_path: Path, pad: int) -> None:
    # A writer that comes back finds no shorter file, and where it stopped is the middle of a line.
    path = tmp_path / "audit.jsonl"
    with (
        AuditLog(path, sync_interval=1000) as sleeping,
        AuditLog(path, sync_interval=1000) as other,
    ):
        for _ in range(3):
            sleeping.append("a", **EVENT)
        size = path.stat().st_size
        other.append("b", **EVENT)
        shutil.copy(path, f"{path}.1")
        cut(path)
        other.append("c", **EVENT, pad="x" * pad)
        while path.stat().st_size <= size:
            other.append("d", **EVENT)
        sleeping.append("e", **EVENT)
        other.append("f", **EVENT)
    report = verify(*pieces(path))
    assert report.status == "intact", report.faults[:3]
    assert [fields["action"] for _, _, fields in entries(pieces(path))][-2:] == ["e", "f"]


def test_a_file_that_was_cut_and_has_grown_to_just_its_size(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with (
        AuditLog(path, sync_interval=1000) as sleeping,
        AuditLog(path, sync_interval=1000) as other,
    ):
        for _ in range(3):
            sleeping.append("a", **EVENT)
        size = path.stat().st_size
        other.append("b", **EVENT, pad="")
        line = path.stat().st_size - size
        shutil.copy(path, f"{path}.1")
        cut(path)
        other.append("c", **EVENT)
        other.append("d", **EVENT, pad="x" * (size - path.stat().st_size - line))
        assert path.stat().st_size == size
        sleeping.append("e", **EVENT)
        other.append("f", **EVENT)
    # No size shows this: what the other noted in the lock file does.
    assert verify(*pieces(path)).status == "intact"


@pytest.mark.parametrize("when", [1, 2, 3, "written"], ids=lambda when: f"read-{when}")
def test_a_file_that_is_cut_in_the_middle_of_an_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int | str
) -> None:
    # Nothing that a writer cuts off may make a shorter file longer, with zeros in it.
    path = tmp_path / "audit.jsonl"
    reads, cuts = [0], []
    pread, write = os.pread, os.write

    def cut_and_pread(fd: int, size: int, offset: int) -> bytes:
        if os.path.samestat(os.fstat(fd), path.stat()):
            reads[0] += 1
            if reads[0] == when:
                cut(path)
                cuts.append(True)
        return pread(fd, size, offset)

    def cut_and_write(fd: int, data: bytes) -> int:
        if not cuts and os.path.samestat(os.fstat(fd), path.stat()):
            cut(path)
            cuts.append(True)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data)

    with (
        AuditLog(path, sync_interval=1000) as one,
        AuditLog(path, sync_interval=1000) as other,
    ):
        one.append("a", **EVENT)
        other.append("b", **EVENT)
        shutil.copy(path, f"{path}.1")
        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", AuditWarning)
            if when == "written":
                patch.setattr(os, "write", cut_and_write)
            else:
                patch.setattr(os, "pread", cut_and_pread)
            one.append("c", **EVENT)
        if not cuts and when in (2, 3):
            return  # it need not read so often
        other.append("d", **EVENT)
    assert b"\0" not in path.read_bytes()
    report = verify(*pieces(path))
    assert report.status == "intact", report.faults[:3]
    found = [fields["action"] for _, _, fields in entries(pieces(path))]
    assert sorted(action for action in found if action in "abcd") == list("abcd")


# --- Databases are not for logrotate. What it does to them is shown, too.


@pytest.mark.parametrize("options", [["nocreate"], ["create 0600"], ["copytruncate"]], ids=str)
def test_a_database_that_was_rotated_is_never_intact_with_entries_missing(
    tmp_path: Path, options: list[str]
) -> None:
    path = tmp_path / "audit.db"
    logrotate = Logrotate(path, *options)
    made = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AuditWarning)
        with AuditLog(path) as log:
            for n in range(4):
                made += [log.append(f"{n}-{number}", **EVENT) for number in range(20)]
                if n < 3:
                    logrotate.rotate()
    acknowledged = dict(place(entry) for entry in made if entry.hash is not None)
    report = verify(*pieces(path))
    assert report.status in ("intact", "tampered", "unchecked")
    assert len(acknowledged) >= 20
    if len(acknowledged) < len(made):
        assert Path(f"{path}.spill").exists()
    if report.intact:
        found = {fields["id"]: (seq, hash) for seq, hash, fields in entries(pieces(path))}
        missing = acknowledged.items() - found.items()
        assert not missing, f"it says intact, and {len(missing)} acknowledged entries are missing"
