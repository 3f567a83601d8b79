"""A backup that is tested: restored in a scratch folder, verified, compared with the log.

A backup that nobody has restored is a hope. The test reads all of it, and the log records the
result.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from chained_logging.errors import DestinationError, LogError, Refused, ShipError
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.log import AuditLog
from chained_logging.review.backup.folder import FolderBackup
from chained_logging.review.backup.make import first_key, note, verified_store, where_is
from chained_logging.review.restore import ASIDE, Restored, restore
from chained_logging.review.verdict import spoken_verdict
from chained_logging.ship import Destination, open_destination
from chained_logging.ship.check import compare, has_moved_front
from chained_logging.sinks import open_sink
from chained_logging.verify import Report, verify

ACTION: Final = "backup.test"
_OF_OURS: Final = (
    b'{"action":"backup.make","actor_id":"chained_logging","actor_type":"system","context":{'
)
_SHOWN: Final = 20


@dataclass
class Trial:
    """What a test of a backup found.

    :ivar destination: the folder, or the URL without secrets.
    :ivar result: ``intact``: restored, and as the log is, as far as the backup goes;
        ``differs``; or ``unreachable``, where it could not be read.
    :ivar entries: how many entries were restored.
    :ivar head_seq: the last of them; -1 without any.
    :ivar head_hash: its hash.
    :ivar behind: how many entries the log has beyond it.
    :ivar seconds: how long it took.
    :ivar faults: what is wrong, or differs.
    :ivar same_place: why it is not apart from the log; empty if it is.
    :ivar remarks: what else a person should know.
    """

    destination: str
    result: str = "intact"
    entries: int = 0
    head_seq: int = -1
    head_hash: str = ""
    behind: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    same_place: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def try_backup(
    log: AuditLog,
    destination: str,
    *,
    primaries: Sequence[str] = (),
    scratch: Path | None = None,
) -> Trial:
    """Restore a backup in a scratch folder, verify it, compare it with the log, and record that.

    :param log: open in this process; others may write to it.
    :param destination: where the backup is: a folder, or the URL of a store.
    :param primaries: the URLs of the log's central stores, beyond those that it was shipped to.
    :param scratch: where the scratch folder is made; by default where temporary files are. It is
        for this user alone, and removed at the end.
    :raises OSError: if the scratch folder or the log cannot be used; also LogError.
    :raises ValueError: if the destination cannot hold a backup.
    """
    began = time.monotonic()
    with closing(opened(destination)) as store:
        trial = Trial(store.name)
        trial.same_place, trial.remarks = where_is(log, destination, primaries)
        try:
            with tempfile.TemporaryDirectory(prefix="chained_logging-", dir=scratch) as folder:
                _restore_and_compare(log, store, Path(folder, log.path.name), trial)
        except DestinationError as error:
            trial.result = "unreachable"
            trial.faults.append(str(error))
        except (LogError, ShipError, ValueError) as error:
            trial.faults += _named(log, destination, str(error))
    if trial.faults and trial.result == "intact":
        trial.result = "differs"
    trial.seconds = round(time.monotonic() - began, 3)
    note(log, ACTION, {**trial.to_dict(), "faults": trial.faults[:_SHOWN]})
    return trial


def opened(destination: str) -> Destination:
    """Open a backup to read it.

    :param destination: a folder, or the URL of a store.
    :raises OSError: if the folder does not exist.
    :raises ValueError: if the URL names no store.
    """
    if "://" in destination:
        return open_destination(destination)
    return FolderBackup(Path(destination).resolve())


def _restore_and_compare(log: AuditLog, store: Destination, target: Path, trial: Trial) -> None:
    if isinstance(store, FolderBackup):
        name = store.folder / log.path.name
        if not name.exists():
            raise Refused(f"{store.name} does not hold the log {log.origin!r}: make a backup first")
    done = restore(store, log.origin, target, public_key=first_key(log))
    report = verify(target)
    if not report.intact:
        trial.faults += _in_words(report)
    trial.faults += done.problems
    trial.entries = done.entries + done.set_aside
    if done.foreign:
        trial.remarks.append(
            f"{done.foreign} objects or checkpoints are FOREIGN, and were left out"
        )
    made = _Made(store.name)
    theirs = _noted(_restored(target, done), trial)
    moved = has_moved_front(log.stored())
    faults, trial.behind = compare(made.seen(log.stored()), theirs, store.name, moved=moved)
    trial.faults += [f"{fault.where}: {fault.reason}" for fault in faults]
    if trial.head_seq < made.reached:
        gone = f"entries {trial.head_seq + 1} to {made.reached} were there, and are gone"
        trial.faults.append(f"{store.name}: {gone}")


class _Made:
    """Looks for what the log itself says of its backups at one place."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self.reached = -1

    def seen(self, items: Iterable[Record | Stub]) -> Iterator[Record | Stub]:
        """Pass entries and stubs on."""
        for record in items:
            if isinstance(record, Record) and record.body.startswith(_OF_OURS):
                said = AuditEntry(record.body, record.hash).context
                head = said.get("head_seq")
                if said.get("destination") == self._destination and isinstance(head, int):
                    self.reached = max(self.reached, head)
            yield record


def _restored(target: Path, done: Restored) -> Iterator[Record | Stub]:
    """Yield what was restored: without the entry that says so, with what no key vouches for."""
    aside = target.with_name(target.name + ASIDE)
    return chain(
        islice(open_sink(target).stored(), done.entries),
        open_sink(aside).stored() if aside.exists() else (),
    )


def _noted(items: Iterator[Record | Stub], trial: Trial) -> Iterator[Record | Stub]:
    for item in items:
        trial.head_seq, trial.head_hash = item.seq, item.hash
        yield item


def _named(log: AuditLog, destination: str, problem: str) -> list[str]:
    """Return what the verifier finds in a backup that cannot be restored."""
    if "://" in destination:
        report = verified_store(log, destination, log.durable_head())
    else:
        report = verify(Path(destination, log.path.name))
    return [problem, *_in_words(report)]


def _in_words(report: Report) -> list[str]:
    verdict = spoken_verdict(report)
    return [*verdict.faults] or ([] if report.intact else [verdict.headline])
