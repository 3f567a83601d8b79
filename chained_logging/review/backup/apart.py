"""Whether a backup is apart from what it is a backup of.

What is lost, deleted or encrypted together with the log is a copy, not a backup: one on the log's
disk, or at a central store of the log in the same PostgreSQL cluster, the same bucket or the same
account, or one that the same credentials open.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from chained_logging.errors import ChainedLoggingError, DestinationError, Refused
from chained_logging.net.urls import shown
from chained_logging.review.backup.disks import in_memory, shared_disk
from chained_logging.ship import open_destination
from chained_logging.ship.feeds import FEEDS

_POSTGRES = ("postgresql", "postgres")
_CLUSTER = "SELECT system_identifier::text FROM pg_control_system()"


class NotApart(ChainedLoggingError):
    """A backup would be lost together with the log. The message says why."""


class Places(NamedTuple):
    """What is known of where a backup is.

    :ivar shared: why it is not apart from the log; empty if it is, as far as could be seen.
    :ivar remarks: what could not be seen, and what else a person should know.
    """

    shared: list[str]
    remarks: list[str]


def places(log: Path, destination: str, primaries: Iterable[str]) -> Places:
    """Compare where a backup is with where the log and its central stores are.

    :param destination: a folder, or the URL of a store.
    :param primaries: the URLs of the log's central stores.
    :raises ValueError: if it is neither a folder nor a store that can hold a backup.
    :raises OSError: if the folder does not exist.
    """
    found = Places([], [])
    if "://" not in destination:
        _compare_folders(log, Path(destination), found)
        return found
    scheme = _scheme(destination)
    if scheme in FEEDS or scheme not in (*_POSTGRES, "s3"):
        raise ValueError("a backup goes to a folder, postgresql://… or s3://…")
    for primary in primaries:
        same = _scheme(primary) == scheme or {_scheme(primary), scheme} <= set(_POSTGRES)
        if same:
            _compare_stores(destination, primary, found)
    return found


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _compare_folders(log: Path, folder: Path, found: Places) -> None:
    reason = shared_disk(log.parent, folder)
    if reason is not None:
        found.shared.append(reason)
    if in_memory(folder):
        found.remarks.append(f"{folder} is in memory: it is lost when the machine stops")


def _compare_stores(destination: str, primary: str, found: Places) -> None:
    """Add what two stores of one kind have in common."""
    try:
        with closing(open_destination(destination)) as one, closing(open_destination(primary)) as b:
            if one.name == b.name:
                found.shared.append(f"{one.name} is where the log is shipped to")
            elif _scheme(destination) == "s3":
                found.shared.extend(_same_account(one, b))
            else:
                found.shared.extend(_same_cluster(one, b))
    except (DestinationError, Refused) as error:
        found.remarks.append(
            f"whether it is apart from {shown(primary)} could not be seen: {error}"
        )


def _same_cluster(one: Any, other: Any) -> Iterator[str]:
    (here,), (there,) = (each.session.rows(_CLUSTER)[0] for each in (one, other))
    if here == there:
        yield f"{one.name} is in the same PostgreSQL cluster as {other.name}: {here}"


def _same_account(one: Any, other: Any) -> Iterator[str]:
    """Yield what two places in S3 share. The credentials in use are those of the backup."""
    if one.bucket == other.bucket:
        yield f"{one.name} is in the same bucket as {other.name}"
        return
    if not other.opens():
        return  # other credentials
    yield f"the credentials that write to {one.name} also open {other.name}"
    with contextlib.suppress(DestinationError, Refused):  # few may ask who owns a bucket
        if one.owner() == other.owner():
            yield f"{one.name} is in the same account as {other.name}"
