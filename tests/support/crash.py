"""The crash harness: kill writers at random moments, and check that nothing acknowledged is lost.

    python tests/support/crash.py --rounds 200 --seed 7

runs 200 rounds for each combination of sink, durability and rotation. A round forks four
writers with two or three threads each. A thread appends an entry and, once that returned, notes
it in a side file with one ``os.write``. One or all of them are killed; after one, the others
must go on. Then the log is opened again, and checked from outside:

- every acknowledged entry is there, once, in the place and with the hash that the writer was told;
- of each thread, the entries are those of its calls in their order, with none left out, and at
  most those of its last call unacknowledged;
- each entry is canonical, and chained to the one before; what was checked before is unchanged.

A round's choices follow from the seed, the combination and the round's number; when exactly the
kernel stops a process does not.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import rfc8785
from chains import EVENT, read_json, stored

from chained_logging import AuditLog, verify
from chained_logging.errors import FAILURES
from chained_logging.files.lock import FileLock

PROCESSES = 4
BATCH = 4  # the most entries of one call
PATIENCE = 20.0  # seconds after which a writer that does nothing is stuck


class Combination(NamedTuple):
    suffix: str
    durability: str
    max_bytes: tuple[int, ...] = ()


COMBINATIONS = {
    "jsonl-os": Combination("jsonl", "os"),
    "jsonl-fsync": Combination("jsonl", "fsync"),
    "rotated-os": Combination("jsonl", "os", (20_000, 300_000)),
    "rotated-fsync": Combination("jsonl", "fsync", (20_000, 300_000)),
    "db-os": Combination("db", "os"),
    "db-fsync": Combination("db", "fsync"),
}

Bug = Callable[[AuditLog], None]


class Found(AssertionError):
    """A promise was broken.

    :ivar kind: ``lost``, ``twice`` or ``wrong`` (an acknowledged entry); ``chain``; ``calls``
        (what a thread's entries say); ``altered`` (what was there before); ``failed`` or
        ``stuck`` (a writer); ``verify`` (the package's own verifier).
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


def needs(*programs: str) -> None:
    """Skip a test where a program is missing. Where CI is true nothing is skipped: it fails."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        lacking(f"{' and '.join(missing)} not installed")


def lacking(reason: str) -> None:
    """Skip a test for something that this machine lacks; fail it where CI is true."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def fresh_seed() -> int:
    """Return the seed asked for with CRASH_SEED, or a new one, and print it."""
    seed = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"CRASH_SEED={seed}")
    return seed


# --- Checking.

Row = tuple[int, bytes, str]


def files_of(path: Path) -> list[Path]:
    """Return the files that hold a log's chain, first to last."""
    sealed = sorted(path.parent.glob(f"{path.stem}.{'[0-9]' * 20}{path.suffix}"))
    return [*sealed, path]


def rows_of(path: Path) -> list[Row]:
    """Return (seq, body, hash) of all that is stored, sealed segments first."""
    try:
        return [row for name in files_of(path) for row in stored(name)]
    except (AssertionError, ValueError, KeyError) as error:
        what = f"{type(error).__name__}: {str(error)[:200]}"
        raise Found("chain", f"{path} holds something that is not an entry: {what}") from error


def check_rows(
    rows: Sequence[Row], start: int = 0, prev: str = "GENESIS"
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Check entries with rfc8785 and hashlib alone; yield seq, hash and fields of each."""
    for number, (seq, body, hash) in enumerate(rows, start):
        fields = read_json(body)
        if (seq, fields["seq"]) != (number, number):
            raise Found("chain", f"entry {number} is numbered {seq}, and {fields['seq']} inside")
        if hashlib.sha256(b"\0" + body).hexdigest() != hash:
            raise Found("chain", f"entry {seq} has not the hash of its body")
        if fields["prev_hash"] != prev:
            raise Found("chain", f"entry {seq} is not chained to the one before")
        if rfc8785.dumps(fields) != body or len(body) > 65_535:
            raise Found("chain", f"entry {seq} is not canonical")
        prev = hash
        yield seq, hash, fields


def check_verifier(path: Path) -> None:
    """Let the package's own verifier look at a whole log."""
    report = verify(*files_of(path))
    if not report.intact:
        raise Found("verify", f"{report.status}: {report.reason or report.faults[:3]}")


class Ack(NamedTuple):
    """What a writer noted after an append had returned."""

    id: str
    seq: int
    hash: str
    action: str


def acks_in(data: bytes) -> list[Ack]:
    """Read a side file; a note cut short by the kill is one that was not made."""
    lines = data.decode().split("\n")[:-1]
    return [Ack(id, int(seq), hash, action) for id, seq, hash, action in map(str.split, lines)]


@dataclass
class Checker:
    """Checks one log, again and again; each time only what is new with full care."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    known: dict[str, Ack] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    """How many entries of each thread are in the log. A thread's actions are
    ``<name>/0``, ``<name>/1`` …"""

    def check(self, acks: Sequence[Ack], batch: int = BATCH) -> int:
        """Check the log against what was acknowledged since last time; return what is new.

        :param batch: how many entries of a thread may be there without an acknowledgement.
        """
        rows, before = rows_of(self.path), len(self.rows)
        if rows[:before] != self.rows:
            raise Found("altered", f"the first {before} entries are not what they were")
        last = self.rows[-1][2] if before else "GENESIS"
        # First, as what is missing from the middle breaks the chain as well.
        new = {read_json(body)["id"] for _, body, _ in rows[before:]}
        for ack in acks:
            if ack.id not in new and ack.id not in self.known:
                raise Found("lost", f"{ack} was acknowledged, and is not in the log")
        grown = Counter()
        for seq, hash, fields in check_rows(rows[before:], before, last):
            entry = Ack(fields["id"], seq, hash, fields["action"])
            if entry.id in self.known:
                raise Found("twice", f"{entry} and {self.known[entry.id]} have one id")
            self.known[entry.id] = entry
            thread, slash, number = entry.action.rpartition("/")
            if slash:
                if self.calls.get(thread, 0) != int(number):
                    raise Found("calls", f"{entry} follows {self.calls.get(thread, 0)} of {thread}")
                self.calls[thread] = int(number) + 1
                grown[thread] += 1
        self.rows = rows
        for ack in acks:
            if self.known[ack.id] != ack:
                raise Found("wrong", f"{ack} was acknowledged as {self.known[ack.id]}")
            grown[ack.action.rpartition("/")[0]] -= 1
        for thread, surplus in grown.items():
            if surplus > batch:
                raise Found("calls", f"{surplus} entries of {thread} were never acknowledged")
        return len(rows) - before

    def check_whole(self) -> None:
        """Check all of it once more from the first byte, with the package's verifier as well."""
        for _ in check_rows(rows_of(self.path)):
            pass
        check_verifier(self.path)
        sealed = files_of(self.path)[:-1]
        if sealed:
            lines = self.path.with_name(f"{self.path.name}.manifest").read_bytes().splitlines()
            listed = {line["file"]: line["sha256"] for line in map(json.loads, lines)}
            found = {name.name: hashlib.sha256(name.read_bytes()).hexdigest() for name in sealed}
            if listed != found:
                raise Found("chain", f"the manifest lists {listed}, and there are {found}")


# --- Writers.


def note(fd: int, entries: Sequence[Any]) -> None:
    """Note acknowledged entries: one write, so that the note is there or it is not."""
    lines = [f"{entry.id} {entry.seq} {entry.hash} {entry.action}\n" for entry in entries]
    os.write(fd, "".join(lines).encode())


def write_on(
    log: AuditLog, name: str, fd: int, stop: threading.Event, choices: str, large: float
) -> None:
    """Append entries, alone and several at once, until told to stop.

    :param large: how many of the calls take so much that a kill finds their write half done.
    """
    choose, number = random.Random(choices), 0
    while not stop.is_set():
        count = choose.randint(2, BATCH) if choose.random() < max(0.1, large) else 1
        more = {"text": "x" * choose.randint(20_000, 60_000)} if choose.random() < large else {}
        if count > 1:
            events = [{"action": f"{name}/{number + i}", **EVENT, **more} for i in range(count)]
            note(fd, log.append_many(events))
        else:
            note(fd, [log.append(f"{name}/{number}", **EVENT, **more)])
        number += count
        if choose.random() < 0.5:
            time.sleep(choose.random() * 0.003)


@dataclass
class Writer:
    """A forked process whose threads append."""

    name: str
    folder: Path
    threads: int
    choices: str
    delay: float
    large: float
    pid: int = 0
    status: int | None = None

    @property
    def side(self) -> Path:
        return self.folder / f"{self.name}.acks"

    @property
    def complaint(self) -> Path:
        return self.folder / f"{self.name}.error"

    def start(self, make: Callable[[], AuditLog], stop: tuple[int, int], bug: Bug | None) -> None:
        with warnings.catch_warnings():
            # Python 3.12 warns of a fork beside threads. Here it is what is tested.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            try:
                self._live(make, stop, bug)
            finally:
                os._exit(1)

    def _live(self, make: Callable[[], AuditLog], stop: tuple[int, int], bug: Bug | None) -> None:
        """What the child does; it does not return."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(3 * PATIENCE))  # outlives no harness that was itself killed
        try:
            os.close(stop[1])
            warnings.simplefilter("error")
            threading.excepthook = lambda arguments: self._fail(arguments.exc_value)
            time.sleep(self.delay)
            fd = os.open(self.side, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            log, end = make(), threading.Event()
            if bug is not None:
                bug(log)

            def work(number: int) -> None:
                try:
                    name = f"{self.name}-{number}"
                    write_on(log, name, fd, end, f"{self.choices} {number}", self.large)
                except BaseException as error:
                    self._fail(error)

            threads = [threading.Thread(target=work, args=(n,)) for n in range(self.threads)]
            for thread in threads:
                thread.start()
            os.read(stop[0], 1)  # until the harness closes its end
            end.set()
            for thread in threads:
                thread.join()
            assert log.stats()["last_error"] is None, log.stats()
            log.close()
        except BaseException as error:
            self._fail(error)
        os._exit(0)

    def _fail(self, error: BaseException | None) -> None:
        self.complaint.write_text("".join(traceback.format_exception(error)))
        os._exit(1)

    def kill(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, deadline: float) -> bool:
        """Wait for its end; False if that does not come."""
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
            elif time.monotonic() > deadline:
                return False
            else:
                time.sleep(0.001)
        return True

    def noted(self) -> int:
        return self.side.stat().st_size if self.side.exists() else 0

    def check(self) -> None:
        if self.complaint.exists():
            raise Found("failed", f"writer {self.name}: {self.complaint.read_text()}")
        if self.status is not None and self.status not in (0, signal.SIGKILL):
            raise Found("failed", f"writer {self.name} ended with status {self.status}")


# --- Rounds.


@dataclass
class Harness:
    """Rounds of one combination.

    :param bug: what is patched into each writer, to see that it is found.
    :param rounds_a_log: after so many rounds a new log is begun. Until then what crashes left
        behind piles up in one.
    """

    folder: Path
    name: str
    seed: int
    bug: Bug | None = None
    rounds_a_log: int = 10
    totals: Counter[str] = field(default_factory=Counter)

    def run(self, rounds: int, first: int = 0) -> Counter[str]:
        """Run rounds, and return what happened in them.

        :raises Found: with the round's number and the seed.
        """
        for number in range(first, first + rounds):
            try:
                if number == first or (number - first) % self.rounds_a_log == 0:
                    self._begin(number)
                last = number == first + rounds - 1
                self._round(number, last or (number + 1 - first) % self.rounds_a_log == 0)
            except Found as found:
                found.args = (
                    f"{found.args[0]}\n(round {number} of {self.name}, seed {self.seed}, "
                    f"files in {self.folder})",
                )
                raise
        return self.totals

    def _begin(self, number: int) -> None:
        folder = self.folder / f"log-{number}"
        folder.mkdir()
        combination = COMBINATIONS[self.name]
        self.checker = Checker(folder / f"audit.{combination.suffix}")
        self.unchecked: list[Ack] = []

    def _round(self, number: int, last: bool) -> None:
        choose = random.Random(f"{self.seed} {self.name} {number}")
        combination, path = COMBINATIONS[self.name], self.checker.path
        interval = choose.choice([0.01, 0.05, 1.0])  # how often the log's own thread is busy too

        max_bytes = choose.choice(combination.max_bytes) if combination.max_bytes else None

        def make() -> AuditLog:
            return AuditLog(
                path,
                durability=combination.durability,
                max_bytes=max_bytes,
                sync_interval=interval,
                on_failure="raise",
            )

        large = choose.choice([0, 0, 0.05, 0.7])
        writers = [
            Writer(
                f"{number}-{p}",
                path.parent,
                threads=choose.randint(2, 3),
                choices=f"{self.seed} {self.name} {number} {p}",
                delay=choose.choice([0, choose.random() * 0.03]),
                large=large,
            )
            for p in range(PROCESSES)
        ]
        everyone = choose.random() < 0.5
        # Early enough at times to meet the opening, and what it mends.
        moment = choose.choice([choose.random() * 0.03, 0.02 + choose.random() * 0.3])
        later = choose.random() * 0.03
        gently = choose.random() < 0.5
        # One log that was opened before the forks, as gunicorn's preload does.
        shared = choose.random() < 0.3
        parent = f"{number}-parent/0"
        # Otherwise the writers of the next round are the ones that find what was left behind.
        reopen = last or choose.random() < 0.6
        try:
            with make() if shared else contextlib.nullcontext() as log:
                if log is not None:
                    self._note(log.append(parent, **EVENT))
                preloaded = None if log is None else lambda: log
                how = (everyone, gently)
                self._crash(writers, preloaded or make, how, moment, later, choose)
        except FAILURES as error:
            raise Found("failed", f"the parent: {error!r}") from error
        self.totals["rounds"] += 1
        self.totals["killed all" if everyone else "killed one"] += 1
        for writer in writers:
            writer.check()
            if writer.side.exists():
                self.unchecked += acks_in(writer.side.read_bytes())
        if reopen:
            self._reopen(make, f"{number}-reopened/0")
        if last:
            self.checker.check_whole()
            self._count()

    def _crash(
        self,
        writers: list[Writer],
        make: Callable[[], AuditLog],
        how: tuple[bool, bool],
        moment: float,
        later: float,
        choose: random.Random,
    ) -> None:
        everyone, gently = how
        victims = writers if everyone else [choose.choice(writers)]
        others = [writer for writer in writers if writer not in victims]
        stop = os.pipe()
        started = []
        try:
            for writer in writers:
                writer.start(make, stop, self.bug)
                started.append(writer)
            time.sleep(moment)
            for victim in victims:
                victim.kill()
            self._go_on(others)
            time.sleep(later)
            if gently:
                os.close(stop[1])
                stop = (stop[0], -1)
            else:
                for writer in others:
                    writer.kill()
            deadline = time.monotonic() + PATIENCE
            for writer in writers:
                if not writer.wait(deadline):
                    raise Found("stuck", f"writer {writer.name} does not end")
        finally:
            for writer in started:
                writer.kill()
                writer.wait(time.monotonic() + PATIENCE)
            for fd in stop:
                if fd >= 0:
                    os.close(fd)

    def _go_on(self, others: list[Writer]) -> None:
        """See that whoever was not killed appends all the same: no lock is stale."""
        deadline = time.monotonic() + PATIENCE
        for writer, before in [(writer, writer.noted()) for writer in others]:
            while writer.noted() == before:
                if writer.wait(0):
                    writer.check()
                    raise Found("failed", f"writer {writer.name} ended with {writer.status}")
                if time.monotonic() > deadline:
                    raise Found("stuck", f"writer {writer.name} wrote nothing after the kill")
                time.sleep(0.001)

    def _reopen(self, make: Callable[[], AuditLog], action: str) -> None:
        try:
            with make() as log:
                self._note(log.append(action, **EVENT))
        except FAILURES as error:
            raise Found("failed", f"the log cannot be opened again: {error}") from error
        self.checker.check(self.unchecked)
        self.totals["acknowledged"] += len(self.unchecked)
        self.unchecked = []

    def _note(self, entry: Any) -> None:
        self.unchecked.append(Ack(str(entry.id), entry.seq, entry.hash, entry.action))

    def _count(self) -> None:
        path = self.checker.path
        self.totals["entries"] += len(self.checker.rows)
        self.totals["torn lines"] += len(list(path.parent.glob("*.torn-*")))
        self.totals["segments"] += len(files_of(path)) - 1


# --- Bugs to put in on purpose. Each is a mistake that a log could be built with.


def lock_after_last_hash(log: AuditLog) -> None:
    """The last hash is read first, and the lock taken after that."""
    acquire, write = FileLock.acquire, log._sink.write
    lock: list[FileLock] = []

    def pretend(self: FileLock) -> None:
        lock[:] = [self]
        self.held = True

    def late(records: Any) -> None:
        acquire(lock[0])
        write(records)

    FileLock.acquire = pretend  # type: ignore[method-assign]
    log._sink.write = late  # type: ignore[method-assign]


def lock_moved_by_rotation(log: AuditLog) -> None:
    """The lock file goes the way of the log file, as where the log file is its own lock."""
    sink = log._sink
    seal, lock = sink._seal, Path(f"{log.path}.lock")

    def moving() -> None:
        seal()
        with contextlib.suppress(FileNotFoundError):
            os.rename(lock, f"{lock}.{time.time_ns()}")

    sink._seal = moving


def acknowledged_before_written(log: AuditLog) -> None:
    """A thread writes a few milliseconds later; until then it keeps the lock."""
    acquire, release, write = FileLock.acquire, FileLock.release, log._sink.write
    under_way: list[threading.Thread] = []
    lock: list[FileLock] = []
    written: list[Any] = []

    def after_the_last(self: FileLock) -> None:
        while under_way:
            under_way.pop().join()
        acquire(self)
        lock[:] = [self]

    def later(records: Any) -> None:
        written.append(records)

    def finish(batches: list[Any], self: FileLock) -> None:
        time.sleep(0.003)
        for records in batches:
            write(records)
        release(self)

    def not_yet(self: FileLock) -> None:
        if not written:
            release(self)
            return
        batches, written[:] = list(written), []
        thread = threading.Thread(target=finish, args=(batches, self))
        under_way.append(thread)
        thread.start()

    FileLock.acquire = after_the_last  # type: ignore[method-assign]
    FileLock.release = not_yet  # type: ignore[method-assign]
    log._sink.write = later  # type: ignore[method-assign]


# --- The command.


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Kill writers of an audit log, and check it.")
    parser.add_argument("--rounds", type=int, default=200, help="for each combination")
    parser.add_argument("--first", type=int, default=0, help="the number of the first round")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--combination", choices=COMBINATIONS, action="append")
    parser.add_argument("--rounds-a-log", type=int, default=10)
    options = parser.parse_args(argv)
    seed = fresh_seed() if options.seed is None else options.seed
    for name in options.combination or COMBINATIONS:
        folder = Path(tempfile.mkdtemp(prefix=f"crash-{name}-"))
        harness = Harness(folder, name, seed, rounds_a_log=options.rounds_a_log)
        began = time.monotonic()
        try:
            totals = harness.run(options.rounds, options.first)
        except Found as found:
            print(f"{name}: {found}", flush=True)
            return 1
        shutil.rmtree(folder)
        text = ", ".join(f"{count} {what}" for what, count in totals.items())
        print(f"{name}: {time.monotonic() - began:.1f} s: {text}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
