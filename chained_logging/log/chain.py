"""The chain between processes: read its end under their lock, and append to it.

All entries but those of :mod:`chained_logging.log.own_entries` are written here.
"""

from __future__ import annotations

from collections.abc import Sequence

from chained_logging.errors import FAILURES, Busy
from chained_logging.event.draft import Draft
from chained_logging.event.fields import OURSELVES
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Head, Record
from chained_logging.log.backlog import Backlog
from chained_logging.log.membership import Membership
from chained_logging.log.options import Options
from chained_logging.log.own_entries import own_draft
from chained_logging.log.recent import RecentHashes
from chained_logging.log.signing import Signing
from chained_logging.log.state import State

_new_record = tuple.__new__  # a third of the time of Record(…)


class Chain:
    """Appends to the chain. Its caller holds the lock between threads."""

    def __init__(
        self,
        state: State,
        options: Options,
        signing: Signing,
        membership: Membership,
        backlog: Backlog,
        recent: RecentHashes,
    ) -> None:
        self._state = state
        self._follows = options.follows
        self._signing = signing
        self._membership = membership
        self._backlog = backlog
        self._recent = recent

    def append(self, drafts: Sequence[Draft]) -> list[Record]:
        """Chain what waits, what the sink came across, and these events.

        :raises Busy: if others hold the log. The events are the caller's to keep.
        :raises FAILURES: if they cannot be written. They are in the backlog then.
        """
        state, backlog = self._state, self._backlog
        lock, sink = state.file_lock, state.sink
        try:
            lock.acquire()
            # The last hash is read here, after the lock was taken, or two writers would fork
            # the chain.
            head = sink.head() if not lock.others_wrote else state.head()
            if self._follows or self._membership.look_around:
                self._agree(head, drafts)
            if (backlog.spilled or backlog.waiting.drafts) and not self._membership.mute:
                head = backlog.chain(head, self._write)
            if sink.notices:
                head = self._write_notices(head)
            records = self._write(drafts, head)
            if records:
                lock.note(records[-1].seq, records[-1].hash)
            if state.stalled:
                state.set_patience(stalled=False)
            return records
        except Busy:  # for the caller to wait, or to keep them
            raise
        except FAILURES as error:
            backlog.keep(error, drafts)
            raise
        finally:
            lock.release()

    def is_due(self) -> bool:
        """Whether something waits that another :meth:`append` chains.

        What is in a spill file waits for a writer with the key, if the log has one.
        """
        backlog = self._backlog
        return bool(backlog.deferred) or (backlog.spilled and not self._membership.mute)

    def _agree(self, head: Head, drafts: Sequence[Draft]) -> None:
        membership = self._membership
        if membership.look_around:
            membership.see_that_writers_agree(head)
        if self._follows and any(each.fields["actor_id"] != OURSELVES for each in drafts):
            membership.write_as_others_do(head)

    def _write(self, drafts: Sequence[Draft], head: Head) -> list[Record]:
        """Give each draft its ``seq`` and previous hash, and hand all of them to the sink."""
        state, signing = self._state, self._signing
        each = signing.each
        if each and head.seq > state.seq:
            signing.follow_others(head)
        seq, prev = head
        records: list[Record] = []
        incomplete = 0
        for entry in drafts:
            seq += 1
            body = entry.body(seq, prev)
            prev = leaf_hash(body)
            signature = signing.signature(prev) if each else None
            records.append(_new_record(Record, (seq, body, prev, signature)))
            incomplete += entry.incomplete
        if records:
            state.sink.write(records)
            if signing.key is not None:
                signing.keyring.wrote(records[0].seq, len(records))
                self._recent.add(records)
            state.counts["appended"] += len(records)
            if incomplete:
                state.counts["incomplete"] += incomplete
        return records

    def _write_notices(self, head: Head) -> Head:
        """Record what the sink came across, such as a torn line."""
        state, sink = self._state, self._state.sink
        notices = list(sink.notices)
        origin = self._signing.keyring.origin
        records = self._write([own_draft(notice, origin) for notice in notices], head)
        state.counts["appended"] -= len(records)  # ours, and not the caller's
        del sink.notices[: len(notices)]
        return Head(records[-1].seq, records[-1].hash)
