"""How this writer takes part in a log: all writers of a log must sign it the same way.

What the log's entries show (:mod:`chained_logging.log.ways`) and what its running writers say
(:mod:`chained_logging.log.writers`) is compared with this writer's own way.
"""

from __future__ import annotations

from chained_logging.errors import KeyMissing, LogError
from chained_logging.format.record import Head
from chained_logging.log.checkpoints import Checkpoints
from chained_logging.log.options import Options
from chained_logging.log.own_entries import OwnEntries
from chained_logging.log.signing import Signing
from chained_logging.log.state import State
from chained_logging.log.ways import names_key, signs_each
from chained_logging.log.writers import CHECKPOINT, EACH, NO_KEY, Writers
from chained_logging.sinks import Notice


class Membership:
    """This writer among those of a log. Its caller holds both of the log's locks.

    :ivar mute: whether the log is signed and this writer has no key. It then writes nothing but
        the log's entries about itself.
    :ivar look_around: whether it is time to see that the writers agree.
    """

    def __init__(
        self,
        state: State,
        options: Options,
        signing: Signing,
        checkpoints: Checkpoints,
        own: OwnEntries,
    ) -> None:
        self._state = state
        self._options = options
        self._signing = signing
        self._checkpoints = checkpoints
        self._own = own
        self._writers = Writers(state.path)
        self._outvoted: str | None = None  # why this one may write no more, until it is reopened
        self.mute = False
        self.look_around = False

    # --- At opening.

    def announce(self) -> None:
        """Join the running writers; a tool that follows waits until it writes something.

        :raises SignsOtherwise: if they sign another way.
        :raises FAILURES: if that cannot be told.
        """
        if not self._options.follows:
            self._writers.join(self._way())

    def join(self, head: Head) -> Head:
        """Check that this writer has the log's key, and signs as the log's entries are signed.

        :returns: the log's head, which is another one if the log got its first key here.
        :raises ValueError: if it does not, as its entries would spoil those of others.
        """
        signing, origin = self._signing, self._signing.keyring.origin
        new = signing.key is not None and self._is_first_key(head)
        self._check_way(head)
        if signing.key is not None and self._options.follows:
            signing.each = (self._writers.running() or self._way()) == EACH
        if new:
            about = {"origin": origin, "public_key": signing.own_vkey()}
            head = self._own.write(Notice("key.add", about), head)
        return head

    def leave(self) -> None:
        """Take part no longer: the log is closed."""
        self._writers.leave()

    def _is_first_key(self, head: Head) -> bool:
        """Check that the key is the log's, and return whether it has to be added first.

        :raises ValueError: if the log has another key.
        """
        ours, ring = self._signing.own_vkey(), self._signing.keyring
        self._checkpoints.trust_newest(head)
        self._signing.look_at_others(head)
        self._checkpoints.tell_of_foreign(head)
        if ring.current is None:  # with trouble, the key is unknown and nothing is signed
            return ring.trouble is None
        if ring.current != ours:
            raise ValueError(f"the log {self._state.path} has the key {ring.current}, not {ours}")
        return False

    def _check_way(self, head: Head) -> None:
        """Check that this writer signs as the log's entries are signed.

        :raises ValueError: if it does not.
        """
        signing, sink, path = self._signing, self._state.sink, self._state.path
        ring = signing.keyring
        if signing.key is None:
            self.mute = names_key(sink, ring.origin, head)
            if self.mute and not self._options.follows:
                raise ValueError(
                    f"the log {path} is signed: open it with its key, or with sign='follow' "
                    "to write nothing but what the log says of itself"
                )
        elif not signing.each and signs_each(sink, ring.known, ring.origin, head):
            if self._options.sign == "checkpoint":
                raise ValueError(f"each entry of {path} is signed: open it with sign='each'")
            signing.each = True

    def _way(self) -> str:
        if self._signing.each:
            return EACH
        return NO_KEY if self._signing.key is None else CHECKPOINT

    # --- Before a write.

    def write_as_others_do(self, head: Head) -> None:
        """Join the log's writers: a tool that follows does so with its first event.

        :raises KeyMissing: if it has no key and the others have one.
        """
        if self._writers.way is not None:
            return
        way = self._writers.running() or self._way()
        if self._signing.key is None and (self.mute or way != NO_KEY):
            raise KeyMissing(
                f"the log {self._state.path} is signed, and this writer has no key: "
                "open it with the key"
            )
        if self._signing.key is not None:
            self._signing.each = way == EACH
            self._check_way(head)
        self._writers.join(self._way())

    def see_that_writers_agree(self, head: Head) -> None:
        """Join again if the file that says how the writers sign was deleted or replaced.

        :raises LogError: if writers that sign another way joined meanwhile. What is logged here is
            kept for them in the spill file.
        """
        try:
            if self._outvoted is None and self._writers.stay():
                self._check_way(head)
        except ValueError as disagree:
            if self._writers.running() == self._writers.way:  # they ended, and left their entries
                self._outvoted = str(disagree)
                self._writers.leave()
            raise LogError(str(disagree)) from None
        if self._outvoted is not None:
            raise LogError(self._outvoted)
        self.look_around = False
