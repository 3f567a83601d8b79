"""A lost host's log, rebuilt from central storage, byte for byte.

It is made in a folder beside the log's name, and takes that name only when all of it is verified.
So a restore that was killed leaves no log that somebody could continue by mistake.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path

from chained_logging.errors import Busy, ChainedLoggingError, ForeignFile, Refused, ShipError
from chained_logging.files.durable import replace_file, sync_directory, sync_file
from chained_logging.files.lock import FileLock
from chained_logging.files.own import new_file
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.keys import load_public
from chained_logging.log import AuditLog
from chained_logging.review.export import write_log
from chained_logging.ship import Destination, pin
from chained_logging.ship.destination import stored
from chained_logging.ship.fault import FOREIGN
from chained_logging.ship.vouched import Vouched
from chained_logging.sinks import open_sink
from chained_logging.sinks.lines import line_of

SCRATCH = ".restoring"
"""The suffix of the folder in which a log is made."""

ASIDE = ".unsigned.jsonl"
"""The suffix of the file with the entries that no key vouches for."""

_SIDES = (".checkpoints", ASIDE)
_LEFT_OVER = (*_SIDES, "-journal", "-wal", "-shm")
_DONE = "done.json"
_ALL = "all.jsonl"


@dataclass
class Restored:
    """What was restored."""

    entries: int
    """How many entries, before the ``log.restore`` of the restored log."""
    last_hash: str
    set_aside: int = 0
    """How many entries no key vouches for; they are in a file beside the log."""
    unsigned: int = 0
    """How many entries at the end of the log no key vouches for."""
    has_key: bool = True
    """Whether the log names a key, which tells its entries from others."""
    foreign: int = 0
    """How many checkpoints, and how many other things in the store, are not the log's; they were
    left out."""
    confirmed: bool = True
    """Whether the log's key is the one that was given from elsewhere."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with the store, or missing there."""

    def sentences(self, target: Path) -> list[str]:
        """Return sentences about what else a person should know."""
        said = [f"WARNING: {problem}" for problem in self.problems]
        if self.set_aside:
            said.append(
                f"{self.set_aside} entries that no key vouches for were set aside: {target}{ASIDE}"
            )
        if not self.has_key:
            said.append(
                "the log has no key, so nobody can tell its entries from what others may have "
                "added to the store"
            )
        elif self.unsigned:
            said.append(
                f"no signature covers the last {self.unsigned} entries: anyone who may add to the "
                "store can have written them. Give --public-key to set them aside"
            )
        if self.has_key and not self.confirmed:
            said.append(
                "nothing from elsewhere confirms the log's key: anyone who may add to the store "
                "can have put another log there under this name. Give --public-key"
            )
        if self.foreign:
            said.append(
                f"{self.foreign} objects or checkpoints in the store are FOREIGN: no key of the "
                "log vouches for them, and they were left out"
            )
        return said


def restore(
    destination: Destination, origin: str, target: Path, *, public_key: str | None = None
) -> Restored:
    """Rebuild a log from what a destination holds, so that it continues the same chain.

    Each hash and link is checked. The log's own entry ``log.restore`` then records where it came
    from. The lost host must not come back: if it ships again, two hosts continue one chain, and the
    destination takes only the first.

    :param target: must not exist; its suffix decides which kind of log it becomes. A folder that a
        killed call left beside it is replaced.
    :param public_key: the log's first public key, a text or a file, from elsewhere. The log then
        ends with the last entry that its keys vouch for, and the rest is kept beside it.
    :raises FileExistsError: if the target or a file that would belong to it is there.
    :raises ValueError: if what the destination holds is broken, or does not begin with the first
        entry, or has another key. Nothing is left behind then.
    :raises ShipError: if it does not hold this log, or cannot be read.
    :raises Busy: if another restore of this target is running.
    """
    raw = None if public_key is None else load_public(public_key).raw
    scratch = target.with_name(target.name + SCRATCH)
    scratch.mkdir(mode=0o700, exist_ok=True)
    if scratch.is_symlink() or scratch.stat().st_uid != os.geteuid():
        raise ForeignFile(f"{scratch} is not a folder of this user: move it away")
    lock = FileLock(scratch / "lock")
    if not lock.try_acquire():
        lock.close()
        raise Busy(f"{scratch} is in use: another restore of {target} is running")
    try:
        done = _finished(scratch, target)
        if done is None:
            _clear(scratch, target)
            _check_free(target)
            done = _make(destination, origin, scratch, target, raw)
            _take_name(scratch, target)
    except (ChainedLoggingError, OSError, ValueError):
        if not _taken(scratch, target):
            _clear(scratch, target)
            _remove(scratch)
        raise
    finally:
        lock.release()
        lock.close()
    _clear(scratch, target, finished=True)
    _remove(scratch)
    return done


def _made(scratch: Path, target: Path) -> Path:
    return scratch / f"log{target.suffix}"


def _make(
    destination: Destination, origin: str, scratch: Path, target: Path, raw: bytes | None
) -> Restored:
    """Make the log in the scratch folder, verified, with its last entry."""
    if raw is not None:
        pin(destination, raw)
    vouched = Vouched(origin, raw)
    records = vouched.follow(_from_the_first(destination, origin))
    count, _ = write_log(scratch / _ALL, records, iter(()), destination.name)
    if not count:
        raise ShipError(f"{destination.name} does not hold the log {origin!r}")
    everything = open_sink(scratch / _ALL)
    vouched.judge(destination.checkpoints(origin), everything.stored())
    if raw is None and vouched.trouble:
        raise ValueError(
            f"{vouched.trouble} Give the log's public key: what no key vouches for is set aside"
        )
    end = count if raw is None else vouched.entries
    if not end:
        raise ValueError(f"no checkpoint in {destination.name} is signed by the key given")
    made = _made(scratch, target)
    wanted = islice(everything.stored(), end)
    notes = iter(sorted(vouched.checkpoints, key=lambda stored: stored.size))
    _, last = write_log(made, wanted, notes, destination.name)
    _set_aside(made, islice(everything.stored(), end, None))
    problems, foreign = _problems(destination, origin)
    done = Restored(
        end,
        last,
        count - end,
        end - vouched.entries,
        vouched.has_key,
        vouched.foreign + foreign,
        raw is not None,
        problems,
    )
    if vouched.beyond > count:
        done.problems.append(
            f"a checkpoint of the log's key vouches for {vouched.beyond:,} entries, and "
            f"{destination.name} has {count:,}: the last ones are missing"
        )
    with AuditLog(made, on_failure="raise", origin=origin, sign="follow") as log:
        log.note(
            "log.restore",
            restored_from=destination.name,
            entries=end,
            last_hash=last,
            set_aside=done.set_aside,
            problems=len(done.problems),
        )
    replace_file(scratch / _DONE, json.dumps(asdict(done)).encode())
    return done


def _from_the_first(destination: Destination, origin: str) -> Iterator[Record | Stub]:
    for number, record in enumerate(stored(destination, origin)):
        if record.seq != number:
            if number == 0:
                raise ValueError(
                    f"{destination.name} lacks the front of {origin}: it begins with entry "
                    f"{record.seq}, and a log goes on only from its first entry"
                )
            raise ValueError(f"{destination.name} is broken at seq {number}: see verify")
        yield record


def _problems(destination: Destination, origin: str) -> tuple[list[str], int]:
    """Return what is wrong with the store, and how many things in it are not the log's."""
    try:
        faults = destination.inspect(origin)
    except Refused as error:
        return [str(error)], 0
    own = [fault for fault in faults if fault.kind != FOREIGN]
    return [f"{fault.where}: {fault.reason}" for fault in own], len(faults) - len(own)


def _set_aside(made: Path, items: Iterator[Record | Stub]) -> None:
    """Write what no key vouches for, of which others may have added any amount, item by item."""
    first = next(items, None)
    if first is None:
        return
    with new_file(made.with_name(made.name + ASIDE)) as file:
        file.writelines(line_of(item) + b"\n" for item in chain([first], items))
        file.flush()
        sync_file(file.fileno())


# --- Files. The next call can tell after which step this one was killed.


def _check_free(target: Path) -> None:
    for path in (target, *(target.with_name(target.name + end) for end in _LEFT_OVER)):
        if os.path.lexists(path):
            raise FileExistsError(f"{path} is there already")


def _take_name(scratch: Path, target: Path) -> None:
    """Rename what was made to its final names, the log itself last. Nothing is overwritten."""
    made = _made(scratch, target)
    for end in (*_SIDES, ""):
        path = made.with_name(made.name + end)
        if path.exists():
            os.link(path, target.with_name(target.name + end))
    sync_directory(target)


def _taken(scratch: Path, target: Path) -> bool:
    made = _made(scratch, target)
    return made.exists() and target.exists() and os.path.samefile(made, target)


def _finished(scratch: Path, target: Path) -> Restored | None:
    """Return the result of a call that was killed after the log had its name."""
    known = scratch / _DONE
    last = known.exists() and target.exists() and not _made(scratch, target).exists()
    if last or _taken(scratch, target):
        return Restored(**json.loads(known.read_bytes()))
    return None


def _clear(scratch: Path, target: Path, *, finished: bool = False) -> None:
    """Remove the scratch folder and, unless the call came to its end, the files that it renamed.

    :raises ForeignFile: if there is something else in it.
    """
    # What tells how far a call came is removed last if it came to its end, and first otherwise.
    order = {_made(scratch, target).name: 1, _DONE: 2}
    paths = sorted(scratch.iterdir(), key=lambda path: order.get(path.name, 0))
    for path in paths:
        # What was being written is in a folder with a point before its name, and letters after it.
        ours = path.name.removeprefix(".").startswith(("log.", _ALL, _DONE))
        if path.name != "lock" and not ours:
            raise ForeignFile(f"{path} was not made by a restore: move it away")
    for path in paths if finished else reversed(paths):
        end = next((end for end in _SIDES if path.name.endswith(end)), None)
        if end is not None and not finished:
            named = target.with_name(target.name + end)
            if named.exists() and os.path.samefile(named, path):
                named.unlink()
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def _remove(scratch: Path) -> None:
    (scratch / "lock").unlink(missing_ok=True)
    scratch.rmdir()
