"""Verifying a log or a copy of it: what is new at once, and all of it in turn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from chained_logging.errors import FAILURES, ShipError
from chained_logging.format.line import stored_line
from chained_logging.format.record import Head
from chained_logging.review.opening import is_url, named
from chained_logging.review.stores import CentralStores
from chained_logging.review.verdict import Evidence, Verdict, spoken_verdict
from chained_logging.review.watch.check import Check
from chained_logging.review.watch.memory import Memory, Verified
from chained_logging.sinks import open_sink
from chained_logging.verify import Report, Stream, verify

_AT_ONCE: Final = 64 << 20  # bytes of new entries in a round


class Place:
    """A log, or a central store that holds a copy of it.

    :param where: the path of the log, or the URL of the store.
    :param origin: the name of the log.
    :param memory: what was found intact before.
    :ivar name: what people call it. It holds no secret.
    :ivar seconds: the processor time that the last verification of all of it took.
    :ivar broken: the verdict that says so, until a later verification finds it intact.
    """

    def __init__(
        self,
        where: str,
        memory: Memory,
        *,
        origin: str | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        self.name = named(where)
        self.seconds = 0.0
        self.broken: Check | None = None
        self._where = where
        self._memory = memory
        self._origin = origin
        self._evidence = evidence or Evidence()
        self._reached: Head | None = None

    @property
    def verified(self) -> Verified | None:
        """The last state that was found intact."""
        return self._memory.places.get(self.name)

    def whole(self) -> Check:
        """Verify all of it, from the first entry to the last.

        :raises FAILURES: if it cannot be read, or the memory cannot be kept.
        :raises ShipError: if a store cannot be read.
        """
        began = time.thread_time()
        verdict = self._judge(self.verified)
        self.seconds = time.thread_time() - began
        if not verdict.intact and not _is_archived(verdict.report):
            return self._not_intact(verdict)
        report = verdict.report
        self.broken = None
        if report.last_seq is not None and report.last_hash is not None:
            self._reached = Head(report.last_seq, report.last_hash)
            self._memory.keep(
                self.name, Verified(*self._reached, time.time(), round(self.seconds, 3))
            )
        return self._fine(report.entries, "" if verdict.intact else f": {report.faults[0].reason}")

    def _judge(self, before: Verified | None) -> Verdict:
        asked = {**vars(self._evidence), "to_hash": before.hash if before else None}
        if not is_url(self._where):
            return spoken_verdict(verify(self._where, **asked))
        key = self._evidence.public_key
        for stream, faults in CentralStores().streams(self._where, self._origin, key):
            return spoken_verdict(verify(stream=stream, also=faults, **asked))
        return spoken_verdict(Report(reason="the store does not hold the log"))

    def fresh(self) -> Check | None:
        """Verify what was appended to a log since; None for a store, or if nothing was.

        :raises FAILURES: if it cannot be read.
        """
        if is_url(self._where) or self._reached is None:
            return None
        lines = list(self._new_lines(self._reached))
        if not lines:
            return None
        stream = Stream(self.name, lines)
        verdict = spoken_verdict(verify(stream=stream, from_hash=self._reached.hash))
        if not verdict.intact:
            return self._not_intact(verdict)
        report = verdict.report
        if report.last_seq is not None and report.last_hash is not None:
            self._reached = Head(report.last_seq, report.last_hash)
        return None if self.broken else self._fine(report.entries)

    def _new_lines(self, reached: Head) -> Iterator[bytes]:
        sink = open_sink(Path(self._where))
        with closing(sink):
            size = 0
            for record in sink.records(reached.seq + 1):
                if size >= _AT_ONCE:
                    return
                size += len(record.body)
                yield stored_line(record.body, record.hash, record.signature)

    def _not_intact(self, verdict: Verdict) -> Check:
        first = f": {verdict.faults[0]}" if verdict.faults else ""
        if verdict.status == "unchecked":
            return Check("intact", self.name, None, f"{self.name} {verdict.headline}{first}")
        return self._bad(f"{self.name}: {verdict.headline}{first}")

    def _bad(self, sentence: str) -> Check:
        self.broken = Check("intact", self.name, False, sentence, "critical")
        return self.broken

    def _fine(self, entries: int, but: str = "") -> Check:
        said = f"{self.name} is intact{but}"
        return Check("intact", self.name, True, said, value=float(entries))


def _is_archived(report: Report) -> bool:
    """Whether nothing lacks but what a store says it moved to an archive."""
    return report.status == "incomplete" and {one.kind for one in report.faults} == {"archived"}


def looked_at(place: Place, *, whole: bool) -> Check | None:
    """Verify a place, and say in a check if it cannot be read.

    :param whole: all of it, and not what is new alone.
    """
    try:
        return place.whole() if whole else place.fresh()
    except (*FAILURES, ShipError, ValueError) as error:
        said = f"{place.name} could not be read: {error}"
        return Check("intact", place.name, None, said, "high")
