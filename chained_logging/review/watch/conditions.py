"""What is around a log: its shipping, its spill files, its disk, its clock, its witnesses."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chained_logging.config import reviewing
from chained_logging.errors import FAILURES, ShipError
from chained_logging.format.line import recorded_at
from chained_logging.format.note import Note, verify_note
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import VerifierKey
from chained_logging.log.spill import spills_of
from chained_logging.review.checklist.probes.clock import is_synchronised
from chained_logging.review.filter import ANY
from chained_logging.review.overview import own_entries
from chained_logging.review.period import instant
from chained_logging.review.query import Engine
from chained_logging.review.reviews.desk import register_of
from chained_logging.review.watch.check import Check
from chained_logging.ship.progress import Progress, read_all_progress
from chained_logging.sinks import open_sink

VERIFY: Final = "watch.verify"
"""The action of the entries that say that all of the log was verified."""
_NEWEST: Final = 500  # entries that are looked at for missing fields


@dataclass(frozen=True)
class Limits:
    """From where on something is wrong.

    :ivar lag: seconds that an entry may wait for a destination.
    :ivar unverified: seconds within which somebody must verify all of the log again.
    :ivar unwitnessed: seconds within which a witness must cosign again.
    :ivar disk: the share of the disk that must be left.
    :ivar incomplete: the share of the newest entries that may lack a field.
    """

    lag: float = 300.0
    unverified: float = 86_400.0
    unwitnessed: float = 86_400.0
    disk: float = 0.05
    incomplete: float = 0.05


@dataclass(frozen=True)
class Surroundings:
    """A log and where it stands.

    :ivar log: its path.
    :ivar engine: answers questions about it.
    :ivar witness_keys: keys of its witnesses, each as a ``vkey``.
    :ivar now: the time, in seconds since 1970.
    """

    log: Path
    engine: Engine
    limits: Limits
    witness_keys: Sequence[str]
    now: float


def conditions(
    log: Path,
    engine: Engine,
    limits: Limits,
    *,
    witness_keys: Sequence[str] = (),
    now: float | None = None,
) -> Iterator[Check]:
    """Look at everything around a log. Nothing is verified.

    :param now: the time, in seconds since 1970; None for the clock's.
    """
    here = Surroundings(log, engine, limits, witness_keys, time.time() if now is None else now)
    for look in _LOOKS:
        try:
            yield from look(here)
        except (*FAILURES, ShipError, ValueError) as error:
            name = look.__name__
            yield Check(name, log.name, None, f"{name} of {log.name} cannot be told: {error}")


def shipping(here: Surroundings) -> Iterator[Check]:
    """Whether each destination takes what is new."""
    for progress in read_all_progress(here.log):
        yield _destination(progress, here)


def _destination(progress: Progress, here: Surroundings) -> Check:
    name, lag = progress.destination, _lag(progress.seq, here)
    if progress.alert:
        return Check("shipping", name, False, f"{name}: {progress.problem}", "critical", lag)
    if lag > here.limits.lag:
        why = progress.problem or "does a shipper run?"
        said = f"{name} is {lag:,.0f} s behind, after entry {progress.seq:,}: {why}"
        return Check("shipping", name, False, said, "high", lag)
    return Check("shipping", name, True, f"{name} is {lag:,.0f} s behind", value=lag)


def _lag(seq: int, here: Surroundings) -> float:
    """Return how many seconds ago the first entry after a position was recorded."""
    sink = open_sink(here.log)
    try:
        waiting = next(sink.readable(seq + 1), None)
    finally:
        sink.close()
    return 0.0 if waiting is None else max(0.0, here.now - recorded_at(waiting.body))


def spill(here: Surroundings) -> Iterator[Check]:
    """Whether events wait in a spill file, because the log did not take them."""
    waiting = [one.path for one in spills_of(here.log) if one.exists()]
    size = float(sum(path.stat().st_size for path in waiting))
    said = f"{size:,.0f} bytes of events wait in {', '.join(map(str, waiting))}"
    yield Check("spill", here.log.name, not size, said if size else "no event waits", value=size)


def disk(here: Surroundings) -> Iterator[Check]:
    """Whether there is room for more entries."""
    found = os.statvfs(here.log.parent)
    free = float(found.f_bavail * found.f_frsize)
    share = found.f_bavail / found.f_blocks if found.f_blocks else 1.0
    said = f"{free / 1e9:,.1f} GB ({share:.0%}) of the disk with {here.log.name} are left"
    yield Check("disk", here.log.name, share >= here.limits.disk, said, value=free)


def incomplete(here: Surroundings) -> Iterator[Check]:
    """Whether many of the newest entries lack a field."""
    entries = here.engine.entries(limit=_NEWEST).entries
    count = sum(entry.incomplete for entry in entries)
    share = count / len(entries) if entries else 0.0
    said = f"{count:,} of the newest {len(entries):,} entries of {here.log.name} lack a field"
    fine = share <= here.limits.incomplete
    yield Check("incomplete", here.log.name, fine, said, "medium", share)


def clock(here: Surroundings) -> Iterator[Check]:
    """Whether the clock of this machine is in step, where the machine says so."""
    synchronised = is_synchronised()
    if synchronised is not None:
        said = "the clock is in step" if synchronised else "the clock is not synchronised"
        yield Check("clock", "this machine", synchronised, said, "medium")


def witnesses(here: Surroundings) -> Iterator[Check]:
    """Whether each witness goes on cosigning."""
    keys = [VerifierKey.parse(key) for key in here.witness_keys]
    newest = {key.name: 0 for key in keys}
    for name, moment in _cosigned(here.log, keys):
        newest[name] = max(newest[name], moment)
    for name, moment in newest.items():
        age = max(0.0, here.now - moment)
        fine = age <= here.limits.unwitnessed
        said = f"{name} cosigned {here.log.name} last {_ago(age)}"
        if not moment:
            said = f"{name} cosigned none of the newest checkpoints of {here.log.name}"
        yield Check("witness", name, fine, said, value=age if moment else None)


def _cosigned(log: Path, keys: Sequence[VerifierKey]) -> Iterator[tuple[str, int]]:
    """Yield the name of a witness and when it signed, for each cosignature that holds."""
    sink = open_sink(log)
    try:
        checkpoints = sink.recent_checkpoints() if keys else []
    finally:
        sink.close()
    for checkpoint in checkpoints:
        try:
            found = verify_note(Note.parse(checkpoint.note.encode()), keys)
        except NoteError:
            continue
        yield from ((one.key.name, one.time) for one in found if one.time is not None)


def verified(here: Surroundings) -> Iterator[Check]:
    """Whether somebody verified all of the log lately, as its own entries say."""
    newest = here.engine.entries(own_entries(ANY, VERIFY), limit=1).entries
    if not newest:
        return
    age = max(0.0, here.now - instant(newest[0].timestamp).timestamp())
    said = f"nobody has verified {here.log.name} since {newest[0].timestamp[:16]}Z"
    if age <= here.limits.unverified:
        said = f"all of {here.log.name} was verified {_ago(age)}"
    yield Check("verified", here.log.name, age <= here.limits.unverified, said, value=age)


def reviews(here: Surroundings) -> Iterator[Check]:
    """Whether all periods were reviewed that the configuration names."""
    every = reviewing().get("every")
    if every is None:
        return
    register, _ = register_of(str(here.log), here.engine)
    now = dt.datetime.fromtimestamp(here.now, dt.UTC)
    late = list(register.overdue_periods(here.engine, every, now))
    said = f"{late[0].title}, and {len(late) - 1:,} more are overdue" if late else ""
    if len(late) == 1:
        said = late[0].title
    yield Check("reviews", here.log.name, not late, said or "no review is overdue", "medium")


def _ago(seconds: float) -> str:
    return f"{dt.timedelta(seconds=round(seconds))} ago"


_LOOKS: Final[tuple[Callable[[Surroundings], Iterator[Check]], ...]] = (
    shipping,
    spill,
    disk,
    incomplete,
    clock,
    witnesses,
    verified,
    reviews,
)
