"""Evidence: entries of a log in one file, with all that it takes to check them without the log.

A package holds the entries, one checkpoint, and one proof that all of them are in the log as it was
then. ``verify.py --evidence`` checks it. It is made from the log alone, in one reading, and from no
index; the same log and the same filter make the same bytes.
"""

from __future__ import annotations

import base64
import itertools
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from chained_logging.errors import BrokenLog, NoCheckpoint, NotAnEntry
from chained_logging.event.entry import AuditEntry
from chained_logging.event.legible import require_legible
from chained_logging.format.canonical import canonical
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.line import position
from chained_logging.format.merkle import HASH_SIZE
from chained_logging.format.note import Note
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.format.stub import holds
from chained_logging.format.subset import root_of, subset_proof
from chained_logging.format.vkey import Signer
from chained_logging.keys.keyring import NAMING, Keyring
from chained_logging.keys.statements import verifier_key
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_source
from chained_logging.review.package import Package, readme, verifier
from chained_logging.review.retention.applied import OURS, Applies, Named, Ranges
from chained_logging.review.selection import Selection
from chained_logging.review.sources import Found, Source
from chained_logging.sinks.checkpoints import signed_by_any
from chained_logging.sinks.lines import line_of

_BATCH: Final = 500


class Evidence(NamedTuple):
    """A package that was made.

    :ivar statement: how many entries of how many it holds, and by which filter.
    :ivar selection: which they are.
    :ivar later: entries that fit the filter and are not in it, because no checkpoint covers them.
    :ivar manifest: the SHA-256 of its manifest, which names the hash of each file. Noted elsewhere,
        such as in an entry of the log, it shows which package was handed over.
    """

    statement: str
    selection: Selection
    later: int
    manifest: str


def make_evidence(
    where: str,
    target: Path,
    wanted: Filter = ANY,
    *,
    sample: int | None = None,
    size: int | None = None,
    origin: str | None = None,
    key: Signer | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> Evidence:
    """Write the evidence for the entries that a filter finds.

    If the filter says nothing but times and numbers, it is a period: every entry from the first to
    the last one that fits is in the package, and that none is left out is proven.

    :param where: the path of a log, or the URL of a central store.
    :param target: the package. Nothing may be there.
    :param sample: how many of these entries to draw, by the checkpoint's root.
    :param size: that of the checkpoint to prove to; by default the newest that the log signed.
    :param origin: the name of the log, where a store holds several.
    :param key: the log's key. With it the claim (filter, sample, all hashes) is signed.
    :param extra: further files, such as a report, by their names.
    :raises FileExistsError: if something is at `target`.
    :raises NoCheckpoint: if the log has no checkpoint of its own, or none of that size.
    :raises OSError: if the log cannot be read; also LogError. BrokenLog if its entries are not
        those that the checkpoint vouches for.
    :raises ValueError: if no entry fits, or the key is not the log's.
    """
    with closing(open_source(where, origin)) as source:
        log = ReadLog(source, wanted)
        signed = log.at_checkpoint(size)
        selection = log.select(wanted, signed, sample)
        ring = log.keys(signed.size)
        name = signed.said.origin
        if key is not None and verifier_key(name, key) != ring.current:
            raise ValueError(f"the key must be the log's: {ring.current}")
        with Package(target) as package:
            for file, parts in _files(log, selection, signed, ring):
                package.add(file, parts)
            text = readme(name, selection.statement, selection.meaning, signed.size)
            package.add("README.txt", [text])
            for file, content in sorted((extra or {}).items()):
                package.add(file, [content])
            root = base64.b64encode(signed.said.root).decode()
            digest = package.seal(name, {**selection.claim(), "root": root}, key)
        later = len(log.fitting) - bisect_left(log.fitting, signed.size)
        return Evidence(selection.statement, selection, later, digest)


def _files(
    log: ReadLog, selection: Selection, signed: Signed, ring: Keyring
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the files of a package, in their order."""
    shown = itertools.chain(selection.chosen, selection.around)
    keys = sorted({*log.naming(signed.size), *log.explaining(shown, signed.size)})
    proven = sorted({*keys, *selection.around})
    leaves = _merged(selection.chosen, proven)
    yield "entries.jsonl", log.lines(selection.chosen)
    yield "around.jsonl", log.lines(selection.around)
    yield "keys.jsonl", log.lines(keys)
    proof = subset_proof(log.leaves, leaves, signed.size)
    yield "proof.txt", (base64.b64encode(hash) + b"\n" for hash in proof)
    yield "checkpoint.note", [signed.note.encode()]
    yield "timestamps.jsonl", (canonical(stamp) + b"\n" for stamp in signed.timestamps)
    yield "public-keys.txt", (f"{known.format()}\n".encode() for known in ring.known)
    yield "verify.py", [verifier()]


def _merged(chosen: Sequence[int], more: Sequence[int]) -> Sequence[int]:
    if isinstance(chosen, range) and all(seq in chosen for seq in more):
        return chosen
    return array("Q", sorted({*chosen, *more}))


class Signed:
    """A checkpoint, as it is kept in several versions: others sign it later.

    :ivar note: the version with the most signatures.
    :ivar timestamps: each with the version that it is over.
    """

    def __init__(self, versions: Sequence[StoredCheckpoint]) -> None:
        notes = [Note.parse(one.note.encode()) for one in versions]
        most = max(range(len(notes)), key=lambda at: (len(notes[at].signatures), at))
        self.note = versions[most].note
        self.said = Checkpoint.parse(notes[most].text)
        self.size = self.said.size
        stamped = {(one.note, one.timestamp) for one in versions if one.timestamp is not None}
        self.timestamps = [{"note": note, "timestamp": stamp} for note, stamp in sorted(stamped)]


class ReadLog:
    """A log that was read once: the hashes of its entries, what names its keys, and what fits.

    In memory it has 40 bytes an entry.

    :ivar leaves: the hashes of all entries, one after another.
    :ivar fitting: the ``seq`` of each entry that fits.
    :raises BrokenLog: if the entries are not a chain.
    """

    def __init__(self, source: Source, wanted: Filter) -> None:
        self._source = source
        self._places = array("q")
        self._naming: list[Record] = []
        self._applies = Applies()
        self.removed = Ranges()
        self.leaves = bytearray()
        self.fitting = array("Q")
        fits = _fitting(wanted)
        prev = "GENESIS"
        for found in source.entries():
            seq, link = (found.stub, prev) if found.stub is not None else position(found.body)
            if (seq, link) != (len(self._places), prev) or found.leaf != found.hash:
                raise self._broken(len(self._places))
            prev = found.hash
            self.leaves += bytes.fromhex(prev)
            self._places.append(found.place)
            if found.stub is not None:
                self.removed.add(seq)
            else:
                self._look(seq, found)
            if fits(seq, found):
                self.fitting.append(seq)

    def _look(self, seq: int, found: Found) -> None:
        """Keep an entry that is about keys, or about what was removed."""
        record = Record(seq, found.body, found.hash)
        names = seq == 0 or NAMING.match(found.body) is not None
        if names:
            self._naming.append(record)
        if names or OURS.match(found.body):
            self._applies.look(record)

    def explaining(self, seqs: Iterable[int], size: int) -> list[int]:
        """Return which of the first entries name some others as removed.

        :raises NoCheckpoint: if one is named by an entry that comes later.
        :raises BrokenLog: if there is a stub that none names.
        """
        named, found = Named(self._applies.valid), set()
        for seq in seqs if len(self.removed) else ():
            if seq in self.removed:
                by = named.naming(seq)
                if by is None:
                    raise self._broken(seq)
                if by.seq >= size:
                    raise NoCheckpoint(
                        f"{self._source.name} must have a checkpoint over entry {by.seq}, which "
                        f"says why entry {seq} was removed: run chained-logging checkpoint"
                    )
                found.add(by.seq)
        return sorted(found)

    def _broken(self, seq: int) -> BrokenLog:
        return BrokenLog(f"{self._source.name} is broken at seq {seq}: run chained-logging verify")

    def keys(self, size: int) -> Keyring:
        """Return the keys that the first entries name.

        :raises BrokenLog: if one is not named by the key before.
        """
        named = [record for record in self._naming if record.seq < size]
        ring = Keyring(AuditEntry(*named[0][1:]).resource_id if named else "")
        for record in named:
            ring.look(record)
        if ring.trouble is not None:
            raise BrokenLog(ring.trouble)
        return ring

    def naming(self, size: int) -> list[int]:
        """Return which of the first entries are about keys, the first entry among them."""
        return [record.seq for record in self._naming if record.seq < size]

    def at_checkpoint(self, size: int | None) -> Signed:
        """Return the newest checkpoint, or that of a size.

        :raises NoCheckpoint: if no key of the log signed one.
        :raises BrokenLog: if the entries are not those that it vouches for.
        """
        total = len(self._places)
        known = self.keys(total).known
        there = [one for one in self._source.checkpoints() if 0 < one.size <= total]
        there = [one for one in there if size in (None, one.size)]
        there.sort(key=lambda one: -one.size)  # of one size, in the order they were stored
        newest = next((one.size for one in there if signed_by_any(one, known)), None)
        if newest is None:
            which = "a checkpoint" if size is None else f"a checkpoint of size {size}"
            raise NoCheckpoint(
                f"{self._source.name} must have {which}, signed by its key: run chained-logging "
                "checkpoint"
            )
        signed = Signed([one for one in there if one.size == newest and signed_by_any(one, known)])
        if root_of(self.leaves, 0, newest) != signed.said.root:
            raise BrokenLog(
                f"{self._source.name} does not match its checkpoint: run chained-logging verify"
            )
        return signed

    def select(self, wanted: Filter, signed: Signed, sample: int | None) -> Selection:
        """Return which of the first entries are handed over."""
        covered = self.fitting[: bisect_left(self.fitting, signed.size)]
        return Selection.of(wanted, covered, signed.size, signed.said.root, sample, self.removed)

    def lines(self, seqs: Sequence[int]) -> Iterator[bytes]:
        """Yield entries as they are stored, each with its line feed.

        :raises BrokenLog: if one is not what was read before.
        """
        for at in range(0, len(seqs), _BATCH):
            batch = seqs[at : at + _BATCH]
            read = self._source.read([(seq, self._places[seq]) for seq in batch])
            for seq, record in zip(batch, read, strict=True):
                leaf = self.leaves[seq * HASH_SIZE : (seq + 1) * HASH_SIZE].hex()
                if record is None or (record.seq, record.hash) != (seq, leaf) or not holds(record):
                    raise BrokenLog(f"{self._source.name} changes while it is read, at seq {seq}")
                yield line_of(record) + b"\n"


def _fitting(wanted: Filter) -> Callable[[int, Found], bool]:
    """Return what tells whether an entry fits. Where numbers tell it, nothing is parsed."""
    first, last = wanted.first_seq or 0, wanted.last_seq
    by_number = wanted.narrowed(first_seq=None, last_seq=None) == ANY  # stubs fit too

    def fits(seq: int, found: Found) -> bool:
        if seq < first or (last is not None and seq > last):
            return False
        if by_number or found.stub is not None:
            return by_number
        entry = AuditEntry(found.body, found.hash)
        try:
            return wanted.matches(entry)
        except (AttributeError, KeyError, TypeError):
            require_legible(entry)
            raise NotAnEntry(f"entry {seq} was not written by a log") from None

    return fits
