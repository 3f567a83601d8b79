"""Power failures: what a disk may hold after one, made from a record of a real writer's calls.

``strace`` records every call of a writer that changes files, with the bytes. The record is
replayed up to a cut, and what the disk holds then is put together from what was synced:

- the bytes that were written before the last ``fsync`` or ``fdatasync`` of their file began;
- the names that were made, changed or removed before the last ``fsync`` of their directory began;

and, as nothing forbids a disk to be faster, from some of the rest: none, all, the first few
writes with the last one torn, any of the writes, any sectors or pages, and a size without the
data. Names come in their order, as a journal keeps them. The log is opened on that, and every
entry acknowledged before the cut must be there once, in an intact chain.

POWER_CUTS=0 takes every cut of each record instead of some.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import uuid
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from chains import EVENT, THOROUGH
from crash import (
    Ack,
    Found,
    acks_in,
    check_rows,
    check_verifier,
    fresh_seed,
    lacking,
    needs,
    rows_of,
)

from chained_logging import AuditLog

CUTS = int(os.environ.get("POWER_CUTS", 30 if THOROUGH else 14))

# --- The record of a writer.

# Every call that can change a file or say what a descriptor is. One that the replay does not
# know makes it fail, rather than be left out.
CALLS = (
    "open,openat,openat2,creat,close,dup,dup2,dup3,fcntl,lseek,clone,clone3,fork,vfork,"
    "write,writev,pwrite64,pwritev,pwritev2,sendfile,copy_file_range,splice,fallocate,"
    "ftruncate,truncate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,"
    "mkdir,mkdirat,rmdir,mmap,fsync,fdatasync,sync,syncfs,sync_file_range,msync,io_uring_setup"
)

WRITER = """
import json, os, sys, threading
from pathlib import Path
from chained_logging import AuditLog
path, options, threads, calls = sys.argv[1], json.loads(sys.argv[2]), *map(int, sys.argv[3:])
EVENT = {event!r}
ack = os.open("/dev/null", os.O_WRONLY)

def note(entries):
    lines = [(e.id, -1 if e.hash is None else e.seq, e.hash or "-", e.action) for e in entries]
    text = "".join("%s %s %s %s\\n" % line for line in lines)
    os.write(ack, b"ack\\n" + text.encode())

def sync_no_directories():
    for module in list(sys.modules.values()):
        if hasattr(module, "sync_directory"):
            module.sync_directory = lambda path: None

def work(log, t):
    for n in range(calls):
        size = (0, 0, 300, 6000)[(n + t) % 4]
        if n % 7 == 3:
            note(log.append_many([{{"action": f"{{t}}/{{n}}-{{i}}", **EVENT}} for i in range(3)]))
        else:
            note([log.append(f"{{t}}/{{n}}", **EVENT, text="x" * size)])

def run(log):
    workers = [threading.Thread(target=work, args=(log, t)) for t in range(threads)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
    log.close()
"""

PLAIN = "run(AuditLog(path, **options))"


@dataclass
class Call:
    """One system call as strace shows it."""

    name: str
    arguments: str
    began: int
    result: int = -1

    @property
    def texts(self) -> list[bytes]:
        found = re.findall(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?', self.arguments)
        assert not any(cut for _, cut in found), "strace left bytes out"
        return [bytes.fromhex(text.replace("\\x", "")) for text, _ in found]

    @property
    def numbers(self) -> list[int]:
        bare = re.sub(r'"[^"]*"', '""', self.arguments)
        return [int(n) for n in re.findall(r"(?:^|, )(-?\d+)(?=,|$)", bare)]


def run(path: Path, options: dict[str, Any], program: str, *size: int, under: Any = ()) -> None:
    """Run a writer in a process of its own."""
    text = WRITER.format(event=EVENT) + textwrap.dedent(program)
    command = [*under, sys.executable, "-c", text, str(path), json.dumps(options)]
    command += map(str, size or (1, 1))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        lacking("strace may not trace here")
    assert done.returncode == 0, done.stderr[-2000:]


def record(path: Path, options: dict[str, Any], program: str, *size: int) -> str:
    """Run a writer under strace, and return the record."""
    needs("strace")
    trace = path.parent.with_name("strace.txt")
    strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-xx", "-s", "10000000", "-o", str(trace)]
    run(path, options, program, *size, under=[*strace, "-e", f"trace={CALLS}"])
    return trace.read_text()


_LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)", re.S)
_RESULT = re.compile(r"(.*)\) += (-?\d+|\?)[^\"]*", re.S)


def calls_in(trace: str) -> Iterator[tuple[str, Call]]:
    """Yield ("begin", call) and ("end", call) in the order of the record."""
    open_calls: dict[str, Call] = {}
    for number, line in enumerate(trace.splitlines()):
        found = _LINE.match(line)
        if found is None:  # a signal, the end of a process
            continue
        pid, resumed, name, rest = found.groups()
        if resumed is None:
            call = open_calls[pid] = Call(name, "", number)
        else:
            call = open_calls[pid]
        if rest.endswith("<unfinished ...>"):
            call.arguments = rest.removesuffix("<unfinished ...>").rstrip()
            yield "begin", call
            continue
        ended = _RESULT.fullmatch(rest)
        assert ended is not None, line[:300]
        call.arguments += ended[1]
        call.result = -1 if ended[2] == "?" else int(ended[2])
        if resumed is None:
            yield "begin", call
        del open_calls[pid]
        yield "end", call


# --- The disk.


@dataclass(eq=False)
class Inode:
    """A file: what is on the disk for certain, and what was done to it since.

    A change is (offset, bytes), or (size, None) for a truncation.
    """

    synced: bytes = b""
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)
    count: int = 0  # how many changes were synced

    @property
    def now(self) -> bytes:
        return changed(self.synced, self.changes)

    @property
    def size(self) -> int:
        size = len(self.synced)
        for at, data in self.changes:
            size = at if data is None else max(size, at + len(data))
        return size


def changed(content: bytes, changes: list[tuple[int, bytes | None]]) -> bytes:
    file = bytearray(content)
    for at, data in changes:
        if len(file) < at:
            file.extend(bytes(at - len(file)))
        if data is None:
            del file[at:]
        else:
            file[at : at + len(data)] = data
    return bytes(file)


@dataclass(eq=False)
class Descriptor:
    inode: Inode | None  # None: the directory itself
    append: bool
    offset: int = 0


Names = dict[str, Inode]
Image = dict[str, bytes]


@dataclass
class Disk:
    """One directory, as a record of calls changes it."""

    directory: Path
    start: Image
    names: Names = field(default_factory=dict)
    synced_names: Names = field(default_factory=dict)
    name_changes: list[tuple[str, Inode | None]] = field(default_factory=list)
    """(name, None) is one that was removed. A rename is one change of two names."""
    name_count: int = 0
    acks: list[Ack] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._files: dict[int, Descriptor] = {}
        self._syncs: dict[int, int] = {}
        self.names = {name: Inode(content) for name, content in self.start.items()}
        self.synced_names = dict(self.names)

    def play(self, trace: str) -> Iterator[str]:
        """Follow a record; yield the name of each call that changed something, and ``ack``."""
        for moment, call in calls_in(trace):
            if moment == "begin":
                yield from self._begin(call)
            elif call.result >= 0:
                method = getattr(self, f"_do_{call.name}", None)
                if method is None:
                    self._refuse(call)
                elif method(call):
                    yield call.name

    # At the beginning: an acknowledgement is made; a descriptor is free for others; what was
    # written until here is what a sync is certain to cover.

    def _begin(self, call: Call) -> Iterator[str]:
        if call.name in ("write", "close", "fsync", "fdatasync"):
            fd = call.numbers[0]
        if call.name == "close":
            self._files.pop(fd, None)
        elif call.name == "write" and fd not in self._files:
            (text,) = call.texts
            if text.startswith(b"ack\n"):
                self.acks += acks_in(text[4:])
                yield "ack"
        elif call.name in ("fsync", "fdatasync") and fd in self._files:
            inode = self._files[fd].inode
            if inode is None:
                self._syncs[call.began] = self.name_count + len(self.name_changes)
            else:
                self._syncs[call.began] = inode.count + len(inode.changes)

    def _refuse(self, call: Call) -> None:
        ours = any(str(self.directory).encode() in text for text in call.texts)
        numbers = call.numbers if call.name in ("copy_file_range", "splice") else call.numbers[:1]
        if ours or any(fd in self._files for fd in numbers):
            raise NotImplementedError(f"{call.name}({call.arguments[:300]}")

    def _name(self, text: bytes) -> str | None:
        path = Path(text.decode())
        return path.name if path.parent == self.directory else None

    def _do_openat(self, call: Call) -> bool:
        (text,) = call.texts
        assert text.startswith(b"/") or b"audit" not in text, text
        if Path(text.decode()) == self.directory:
            self._files[call.result] = Descriptor(None, False)
            return False
        name = self._name(text)
        if name is None:
            assert not text.startswith(str(self.directory).encode() + b"/"), text
            return False
        made = name not in self.names
        if made:
            self._change_name(name, Inode())
        inode = self.names[name]
        self._files[call.result] = Descriptor(inode, "O_APPEND" in call.arguments)
        if "O_TRUNC" in call.arguments and inode.size:
            inode.changes.append((0, None))
            return True
        return made

    _do_open = _do_openat

    def _do_close(self, call: Call) -> bool:
        return False

    def _do_fcntl(self, call: Call) -> bool:
        if "F_DUPFD" in call.arguments and call.numbers[0] in self._files:
            self._files[call.result] = self._files[call.numbers[0]]
        return False

    def _do_clone(self, call: Call) -> bool:
        assert "CLONE_FILES" in call.arguments, "a process of its own has its own descriptors"
        return False

    _do_clone3 = _do_clone

    def _do_lseek(self, call: Call) -> bool:
        if call.numbers[0] in self._files:
            self._files[call.numbers[0]].offset = call.result
        return False

    def _do_mmap(self, call: Call) -> bool:
        if "MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments:
            fd = int(call.arguments.split(", ")[4])
            inode = self._files[fd].inode if fd in self._files else None
            for name, other in self.names.items():  # the WAL's index is rebuilt, and left out
                assert other is not inode or name.endswith("-shm"), f"{name} is mapped"
        return False

    def _do_write(self, call: Call) -> bool:
        opened = self._files.get(call.numbers[0])
        if opened is None or opened.inode is None:
            return False
        if opened.append:
            opened.offset = opened.inode.size
        (text,) = call.texts
        opened.inode.changes.append((opened.offset, text[: call.result]))
        opened.offset += call.result
        return True

    def _do_pwrite64(self, call: Call) -> bool:
        opened = self._files.get(call.numbers[0])
        if opened is None or opened.inode is None:
            return False
        assert not opened.append
        (text,) = call.texts
        opened.inode.changes.append((call.numbers[-1], text[: call.result]))
        return True

    def _do_ftruncate(self, call: Call) -> bool:
        opened = self._files.get(call.numbers[0])
        if opened is None or opened.inode is None:
            return False
        opened.inode.changes.append((call.numbers[1], None))
        return True

    def _do_fsync(self, call: Call) -> bool:
        opened = self._files.get(call.numbers[0])
        upto = self._syncs.pop(call.began, None)
        if opened is None or upto is None:
            return False
        inode = opened.inode
        if inode is None:  # another thread's sync may have covered some of it meanwhile
            count = max(0, upto - self.name_count)
            apply(self.synced_names, self.name_changes[:count])
            del self.name_changes[:count]
            self.name_count += count
        else:
            count = max(0, upto - inode.count)
            inode.synced = changed(inode.synced, inode.changes[:count])
            del inode.changes[:count]
            inode.count += count
        return count > 0

    _do_fdatasync = _do_fsync

    def _change_name(self, name: str, inode: Inode | None) -> None:
        apply(self.names, [(name, inode)])
        self.name_changes.append((name, inode))

    def _do_unlink(self, call: Call) -> bool:
        name = self._name(call.texts[0])
        if name is not None:
            self._change_name(name, None)
        return name is not None

    def _do_rename(self, call: Call) -> bool:
        old, new = map(self._name, call.texts)
        assert (old is None) == (new is None)
        if old is not None and new is not None:
            change = (f"{old}/{new}", self.names[old])
            apply(self.names, [change])
            self.name_changes.append(change)
        return old is not None

    # What is on the disk after a power failure.

    def images(
        self, choose: random.Random, count: int, kept: Sequence[str]
    ) -> Iterator[tuple[str, Image]]:
        """Yield what the directory may hold now, with a name for how that was chosen."""
        yield "nothing unsynced", self._image(lambda inode: inode.synced, 0)
        yield "everything", self._image(lambda inode: inode.now, len(self.name_changes))
        for _ in range(count):
            how = choose.choice(kept)
            names = choose.choice([0, len(self.name_changes)])
            names = choose.choice([names, choose.randint(0, len(self.name_changes))])
            image = self._image(lambda inode: KEPT[how](inode, choose), names)  # noqa: B023
            yield f"{how}, {names} of {len(self.name_changes)} names", image

    def _image(self, content: Any, names: int) -> Image:
        kept = dict(self.synced_names)
        apply(kept, self.name_changes[:names])
        return {name: content(inode) for name, inode in kept.items() if not name.endswith("-shm")}


def apply(names: Names, changes: list[tuple[str, Inode | None]]) -> None:
    for name, inode in changes:
        if inode is None:
            names.pop(name, None)
        else:
            old, _, new = name.rpartition("/")
            names.pop(old, None)
            names[new] = inode


def _torn(inode: Inode, choose: random.Random) -> bytes:
    """The first few writes, and a part of the next."""
    changes = inode.changes[: choose.randint(0, len(inode.changes))]
    if changes and (data := changes[-1][1]):
        # A size may be any; what stood there before is replaced by whole sectors.
        at = changes[-1][0]
        cut = choose.randrange(len(data))
        if at < len(inode.synced):
            cut = max(0, (at + cut) // 512 * 512 - at)
        changes[-1] = (at, data[:cut])
    return changed(inode.synced, changes)


def _some(inode: Inode, choose: random.Random) -> bytes:
    """Any of the writes, with zeros where one is missing between them."""
    odds = choose.choice([0.1, 0.5, 0.9])
    return changed(inode.synced, [c for c in inode.changes if choose.random() < odds])


def _blocks(inode: Inode, choose: random.Random, block: int) -> bytes:
    """Any blocks of the file as it is now, and the others as they were; with zeros, if new."""
    now, odds = inode.now, choose.choice([0.1, 0.5, 0.9])
    before = inode.synced.ljust(len(now), b"\0")
    file = bytearray(before)
    size = len(inode.synced)
    for at in range(0, len(now), block):
        if choose.random() < odds:
            file[at : at + block] = now[at : at + block]
            size = max(size, min(at + block, len(now)))
    if len(now) < len(inode.synced):  # a truncation, which may have come or not
        size = choose.choice([len(now), len(inode.synced)])
    elif choose.random() < 0.3:
        size = len(now)  # the size came, and not the data
    return bytes(file[:size])


IN_ORDER = ["torn"]
ANY_ORDER = ["torn", "some writes", "sectors", "pages", "a size only"]
KEPT = {
    "torn": _torn,
    "some writes": _some,
    "sectors": lambda inode, choose: _blocks(inode, choose, 512),
    "pages": lambda inode, choose: _blocks(inode, choose, 4096),
    "a size only": lambda inode, choose: inode.synced.ljust(inode.size, b"\0"),
}

# --- Opening the log after it.


def other_boot(image: Image) -> None:
    """Let the lock file be from before the power failure: it notes which run this is."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    for name in [name for name in image if name.endswith(".lock")]:
        image[name] = image[name].replace(boot, str(uuid.uuid4()).encode())


def check_image(path: Path, options: dict[str, Any], acks: Sequence[Ack]) -> None:
    """Open a log after a power failure, append to it, and check all of it."""
    try:
        for action in ("after", "once more"):
            with warnings.catch_warnings(), AuditLog(path, **options) as log:
                warnings.simplefilter("error")
                assert log.append(action, **EVENT).hash is not None
    except Exception as error:
        raise Found("failed", f"the log cannot be opened: {error!r}") from error
    found: dict[str, Ack] = {}
    for seq, hash, fields in check_rows(rows_of(path)):
        entry = Ack(fields["id"], seq, hash, fields["action"])
        if entry.id in found:
            raise Found("twice", f"{entry} and {found[entry.id]}")
        found[entry.id] = entry
    for ack in acks:
        there = found.get(ack.id)
        if there != ack and (there is None or ack.seq >= 0):
            raise Found("lost", f"{ack} was acknowledged; there is {there}")
    check_verifier(path)


class Cut(NamedTuple):
    """What a disk may hold after a power failure."""

    where: str
    image: Image
    acks: list[Ack]


@dataclass
class Writer:
    """A writer whose disk fails.

    :param folder: where its log is; it may hold one already, which is on the disk.
    :param before: what was acknowledged before it runs.
    """

    folder: Path
    name: str
    options: dict[str, Any]
    program: str = PLAIN
    threads: int = 3
    calls: int = 15
    before: Sequence[Ack] = ()

    def __post_init__(self) -> None:
        self.seed = fresh_seed()
        start = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        path = self.folder / self.name
        trace = record(path, self.options, self.program, self.threads, self.calls)
        self.start, self.trace = start, trace
        disk = Disk(self.folder, start)
        self.steps = list(disk.play(trace))
        assert self.steps.count("ack") >= 5, "too little happened"
        # The replay is right if it ends in the files that are there.
        now = {name: inode.now for name, inode in disk.names.items() if not name.endswith("-shm")}
        there = [path for path in self.folder.iterdir() if not path.name.endswith("-shm")]
        assert now.keys() == {path.name for path in there}
        for path in there:
            assert now[path.name] == path.read_bytes(), f"the replay of {path.name} went wrong"

    def cuts(
        self, kept: Sequence[str], cuts: int = CUTS, each: int = 4, making: bool = False
    ) -> Iterator[Cut]:
        """Yield what the disk may hold after power failures at moments that the seed chooses.

        :param kept: how what was not synced may be kept.
        :param cuts: at how many moments; 0 for all.
        :param each: how many of these at each, besides nothing and all of it.
        :param making: before anything was acknowledged, instead of after.
        """
        steps, choose = self.steps, random.Random(str(self.seed))
        first = steps.index("ack")
        # A cut just before an acknowledgement asks for less than the one after it.
        places = [n for n, step in enumerate(steps, 1) if steps[n : n + 1] != ["ack"]]
        places = [n for n in places if (n <= first) == making]
        if 0 < cuts < len(places):
            # Half of them at the rarer calls, where names change and files are made.
            rare = [n for n in places if steps[n - 1] not in ("ack", "write", "pwrite64")]
            few = choose.sample(rare, min(len(rare), cuts // 2))
            places = sorted({*few, *choose.sample(places, cuts - len(few))})
        disk = Disk(self.folder, self.start)
        for number, step in enumerate(disk.play(self.trace), 1):
            if number in places:
                random_choices = random.Random(f"{self.seed} {number}")
                for how, image in disk.images(random_choices, each, kept):
                    where = f"cut after call {number} of {len(steps)} ({step}), {how}"
                    other_boot(image)
                    yield Cut(f"{where}, CRASH_SEED={self.seed}", image, list(disk.acks))

    def wrong(self, kept: Sequence[str], durable: bool = True, **choices: Any) -> list[str]:
        """Open the log after each, and return what is wrong.

        :param durable: whether what was acknowledged must be there.
        """
        wrong, tried = [], 0
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=memory) as scratch:
            for tried, (where, image, acks) in enumerate(self.cuts(kept, **choices), 1):
                folder = Path(scratch) / str(tried)
                put(folder, image)
                try:
                    wanted = [*self.before, *(acks if durable else ())]
                    check_image(folder / self.name, self.options, wanted)
                except Found as found:
                    wrong.append(f"{where}:\n  {str(found)[:600]}")
                shutil.rmtree(folder)
        print(f"{len(self.steps)} calls, {tried} images, {len(wrong)} wrong")
        return wrong


def put(folder: Path, image: Image) -> None:
    folder.mkdir()
    for name, content in image.items():
        (folder / name).write_bytes(content)


def summary(wrong: Sequence[str]) -> str:
    return f"{len(wrong)} wrong:\n" + "\n".join(wrong[:5])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    folder.mkdir()
    return folder


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "jsonl": ("audit.jsonl", {}),
    "rotated": ("audit.jsonl", {"max_bytes": 20_000}),
    "db": ("audit.db", {}),
}
kinds = pytest.mark.parametrize("kind", KINDS)
orders = pytest.mark.parametrize("kept", [IN_ORDER, ANY_ORDER], ids=["in-order", "any-order"])


@orders
@kinds
def test_a_power_failure_loses_nothing_acknowledged(
    kind: str, kept: Sequence[str], folder: Path
) -> None:
    name, options = KINDS[kind]
    wrong = Writer(folder, name, {"durability": "fsync", **options}).wrong(kept)
    assert not wrong, summary(wrong)


@pytest.mark.long
@orders
@kinds
def test_with_syncs_left_to_the_clock_the_chain_is_intact(
    kind: str, kept: Sequence[str], folder: Path
) -> None:
    name, options = KINDS[kind]
    options = {"durability": "os", "sync_interval": 0.02, **options}
    wrong = Writer(folder, name, options).wrong(kept, durable=False)
    assert not wrong, summary(wrong)


@orders
@kinds
def test_a_power_failure_while_a_log_is_made(kind: str, kept: Sequence[str], folder: Path) -> None:
    # Nothing was acknowledged yet. What is left must not keep the next start from making a log.
    name, options = KINDS[kind]
    writer = Writer(folder, name, {"durability": "fsync", **options}, threads=1, calls=6)
    wrong = writer.wrong(kept, cuts=CUTS // 2, each=8, making=True)
    assert not wrong, summary(wrong)


@pytest.mark.long
def test_a_database_moves_its_wal_into_itself(folder: Path) -> None:
    # The log lets its WAL grow to 16 MB before. For a record of a bearable length it is less.
    program = """
        log = AuditLog(path, **options)
        log._sink._connection.execute("PRAGMA wal_autocheckpoint = 60")
        run(log)
    """
    writer = Writer(folder, "audit.db", {"durability": "fsync"}, program, threads=2, calls=30)
    disk, headers = Disk(folder, writer.start), set()
    for step in disk.play(writer.trace):
        if step == "ack":
            headers.add(disk.names["audit.db-wal"].now[:32])
    assert len(headers) > 3, "the WAL was never started over"
    wrong = writer.wrong(ANY_ORDER)
    assert not wrong, summary(wrong)


SPILLING = """
    import errno, warnings
    warnings.simplefilter("ignore")
    log = AuditLog(path, **options)
    write = log._sink.write

    def failing(records):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for again in range(2):
        note([log.append(f"before-{again}", **EVENT)])
        log._sink.write = failing
        for n in range(3):
            # A seq of -1 in the note: it is kept, and where it will stand is not known yet.
            note([log.append(f"kept-{again}-{n}", **EVENT)])
        log._sink.write = write
    run(log)
"""


@pytest.mark.long
@orders
@kinds
def test_spilled_events_are_chained_once(kind: str, kept: Sequence[str], folder: Path) -> None:
    name, options = KINDS[kind]
    options = {"durability": "fsync", **options}
    writer = Writer(folder, name, options, SPILLING, threads=1, calls=3)
    assert "unlink" in writer.steps
    wrong = writer.wrong(kept)
    assert not wrong, summary(wrong)


@pytest.mark.long
@kinds
def test_a_power_failure_while_one_is_mended(kind: str, folder: Path) -> None:
    name, options = KINDS[kind]
    options = {"durability": "fsync", **options}
    first = Writer(folder, name, options, SPILLING, threads=3, calls=6)
    choose = random.Random(str(first.seed))
    cuts = list(first.cuts(IN_ORDER, each=6))
    for number, cut in enumerate(choose.sample(cuts, 4)):
        again = folder.with_name(f"again-{number}")
        again.mkdir()
        shutil.rmtree(folder)
        put(folder, cut.image)
        again = Writer(folder, name, options, threads=2, calls=4, before=cut.acks)
        wrong = again.wrong(IN_ORDER, cuts=CUTS // 4, each=3)
        assert not wrong, f"after {cut.where}\n{summary(wrong)}"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["jsonl", "db"])
def test_a_crash_after_a_power_failure_chains_spilled_events_once(kind: str, folder: Path) -> None:
    # A crash in the middle of chaining them, a power failure that takes the log back to before
    # the place which the spill file notes, and a crash in the middle of chaining them again.
    path = folder / KINDS[kind][0]
    options = {"durability": "os", "sync_interval": 1000}
    run(path, options, "log = AuditLog(path, **options); log.append('a', **EVENT); log.close()")
    synced = {p.name: p.read_bytes() for p in folder.iterdir()}
    dying = """
        import warnings
        warnings.simplefilter("ignore")
        log = AuditLog(path, **options)
        write, writes = log._sink.write, 0

        def failing(records):
            raise OSError("no room")

        def dying(records):
            global writes
            writes += 1
            if writes == 2:
                os._exit(0)
            write(records)

    """
    first = """
        for n in range(50):
            log.append(f"unsynced-{n}", **EVENT)
        log._sink.write = failing
        for n in range(150):
            log.append(f"kept-{n}", **EVENT)
    """
    end = """
        log._sink.write = dying
        log.append("last", **EVENT)
        raise SystemExit("it did not die")
    """
    run(path, options, textwrap.dedent(dying) + textwrap.dedent(first) + textwrap.dedent(end))
    now = {p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith(path.name + ".")}
    shutil.rmtree(folder)
    image = {**synced, **now}
    other_boot(image)
    put(folder, image)
    run(path, options, textwrap.dedent(dying) + textwrap.dedent(end))
    with AuditLog(path) as log:
        log.append("last", **EVENT)
    names = [fields["action"] for _, _, fields in check_rows(rows_of(path))]
    assert [n for n in names if "-" in n] == [f"kept-{n}" for n in range(150)]


# --- The simulation finds what it is for.


@kinds
def test_a_sync_left_out_is_found(kind: str, folder: Path) -> None:
    name, options = KINDS[kind]
    program = """
        log = AuditLog(path, **options)
        log._sink.sync = lambda: None
        run(log)
    """
    wrong = Writer(folder, name, {"durability": "fsync", **options}, program).wrong(IN_ORDER)
    assert any("lost:" in text for text in wrong), summary(wrong)


# Not so for a database: SQLite syncs the directory itself when it has made a journal or a WAL.
@pytest.mark.parametrize("kind", ["jsonl", "rotated"])
def test_a_directory_never_synced_is_found(kind: str, folder: Path) -> None:
    name, options = KINDS[kind]
    program = "sync_no_directories()\n" + PLAIN
    wrong = Writer(folder, name, {"durability": "fsync", **options}, program).wrong(IN_ORDER)
    assert any("lost:" in text for text in wrong), summary(wrong)
