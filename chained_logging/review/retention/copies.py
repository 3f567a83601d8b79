"""Up to where a log stands elsewhere, verified: nothing after that is removed from it.

A central store counts up to the entry that the shipper last compared there. A backup counts up to
the last entry that was verified in it. A feed cannot be read back, so it is not a copy; but what it
did not get yet is not removed either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chained_logging.review.retention.survey import MadeBackup, Stored
from chained_logging.ship import destination_name
from chained_logging.ship.progress import Progress, progress_path, read_all_progress

_READABLE: Final = ("postgresql://", "postgres://", "s3://")
WITHOUT: Final = "none required: --without-copy"


@dataclass(frozen=True)
class Copies:
    """Where else a log stands.

    :ivar until: the last entry that may be removed because of that; -1 for none.
    :ivar where: the copies, each up to where, in a few words.
    :ivar problem: why none may, and how to mend it; None if some may.
    """

    until: int
    where: tuple[str, ...]
    problem: str | None = None


def copies_of(
    path: Path, log: Stored, backups: Sequence[MadeBackup], configured: Sequence[str] | None
) -> Copies:
    """Return where a log stands elsewhere.

    :param path: of the log.
    :param backups: what the log says of them.
    :param configured: the URLs that the log is shipped to; None takes all that it ever was
        shipped to.
    :raises OSError: if a file cannot be read; also LogError.
    :raises ValueError: if a URL names no destination.
    """
    reached = {each.destination: each for each in read_all_progress(path)}
    if configured:
        names = [destination_name(url) for url in configured]
        reached = {name: reached.get(name, Progress(name)) for name in names}
    stuck = [_problem(path, each) for each in reached.values() if each.problem or each.seq < 0]
    if stuck:
        return Copies(-1, (), "; ".join(stuck))
    stores = [each for each in reached.values() if each.destination.startswith(_READABLE)]
    known = [made for made in backups if _is_of(log, made)]
    where = [f"{each.destination} up to entry {each.seq}" for each in stores]
    where += [f"backup {made.destination} up to entry {made.seq}" for made in known]
    if not where:
        return Copies(
            -1,
            (),
            "the log is neither shipped to a central store nor backed up: use ship or backup, or "
            "give --without-copy",
        )
    ends = [each.seq for each in reached.values()]
    if not stores:
        ends.append(max(made.seq for made in known))
    return Copies(min(ends), tuple(where))


def _problem(path: Path, progress: Progress) -> str:
    name = progress.destination
    if progress.problem:
        return f"{name} does not get the log's entries: {progress.problem}"
    return (
        f"{name} has nothing of the log yet: run ship; or remove "
        f"{progress_path(path, name)} and the setting, if the log is not shipped there any more"
    )


def _is_of(log: Stored, made: MadeBackup) -> bool:
    """Whether the last entry of a backup is the log's."""
    found = next(log.stored(made.seq), None) if made.seq >= 0 else None
    return found is not None and (found.seq, found.hash) == (made.seq, made.hash)
