"""A disk that is full, read-only or broken, and one that works again.

The disk is a small tmpfs that the test mounts, or, where it may not, a limit on the size of
files (DISK=limit takes that one everywhere). An open file keeps a disk from being remounted
read-only, as only the kernel does that when it meets an error. So a running writer's calls get
their EROFS, and the EIO of a failed sync, from ``strace``, which Linux lets change a result.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from crash import Ack, check_rows, check_verifier, files_of, lacking, needs, rows_of

from chained_logging import AuditLog
from chained_logging.errors import FAILURES, LogError
from chained_logging.log import AuditWarning

# --- Disks.


class Disk:
    """A disk that can be filled. This one is a limit on the size of files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        sizes = [p.stat().st_size for p in self.path.iterdir() if not p.name.endswith("-shm")]
        limit = max([4096 * 10, *sizes])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        self.free()


class Mounted(Disk):
    """A tmpfs."""

    def __init__(self, path: Path, size: str) -> None:
        super().__init__(path)
        self._mount("-t", "tmpfs", "-o", f"size={size},mode=700,uid={os.getuid()}", "tmpfs")

    def _mount(self, *arguments: str) -> None:
        command = ["mount", *arguments, str(self.path)]
        if os.getuid() != 0:
            command[:0] = ["sudo", "-n"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=20)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            raise OSError(getattr(error, "stderr", str(error))) from error

    def fill(self) -> None:
        fd = os.open(self.path / "ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(fd, bytes(size))
        finally:
            os.close(fd)

    def free(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        self._mount("-o", f"remount,{how}")

    def close(self) -> None:
        command = ["umount", str(self.path)]
        if os.getuid() != 0:
            command[:0] = ["sudo", "-n"]
        for _ in range(3):
            if subprocess.run(command, capture_output=True, timeout=20).returncode == 0:
                return
            time.sleep(0.05)
        command.insert(-1, "--lazy")  # a failed test has left files open
        subprocess.run(command, check=True, capture_output=True, timeout=20)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    found: Disk
    try:
        if os.environ.get("DISK") == "limit":
            raise OSError("as was asked for")
        found = Mounted(path, "48m")
    except OSError:
        found = Disk(path)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def mounted(disk: Disk) -> Mounted:
    if not isinstance(disk, Mounted):
        lacking("a disk cannot be mounted here")
    return disk


@pytest.fixture(params=["jsonl", "db"])
def path(request: pytest.FixtureRequest, disk: Disk) -> Path:
    return disk.path / f"audit.{request.param}"


@pytest.fixture(params=["beside", "elsewhere"])
def spill(request: pytest.FixtureRequest, path: Path, tmp_path: Path) -> Path:
    return Path(f"{path}.spill") if request.param == "beside" else tmp_path / "spilled"


# --- What is noted, and checked.


def ack(entry: Any) -> Ack:
    """Note what append returned; a seq of -1 for an event that was kept for later."""
    if entry.hash is None:
        return Ack(str(entry.id), -1, "-", entry.action)
    return Ack(str(entry.id), entry.seq, entry.hash, entry.action)


def fill_up(log: AuditLog, disk: Disk, count: int = 5) -> list[Ack]:
    """Fill the disk and append until so many events had to be kept."""
    disk.fill()
    acks: list[Ack] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        while sum(entry.seq < 0 for entry in acks) < count:
            assert len(acks) < 2000, "the disk is not full"
            acks.append(ack(log.append(f"full-{len(acks)}", **EVENT, text="x" * 500)))
    assert {warning.category for warning in caught} == {AuditWarning}
    return acks


def check(path: Path, acks: Sequence[Ack], extra: int = 0) -> list[str]:
    """Check that each event is in the log once and where it was said to be, and nothing else is.

    Returns the actions in their order, without what the log wrote about itself.
    """
    found, actions = Counter[str](), []
    wanted = {entry.id: entry for entry in acks}
    for seq, hash, fields in check_rows(rows_of(path)):
        found[fields["id"]] += 1
        entry = wanted.get(fields["id"])
        if entry is not None and entry.seq >= 0:
            assert (entry.seq, entry.hash, entry.action) == (seq, hash, fields["action"])
        if fields["actor_id"] != "chained_logging":
            actions.append(fields["action"])
            assert entry is not None, f"nobody was told of {fields['action']}"
    assert [wanted[id].action for id in wanted if found[id] != 1] == []
    check_verifier(path)
    return actions


# --- A full disk.


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_a_full_disk_does_not_break_the_caller(
    path: Path, spill: Path, durability: Any, disk: Disk
) -> None:
    with AuditLog(path, spill=spill, durability=durability) as log:
        acks = [ack(log.append(f"before-{n}", **EVENT)) for n in range(3)]
        acks += fill_up(log, disk)
        stats = log.stats()
        assert stats["failed"] >= 5
        assert stats["last_error"]
        if spill.parent != path.parent:
            assert (stats["spilled"], stats["waiting"]) == (stats["failed"], 0)
            assert spill.exists()
        check(path, [entry for entry in acks if entry.seq >= 0])
        disk.free()
        acks.append(ack(log.append("after", **EVENT)))
        assert acks[-1].seq > 0
        assert log.stats()["waiting"] == 0
        assert not spill.exists()
        assert check(path, acks) == [entry.action for entry in acks]  # in their order
    assert check(path, acks) == [entry.action for entry in acks]


def test_what_was_kept_is_chained_without_another_call(path: Path, spill: Path, disk: Disk) -> None:
    with AuditLog(path, spill=spill, sync_interval=0.05) as log:
        acks = fill_up(log, disk)
        disk.free()
        ids = {entry.id for entry in acks}
        deadline = time.monotonic() + 5
        while not ids <= {str(entry.id) for entry in log.entries()}:
            assert time.monotonic() < deadline, log.stats()
            time.sleep(0.02)
    check(path, acks)


def test_a_full_disk_can_fail_the_call(path: Path, disk: Disk) -> None:
    log = AuditLog(path, on_failure="raise")
    acks = [ack(log.append("before", **EVENT))]
    disk.fill()
    failed = 0
    for n in range(2000):
        try:
            acks.append(ack(log.append(f"full-{n}", **EVENT, text="x" * 500)))
        except FAILURES:
            failed += 1
        if failed == 5:
            break
    assert failed == 5
    with pytest.raises(FAILURES, match=r"."):
        log.append_many([{"action": "none of these", **EVENT, "text": "x" * 5000}] * 30)
    assert log.stats()["waiting"] == 0
    check(path, acks)
    disk.free()
    acks.append(ack(log.append("after", **EVENT)))
    log.close()
    check(path, acks)
    assert not Path(f"{path}.spill").exists()


def in_child(work: Callable[[], None]) -> int:
    """Run something in a fork; return the process's id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(60)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def read_acks(path: Path) -> list[Ack]:
    return [Ack(*json.loads(line)) for line in path.read_text().splitlines()]


def test_a_writer_dies_on_a_full_disk(path: Path, tmp_path: Path, disk: Disk) -> None:
    spill, notes = tmp_path / "spilled", tmp_path / "notes"

    def work() -> None:
        log = AuditLog(path, spill=spill)
        acks = [ack(log.append("before", **EVENT)), *fill_up(log, disk)]
        notes.write_text("".join(json.dumps(entry) + "\n" for entry in acks))
        os.kill(os.getpid(), signal.SIGKILL)

    assert os.waitpid(in_child(work), 0)[1] == signal.SIGKILL
    acks = read_acks(notes)
    assert sum(entry.seq < 0 for entry in acks) == 5
    disk.free()
    with AuditLog(path, spill=spill) as log:
        acks.append(ack(log.append("after", **EVENT)))
    assert check(path, acks) == [entry.action for entry in acks]


def test_processes_on_a_disk_that_is_full_again_and_again(
    path: Path, spill: Path, tmp_path: Path, mounted: Mounted
) -> None:
    end = tmp_path / "end"

    def work(process: int) -> None:
        warnings.simplefilter("ignore", AuditWarning)
        log = AuditLog(path, spill=spill, sync_interval=0.03)
        fd = os.open(tmp_path / f"notes-{process}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def append(name: str) -> None:
            number = 0
            while not end.exists():
                entry = ack(log.append(f"{name}/{number}", **EVENT, text="x" * (number % 1500)))
                os.write(fd, json.dumps(entry).encode() + b"\n")
                number += 1
                time.sleep(0.003)

        names = [f"{process}-{n}" for n in range(2)]
        threads = [threading.Thread(target=append, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log.close()
        assert log.stats()["dropped"] == log.stats()["waiting"] == 0

    children = [in_child(lambda: work(process)) for process in range(3)]  # noqa: B023
    for _ in range(4):
        time.sleep(0.1)
        mounted.fill()
        time.sleep(0.1)
        mounted.free()
    time.sleep(0.1)
    end.touch()
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    with AuditLog(path, spill=spill) as log:
        last = ack(log.append("last", **EVENT))
    acks = [entry for notes in tmp_path.glob("notes-*") for entry in read_acks(notes)]
    kept = sum(entry.seq < 0 for entry in acks)
    print(f"{len(acks)} events, {kept} of them kept for later")
    assert kept > 5
    assert len(acks) - kept > 50
    check(path, [*acks, last])


def test_a_log_is_sealed_on_a_full_disk(tmp_path: Path, disk: Disk) -> None:
    path = disk.path / "audit.jsonl"
    # What is kept is written as soon as there is room, be it in a new segment.
    with AuditLog(path, spill=tmp_path / "spilled", max_bytes=50_000) as log:
        acks = [ack(log.append(f"before-{n}", **EVENT)) for n in range(100)]
        acks += fill_up(log, disk, count=150)
        disk.free()
        acks += [ack(log.append(f"after-{n}", **EVENT)) for n in range(100)]
    assert len(files_of(path)) > 2
    assert check(path, acks) == [entry.action for entry in acks]


@pytest.mark.parametrize("room", [0, 1])
def test_there_is_no_room_for_the_manifest(
    room: int, tmp_path: Path, mounted: Mounted, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The disk becomes full in the very middle of a rotation, with so many pages left.
    path = mounted.path / "audit.jsonl"
    log = AuditLog(path, spill=tmp_path / "spilled", max_bytes=20_000)
    rename, renamed = os.rename, []

    def full(old: Any, new: Any) -> None:
        rename(old, new)
        if not renamed and str(old) == str(path):
            mounted.fill()
            if room:
                os.truncate(
                    mounted.path / "ballast",
                    (mounted.path / "ballast").stat().st_size - 4096 * room,
                )
        renamed.append(new)

    monkeypatch.setattr(os, "rename", full)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AuditWarning)
        acks = [ack(log.append(f"a-{n}", **EVENT)) for n in range(70)]
    assert renamed
    mounted.free()
    acks += [ack(log.append(f"b-{n}", **EVENT)) for n in range(70)]
    log.close()
    assert check(path, acks) == [entry.action for entry in acks]


def test_a_log_is_opened_on_a_full_disk(path: Path, mounted: Mounted) -> None:
    with AuditLog(path) as log:
        acks = [ack(log.append("before", **EVENT))]
    mounted.fill()
    with warnings.catch_warnings(), contextlib.suppress(*FAILURES):  # it may say so, or keep
        warnings.simplefilter("ignore", AuditWarning)
        log = AuditLog(path)
        acks.append(ack(log.append("full", **EVENT, text="x" * 9000)))
        mounted.free()
        log.close()
    mounted.free()
    with AuditLog(path) as log:
        acks.append(ack(log.append("after", **EVENT)))
    assert check(path, acks) == [entry.action for entry in acks]


def test_a_log_cannot_be_made_on_a_full_disk(path: Path, mounted: Mounted) -> None:
    mounted.fill()
    with pytest.raises(FAILURES, match=r"."):
        AuditLog(path)
    mounted.free()
    with AuditLog(path) as log:
        acks = [ack(log.append("after", **EVENT))]
    check(path, acks)


def test_a_log_that_cannot_be_opened_leaves_no_file_open(path: Path, mounted: Mounted) -> None:
    mounted.fill()
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with pytest.raises(FAILURES, match=r"."):
            AuditLog(path)
    assert os.listdir("/proc/self/fd") == before


def test_a_torn_line_is_mended_once_there_is_room(mounted: Mounted) -> None:
    path = mounted.path / "audit.jsonl"
    with AuditLog(path) as log:
        acks = [ack(log.append("before", **EVENT))]
    torn = b'{"action":"' + b"x" * 20_000
    with path.open("ab") as file:
        file.write(torn)
    content = path.read_bytes()
    mounted.fill()
    with pytest.raises(FAILURES, match=r"."):
        AuditLog(path)
    assert path.read_bytes() == content
    mounted.free()
    with AuditLog(path) as log:
        acks.append(ack(log.append("after", **EVENT)))
    check(path, acks)
    assert torn in [aside.read_bytes() for aside in mounted.path.glob("*.torn-*")]


# --- A read-only disk.


def test_a_log_is_not_opened_on_a_read_only_disk(path: Path, mounted: Mounted) -> None:
    with AuditLog(path) as log:
        acks = [ack(log.append("before", **EVENT))]
    before = {name: name.read_bytes() for name in mounted.path.iterdir()}
    mounted.remount("ro")
    for policy in ("continue", "raise"):
        with pytest.raises(FAILURES, match="audit"):
            AuditLog(path, on_failure=policy)
    mounted.remount("rw")
    assert {name: name.read_bytes() for name in mounted.path.iterdir()} == before
    with AuditLog(path) as log:
        acks.append(ack(log.append("after", **EVENT)))
    assert check(path, acks) == ["before", "after"]


@contextlib.contextmanager
def failing(pid: int, calls: str, error: str, paths: Sequence[Path]) -> Iterator[None]:
    """Let calls of a process on some files fail, until the end."""
    command = ["strace", "-f", "-o", "/dev/null", "-p", str(pid), "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:error={error}"]
    for path in paths:
        command += ["-P", str(path)]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert strace.stderr is not None
        line = strace.stderr.readline()
        while line and "attached" not in line:
            if "not permitted" in line:
                lacking("strace may not trace here")
            line = strace.stderr.readline()
        assert line, "strace did not attach"
        yield
    finally:
        strace.terminate()
        strace.wait(timeout=20)
        if strace.stderr is not None:
            strace.stderr.close()


class Served:
    """A writer in a process of its own, which appends when it is told to."""

    def __init__(self, path: Path, **options: Any) -> None:
        needs("strace")
        orders, answers = os.pipe(), os.pipe()

        def work() -> None:
            os.close(orders[1])
            os.close(answers[0])
            warnings.simplefilter("ignore", AuditWarning)
            with AuditLog(path, **options) as log, os.fdopen(orders[0]) as lines:
                os.write(answers[1], b"open\n")
                for line in lines:
                    try:
                        answer: Any = ack(log.append(line.strip(), **EVENT))
                    except OSError as error:
                        answer = error.errno
                    except LogError:  # of SQLite, which names no errno
                        answer = None
                    os.write(answers[1], json.dumps(answer).encode() + b"\n")

        self.pid = in_child(work)
        os.close(orders[0])
        os.close(answers[1])
        self._orders, self._answers = orders[1], os.fdopen(answers[0])
        assert self._answers.readline() == "open\n"

    def append(self, action: str) -> Ack | int:
        """Let it append; the error's number if that raised."""
        os.write(self._orders, f"{action}\n".encode())
        answer = json.loads(self._answers.readline())
        return Ack(*answer) if isinstance(answer, list) else answer

    def close(self) -> None:
        os.close(self._orders)
        self._answers.close()
        assert os.waitpid(self.pid, 0)[1] == 0


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    served: list[Served] = []

    def start(path: Path, **options: Any) -> Served:
        served.append(Served(path, **options))
        return served[-1]

    yield start
    for writer in served:
        with contextlib.suppress(OSError):  # ended, and waited for
            os.kill(writer.pid, 0)
            os.kill(writer.pid, signal.SIGKILL)
            os.waitpid(writer.pid, 0)


WRITES = "write,pwrite64,ftruncate,rename,unlink"


def on_disk(path: Path, spill: Path) -> list[Path]:
    names = [path, Path(f"{path}-wal"), Path(f"{path}.lock")]
    return [*names, spill] if spill.parent == path.parent else names


def test_a_disk_turns_read_only_under_a_writer(path: Path, spill: Path, serve: Any) -> None:
    writer = serve(path, spill=spill)
    acks = [writer.append(f"before-{n}") for n in range(3)]
    with failing(writer.pid, WRITES, "EROFS", on_disk(path, spill)):
        acks += [writer.append(f"kept-{n}") for n in range(5)]
        assert [entry.seq for entry in acks[3:]] == [-1] * 5
        assert spill.exists() or spill.parent == path.parent
    acks += [writer.append(f"after-{n}") for n in range(3)]
    assert acks[-1].seq > 0
    writer.close()
    assert check(path, acks) == [entry.action for entry in acks]
    assert not spill.exists()


def test_a_disk_turns_read_only_and_the_call_fails(path: Path, serve: Any) -> None:
    writer = serve(path, on_failure="raise")
    acks = [writer.append(f"before-{n}") for n in range(3)]
    with failing(writer.pid, WRITES, "EROFS", on_disk(path, path)):
        assert all(not isinstance(writer.append("no"), Ack) for _ in range(5))
    acks += [writer.append(f"after-{n}") for n in range(3)]
    writer.close()
    assert check(path, acks) == [entry.action for entry in acks]


@pytest.mark.parametrize("policy", ["continue", "raise"])
def test_a_sync_fails(path: Path, policy: str, serve: Any) -> None:
    writer = serve(path, durability="fsync", on_failure=policy)
    acks = [writer.append(f"before-{n}") for n in range(3)]
    with failing(writer.pid, "fdatasync,fsync", "EIO", on_disk(path, path)):
        unsure = writer.append("unsure")
        # It must not be acknowledged as one that is on the disk.
        assert unsure.seq == -1 if policy == "continue" else not isinstance(unsure, Ack)
    acks += [writer.append(f"after-{n}") for n in range(3)]
    assert acks[-1].seq > 0
    writer.close()
    rows = [fields for _, _, fields in check_rows(rows_of(path))]
    actions = [fields["action"] for fields in rows]
    assert actions.count("unsure") <= 1
    assert policy == "raise" or "unsure" in actions
    assert "log.recover" in actions  # the log says that a sync failed
    known = {entry.id: entry for entry in acks}
    told = [f["id"] for f in rows if f["actor_id"] != "chained_logging" and f["action"] != "unsure"]
    assert told == list(known)
    check_verifier(path)
