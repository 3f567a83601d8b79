"""What is not a page: the found entries as a file, one entry as it is stored, and its proof."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from chained_logging.errors import NoCheckpoint
from chained_logging.event.entry import AuditEntry
from chained_logging.formats import csv
from chained_logging.review.evidence import make_evidence
from chained_logging.review.filter import Filter
from chained_logging.review.reading import Reading
from chained_logging.review.viewer.access import Denied
from chained_logging.review.viewer.links import Asked
from chained_logging.review.viewer.pages import Missing, View, find

_PAGE: Final = 500  # entries for which others wait

Form = Literal["csv", "jsonl"]


class File(NamedTuple):
    """A file that is not written yet.

    :ivar reading: what it shows, for the record.
    :ivar name: what it is called; None if it is to be shown at once.
    :ivar discard: removes what it was prepared with, where it is not sent.
    """

    reading: Reading
    name: str | None
    media: str
    chunks: Iterator[bytes]
    discard: Callable[[], None] = lambda: None


def entries_file(view: View, asked: Asked, form: Form) -> File:
    """Return the entries that a filter finds, the oldest first.

    They end with the newest one there is now, whatever is appended while they are read.
    """
    with view.opened.engine(view.access) as engine:
        newest = engine.entries(asked.wanted, limit=1).entries
        count = engine.count(asked.wanted)
    last = newest[0].seq if newest else 0
    wanted = asked.wanted.narrowed(last_seq=min(last, asked.wanted.last_seq or last))
    head, spell, media = _FORMS[form]
    chunks = _chunks(view, wanted if newest else None, head, spell)
    return File(Reading(f"view {form}", asked.wanted, count), f"entries.{form}", media, chunks)


def _chunks(
    view: View, wanted: Filter | None, head: bytes, spell: Callable[[AuditEntry], bytes]
) -> Iterator[bytes]:
    yield head
    cursor = None
    while wanted is not None:
        with view.opened.engine(view.access) as engine:
            found, cursor = engine.entries(wanted, cursor=cursor, limit=_PAGE, order="oldest")
        yield b"".join(map(spell, found))
        if cursor is None:
            return


def _csv(entry: AuditEntry) -> bytes:
    return csv.row(csv.values(entry)).encode()


def _line(entry: AuditEntry) -> bytes:
    return entry.line + b"\n"


_FORMS: Final[dict[str, tuple[bytes, Callable[[AuditEntry], bytes], str]]] = {
    "csv": (csv.row(csv.COLUMNS).encode(), _csv, "text/csv; charset=utf-8"),
    "jsonl": (b"", _line, "application/jsonl"),
}


def evidence_file(view: View, asked: Asked) -> File:
    """Return the evidence for the entries that a filter finds.

    :raises Denied: if not all of the log may be seen: the evidence holds whole entries, and the
        log's own.
    :raises Missing: if no entry fits, or no checkpoint covers one.
    """
    if not view.access.whole:
        raise Denied("evidence holds whole entries and those of the log itself")
    folder = tempfile.TemporaryDirectory(prefix="chained-logging-")
    target = Path(folder.name, "evidence.zip")
    try:
        made = make_evidence(view.opened.where, target, asked.wanted, origin=view.opened.origin)
    except (NoCheckpoint, ValueError) as problem:
        folder.cleanup()
        raise Missing(str(problem)) from None
    about = {"manifest": made.manifest, "size": made.selection.size}
    reading = Reading("view evidence", asked.wanted, len(made.selection.chosen), about=about)
    chunks = _content(folder, target)
    return File(reading, "evidence.zip", "application/zip", chunks, folder.cleanup)


def _content(folder: tempfile.TemporaryDirectory[str], target: Path) -> Iterator[bytes]:
    with folder, open(target, "rb") as file:
        while chunk := file.read(1 << 16):
            yield chunk


def entry_file(view: View, seq: int) -> File:
    """Return an entry as it is stored; without its hash if fields are hidden."""
    line = _line(find(view, seq))
    reading = Reading("view entry", Filter(first_seq=seq, last_seq=seq), 1)
    return File(reading, None, "application/json", iter([line]))


def proof_file(view: View, seq: int) -> File:
    """Return the proof that an entry is in the log.

    :raises Denied: if fields are hidden, which the proof has.
    :raises Missing: if no checkpoint covers the entry, or it may not be seen.
    """
    if view.access.hidden:
        raise Denied("a proof holds the whole entry, and fields of it are hidden from you")
    find(view, seq)  # whether it may be seen
    if view.opened.is_remote:
        raise Missing("the viewer proves entries of a log that is a file")
    try:
        proof = view.opened.proof(seq)
    except ValueError as problem:
        raise Missing(str(problem)) from None
    reading = Reading("view proof", Filter(first_seq=seq, last_seq=seq), 1)
    name = f"entry-{seq}.tlog-proof"
    return File(reading, name, "text/plain; charset=utf-8", iter([proof.format()]))
