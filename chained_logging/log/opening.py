"""Opening a log, for the first time and again after it was resting."""

from __future__ import annotations

import errno
import gc
import uuid
from collections.abc import Sequence

from chained_logging.errors import FAILURES, Busy, LogClosed
from chained_logging.event.draft import Draft
from chained_logging.format.record import EMPTY, Head
from chained_logging.keys.keyring import Keyring
from chained_logging.log.backlog import Backlog
from chained_logging.log.keeper import Keeper
from chained_logging.log.membership import Membership
from chained_logging.log.own_entries import OwnEntries
from chained_logging.log.recovery import Recovery
from chained_logging.log.signing import Signing
from chained_logging.log.state import OPENING_PATIENCE, State
from chained_logging.log.writers import SignsOtherwise
from chained_logging.sinks import Notice


class Opening:
    """Finds the chain's end, or writes the genesis entry."""

    def __init__(
        self,
        state: State,
        recovery: Recovery,
        signing: Signing,
        membership: Membership,
        own: OwnEntries,
        backlog: Backlog,
        keeper: Keeper,
    ) -> None:
        self._state = state
        self._recovery = recovery
        self._signing = signing
        self._membership = membership
        self._own = own
        self._backlog = backlog
        self._keeper = keeper

    def open(self, origin: str | None) -> None:
        """Open the log for the first time, with more patience than a call has.

        :param origin: the name that it must have; None for its own.
        :raises FAILURES: if it cannot be opened.
        :raises ValueError: if its name, its key or its way of signing is another one.
        """
        state = self._state
        state.file_lock.patience = state.sink.patience = OPENING_PATIENCE
        try:
            self._open(origin)
        except (OSError, SignsOtherwise) as error:
            # Unreferenced logs keep their files open until they are garbage-collected.
            full = isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
            if not (full or isinstance(error, SignsOtherwise)) or not gc.collect():
                raise
            self._open(origin)
        finally:
            state.set_patience(stalled=False)
        state.closed = False

    def wake(self, drafts: Sequence[Draft]) -> None:
        """Open a resting log again; if that fails, keep the events.

        :raises LogClosed: if it was closed for good.
        :raises FAILURES: if it cannot be opened.
        """
        state = self._state
        if not state.resting:
            raise LogClosed(f"the audit log {state.path} is closed")
        if not state.released:
            raise Busy(f"the audit log {state.path} is being closed")
        try:
            self._open(state.origin)
        except Busy:
            raise
        except FAILURES as error:
            self._backlog.keep(error, drafts)
            raise
        self._keeper.afresh()
        self._backlog.spilled = True
        state.closed = state.resting = state.released = False

    def _open(self, origin: str | None) -> None:
        state = self._state
        state.file_lock.acquire()
        try:
            self._find_end(origin)
        except BaseException:
            state.sink.close()
            self._membership.leave()
            state.file_lock.close()
            raise
        finally:
            state.file_lock.release()

    def _find_end(self, origin: str | None) -> None:
        state, recovery, membership = self._state, self._recovery, self._membership
        memory = recovery.recall(origin)
        head = state.sink.head()
        name = recovery.origin(memory, head, origin)
        membership.announce()
        state.origin = name or f"chained-logging/{uuid.uuid4()}"
        rewritten = recovery.is_rewritten(memory, head)
        head = recovery.end(memory, head)
        self._signing.keyring = Keyring(state.origin)
        head = self._begin(head) if head == EMPTY else membership.join(head)
        recovery.remember(memory, head, state.origin, rewritten=rewritten)
        state.seq = head.seq
        self._backlog.spilled = self._backlog.look()
        state.tell(self._signing.keyring.trouble or self._backlog.refused())

    def _begin(self, head: Head) -> Head:
        """Write the genesis entry."""
        about = {"origin": self._state.origin, "format": 1, "software": _software()}
        if self._signing.key is not None:
            about["public_key"] = self._signing.own_vkey()
        return self._own.write(Notice("log.open", about), head)


def _software() -> str:
    from importlib import metadata  # it takes longer to import than the rest of this module

    try:
        return f"chained_logging {metadata.version('chained_logging')}"
    except metadata.PackageNotFoundError:  # frozen, vendored, a zip file
        return "chained_logging"
