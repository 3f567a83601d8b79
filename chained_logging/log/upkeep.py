"""What an open log needs once an interval, by its keeper thread."""

from __future__ import annotations

import threading
import time

from chained_logging.errors import Busy, ForeignFile, KeyForged
from chained_logging.format.record import Head
from chained_logging.log.backlog import Backlog
from chained_logging.log.chain import Chain
from chained_logging.log.checkpoints import Checkpoints
from chained_logging.log.membership import Membership
from chained_logging.log.options import Options
from chained_logging.log.own_entries import own_draft
from chained_logging.log.recovery import Recovery
from chained_logging.log.state import State
from chained_logging.log.writer import Writer
from chained_logging.sinks import Notice


class Upkeep:
    """Syncs, chains the backlog, seals old segments, notes the end, signs checkpoints."""

    def __init__(
        self,
        state: State,
        options: Options,
        writer: Writer,
        chain: Chain,
        backlog: Backlog,
        membership: Membership,
        recovery: Recovery,
        checkpoints: Checkpoints,
    ) -> None:
        self._state = state
        self._heartbeat = options.heartbeat
        self._writer = writer
        self._chain = chain
        self._backlog = backlog
        self._membership = membership
        self._recovery = recovery
        self._checkpoints = checkpoints
        self.afresh()

    def afresh(self) -> None:
        """Count the silence from now on."""
        self._quiet = -1, time.monotonic()  # the last entry, and since when it was the last

    def tend(self) -> bool:
        """Do what is due, and return whether that went well. Raises nothing."""
        try:
            self._tend()
            return True
        except Busy:  # others are at work
            pass
        except KeyForged as error:
            self._state.tell(str(error))
        except Exception as error:  # from the disk or a signer; the next round tries again
            self._state.last_error = str(error) or repr(error)
        return False

    def _tend(self) -> None:
        state = self._state
        self._writer.flush()
        with state.lock:
            if state.closed or state.writing:
                return
            state.writing = threading.get_ident()
            try:
                head, foreign = self._tend_files()
            finally:
                state.file_lock.release()
                state.writing = 0
        state.tell(foreign)
        self._tend_silence(head)
        self._checkpoints.make_due(head)

    def _tend_files(self) -> tuple[Head, str | None]:
        """Return the head, and a sentence about a file that is not the log's own."""
        state, backlog = self._state, self._backlog
        if state.file_lock.moved():
            state.file_lock.close()
        backlog.look_for_others()
        foreign = backlog.refused()
        self._membership.look_around = True
        if backlog.spilled or backlog.waiting or backlog.deferred:
            backlog.chain_deferred(self._chain.append)
        state.file_lock.acquire()
        head = state.head()
        self._membership.see_that_writers_agree(head)
        try:
            state.sink.tend()
        except ForeignFile as error:  # the rest still works
            foreign = str(error)
        self._recovery.note_end(state.origin)
        return head, foreign

    def _tend_silence(self, head: Head) -> None:
        """Write a heartbeat if nobody wrote for long enough."""
        if self._heartbeat is None:
            return
        if head.seq != self._quiet[0]:
            self._quiet = (head.seq, time.monotonic())
        elif time.monotonic() - self._quiet[1] >= self._heartbeat:
            self._writer.write_out([own_draft(Notice("log.heartbeat", {}), self._state.origin)])
            self._state.counts["appended"] -= 1  # ours, and not the caller's
