"""A backup of a log, made while the log is written to and verified where it arrived."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from chained_logging.errors import BrokenLog, DestinationError, Refused
from chained_logging.format.record import EMPTY, Head
from chained_logging.format.vkey import Signer
from chained_logging.keys.keyring import Keyring
from chained_logging.log import AuditLog
from chained_logging.net.urls import shown
from chained_logging.review.backup.apart import NotApart, Places, places
from chained_logging.review.backup.files import copy_database, copy_lines
from chained_logging.review.backup.folder import head_of
from chained_logging.review.backup.staging import Staging
from chained_logging.review.stores import CentralStores
from chained_logging.review.verdict import spoken_verdict
from chained_logging.ship import destination_name
from chained_logging.ship.progress import read_all_progress
from chained_logging.sinks import SQLITE_SUFFIXES
from chained_logging.verify import Report, verify

ACTION: Final = "backup.make"
_BESIDE: Final = ".backup"
"""What is added to a log's name for the progress to stores: ``.backup.ship-<id>``."""


@dataclass
class Backup:
    """A backup that was made.

    :ivar destination: the folder, or the URL without secrets.
    :ivar entries: how many entries it has.
    :ivar head_seq: the last of them.
    :ivar head_hash: its hash.
    :ivar checkpoint_size: how many entries the last checkpoint in it covers; 0 without one.
    :ivar seconds: how long it took.
    :ivar same_place: why it is not apart from the log; empty if it is.
    :ivar remarks: what could not be seen of that, and what else a person should know.
    """

    destination: str
    entries: int
    head_seq: int
    head_hash: str
    checkpoint_size: int
    seconds: float
    same_place: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def make_backup(
    log: AuditLog,
    destination: str,
    *,
    primaries: Sequence[str] = (),
    same_place: bool = False,
    patience: float = 60.0,
    signer: Signer | None = None,
) -> Backup:
    """Copy a log to another place, verify what arrived, and record that in the log.

    A call that was killed leaves the backup as it was, or a shipment that goes on; call it again.

    :param log: open in this process; others may write to it.
    :param destination: a folder, or the URL of a store that ``init`` has prepared.
    :param primaries: the URLs of the log's central stores, beyond those that it was shipped to.
    :param same_place: make it even if it is not apart from the log. The entry says so.
    :param patience: seconds for which a store that is down is tried again.
    :param signer: of a store in S3, signs its digests.
    :raises NotApart: if the backup would not be apart from the log, or would replace it.
    :raises Refused: if the backup there is of another history.
    :raises BrokenLog: if what arrived is not intact. The backup before stays as it was.
    :raises DestinationError: if the store is down.
    :raises OSError: if a file cannot be read or written; also LogError.
    :raises ValueError: if the destination cannot hold a backup.
    """
    began = time.monotonic()
    where = where_is(log, destination, primaries)
    if where.shared and not same_place:
        raise NotApart(
            f"that would not be a backup: {'; '.join(where.shared)}. Choose a place that is not "
            "lost together with the log"
        )
    if "://" in destination:
        name, report = destination_name(destination), _to_store(log, destination, patience, signer)
    else:
        folder = Path(destination).resolve()
        _refuse_itself(log, folder)
        name, report = str(folder), _to_folder(log, folder, where.remarks)
    done = Backup(
        name,
        report.entries,
        -1 if report.last_seq is None else report.last_seq,
        str(report.last_hash),
        0 if report.signed_seq is None else report.signed_seq + 1,
        round(time.monotonic() - began, 3),
        *where,
    )
    note(log, ACTION, done.to_dict())
    return done


def note(log: AuditLog, action: str, said: Mapping[str, Any]) -> None:
    """Record what was done. Lists that are empty are left out, and reasons become one text."""
    context = {name: value for name, value in said.items() if value != []}
    if "same_place" in context:
        context["same_place"] = "; ".join(context["same_place"])
    log.note(action, **context)


def where_is(log: AuditLog, destination: str, primaries: Sequence[str] = ()) -> Places:
    """Return what a backup has in common with its log, see :func:`.apart.places`."""
    return places(log.path, destination, _all_primaries(log, primaries))


def progress_beside(log: Path) -> Path:
    """Return the path beside which the progress of backups to stores is kept."""
    return log.with_name(log.name + _BESIDE)


def keys_of(log: AuditLog) -> Keyring:
    """Return the keys that a log names. All entries are read."""
    keyring = Keyring(log.origin)
    for record in log.records():
        keyring.look(record)
    return keyring


def first_key(log: AuditLog) -> str | None:
    """Return a log's first public key as a vkey; None without a key."""
    known = keys_of(log).known
    return known[0].format() if known else None


def _all_primaries(log: AuditLog, given: Sequence[str]) -> list[str]:
    """Return the central stores of a log: those given, and those it was ever shipped to.

    What is remembered of these has no password, so a URL that was given goes first.
    """
    names = {destination_name(url) for url in given}
    shipped = (one.destination for one in read_all_progress(log.path))
    return [*given, *(name for name in shipped if name not in names)]


# --- To a folder.


def _refuse_itself(log: AuditLog, folder: Path) -> None:
    """Check that a copy does not take the place of the log, to which others may write meanwhile.

    :raises NotApart: if it would.
    """
    if folder.samefile(log.path.parent):
        raise NotApart(f"{folder} is the folder of the log itself: a backup goes to another one")


def _to_folder(log: AuditLog, folder: Path, remarks: list[str]) -> Report:
    """Copy a log's files, verify them together with what the backup has already, and replace it.

    :param remarks: gets a sentence for each file of the backup that was damaged, and for a front
        that is missing.
    """
    head = log.durable_head()
    with Staging(folder, log.path.name) as staging:
        _refuse_another(log, folder, head)
        is_database = log.path.suffix in SQLITE_SUFFIXES
        copied = (copy_database if is_database else copy_lines)(log.path, staging)
        log.durable_head()  # what was copied since is on this machine's disk as well
        paths = [staging.file(log.path.name), *(folder / name for name in copied.kept)]
        report = _verified(paths, head, remarks)
        keys = _public_keys(log, staging)
        staging.publish([*copied.made, *keys])
    remarks += [
        f"{folder / name} was changed since: it was copied again" for name in copied.damaged
    ]
    return report


def _refuse_another(log: AuditLog, folder: Path, head: Head) -> None:
    """Check that a log continues what its backup holds.

    :raises Refused: if it does not.
    """
    path = folder / log.path.name
    there = head_of(path) if path.exists() else EMPTY
    if there.seq > head.seq:
        raise Refused(
            f"{folder} holds {there.seq + 1:,} entries and the log {head.seq + 1:,}: the log was "
            "cut or rolled back, or the backup is of another log of this name"
        )
    ours = next(log.stored(there.seq), None) if there != EMPTY else None
    if there != EMPTY and (ours is None or (ours.seq, ours.hash) != there):
        raise Refused(f"{folder} holds another entry {there.seq} than the log")


def _verified(paths: Sequence[Path], head: Head, remarks: list[str]) -> Report:
    """Verify a copy against the log's head.

    :param remarks: gets a sentence if the log lacks its front, and does not prove why.
    :raises BrokenLog: if it is not intact.
    """
    report = verify(*paths, to_hash=head.hash)
    if report.status == "incomplete" and report.first_prev_hash and not report.starts_at_genesis:
        remarks.append(
            f"the copy begins with entry {report.first_seq:,}, as the log does, and nothing in it "
            "proves where the entries before are: run chained-logging verify on the log"
        )
        report = verify(*paths, to_hash=head.hash, from_hash=report.first_prev_hash)
    return _intact(report, "the copy")


def _intact(report: Report, what: str) -> Report:
    if not report.intact:
        verdict = spoken_verdict(report)
        raise BrokenLog(f"{what} is not intact: {'; '.join(verdict.faults) or verdict.headline}")
    return report


def _public_keys(log: AuditLog, staging: Staging) -> list[str]:
    """Write the log's public keys, a vkey a line, and return the name of their file."""
    known = keys_of(log).known
    if not known:
        return []
    name = f"{log.path.stem}-{log.path.suffix[1:]}.vkey"
    staging.write(name, [key.format().encode() + b"\n" for key in known])
    return [name]


# --- To a store.


def _to_store(log: AuditLog, url: str, patience: float, signer: Signer | None) -> Report:
    """Ship a log, with a progress of its own, and verify what the store has."""
    from chained_logging.ship.shipper import Shipper

    head = log.durable_head()
    alerts: list[str] = []
    beside = progress_beside(log.path)
    shipper = Shipper(log, [url], signer=signer, on_alert=alerts.append, beside=beside)
    (reached,) = shipper.ship(patience)
    if alerts or reached.alert:
        raise Refused("; ".join(alerts) or str(reached.problem))
    if reached.problem is not None:
        raise DestinationError(reached.problem)
    return _intact(verified_store(log, url, head), f"what {shown(url)} holds")


def verified_store(log: AuditLog, url: str, head: Head) -> Report:
    """Verify what a store holds of a log.

    :param head: an entry that it must have.
    :raises DestinationError: if it cannot be read.
    """
    key = first_key(log)
    for stream, faults in CentralStores().streams(url, log.origin, key):
        return verify(stream=stream, also=faults, to_hash=head.hash, public_key=key)
    return Report(reason="the store does not hold the log")
