"""Checkpoints of an open log: when one is due, what is signed, and which stored ones count.

Others may be able to write to the log and to its checkpoints. So a stored checkpoint counts only
if a key of the log signed it, and before one is signed, the entries that name keys are checked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import takewhile

from chained_logging.errors import BrokenLog
from chained_logging.format.record import NO_CHECKPOINT, Head, StoredCheckpoint
from chained_logging.log.options import Options
from chained_logging.log.recent import RecentHashes
from chained_logging.log.signing import Signing
from chained_logging.log.state import State
from chained_logging.sinks.checkpoints import make, pretends, sign, signed_by_any, tree_at


class Checkpoints:
    """Makes, checks and keeps a log's checkpoints.

    :ivar lock: held while one is made or the key changes. It is taken before the log's locks.
    :ivar newest: the newest that was made here, or was found to be of our key.
    """

    def __init__(
        self, state: State, options: Options, signing: Signing, recent: RecentHashes
    ) -> None:
        self._state = state
        self._options = options
        self._signing = signing
        self._recent = recent
        self.newest: StoredCheckpoint | None = None
        self.afresh()

    def afresh(self) -> None:
        """Create the lock, and count from now until the next one is due."""
        self.lock = threading.RLock()
        self._covered, self._made_at = 0, time.monotonic()  # size and moment of the last one

    # --- Making.

    def make(self) -> bytes:
        """Sign a checkpoint over all entries so far, and keep it.

        :returns: a signed note; the previous one, if no entry was added since.
        :raises ValueError: if there is no key.
        :raises FAILURES: if the log or the checkpoints cannot be read or written.
        """
        if self._signing.key is None:
            raise ValueError("a checkpoint needs a key: AuditLog(..., key=...)")
        self._state.notice_fork()
        with self.lock:
            with self._state.held():
                head = self._state.head()
            self._covered, self._made_at = head.seq + 1, time.monotonic()
            return self._at(head).note.encode()

    def make_due(self, head: Head) -> None:
        """Make those that are due: of the last sealed segment, and of all entries.

        :raises FAILURES: as :meth:`make`.
        """
        sealed = self._state.sink.sealed()
        signs = self._signing.key is not None
        if signs and sealed is not None and sealed.seq >= self._covered:
            with self.lock:  # so that a segment has a checkpoint of its own
                self._covered, self._made_at = self._at(sealed).size, time.monotonic()
        self._signing.tell_of_revocation()
        if signs and head.seq + 1 > self._covered:
            fresh = head.seq + 1 - self._covered
            waited = time.monotonic() - self._made_at
            due = self._options.checkpoint_every, self._options.checkpoint_interval
            if fresh >= due[0] or waited >= due[1]:
                self.make()

    def _at(self, head: Head) -> StoredCheckpoint:
        """Sign the entries up to `head` and keep the checkpoint, unless one that covers as many
        or more exists.

        :raises BrokenLog: if one covers more entries than there are: the end was cut off.
        """
        state = self._state
        with state.held():
            kept, end = self.kept(), state.head()
        if kept is not None and kept.size > end.seq + 1:
            raise BrokenLog(
                f"a checkpoint of {state.path} covers {kept.size:,} entries, and there are "
                f"{end.seq + 1:,}: the end was cut off; chained-logging verify names every break"
            )
        if kept is not None and kept.size > head.seq:
            return kept
        last = self.newer(kept)
        # Outside the lock, which others wait for: what is read does not change any more.
        self._signing.check_names(head, last)
        if head.seq < self._signing.keyring.since:  # a segment sealed before the log had this key
            with state.held():
                head = state.head()
        made = self.sign(head, last)
        with state.held():
            kept, end = self.kept(), state.head()
            if kept is None or kept.size < made.size:  # else another process was faster
                state.sink.add_checkpoint(made)
            self.tell_of_foreign(end)
            self.newest = made
            self._recent.forget_before(made.size - 1)
        return made

    def sign(self, head: Head, last: StoredCheckpoint | None) -> StoredCheckpoint:
        """Sign the entries up to `head`. What they say about keys must have been checked.

        :param last: the checkpoint to continue from.
        :raises BrokenLog: if an entry is missing.
        """
        state, key, origin = self._state, self._signing.required(), self._state.origin
        tree = tree_at(last, state.sink.stored)
        hashes = self._recent.between(tree.size, head)
        # On the disk first: a power failure must not leave a checkpoint without its entries.
        state.sink.sync()
        if hashes:
            tree.extend(bytes.fromhex("".join(hashes)))
            return sign(tree, origin, key)
        records = (r for r in state.sink.stored(tree.size) if r.seq <= head.seq)
        made = make(tree, records, origin, key)
        if made.size != head.seq + 1:
            raise BrokenLog(f"{state.path} holds {made.size} entries, not {head.seq + 1}")
        return made

    # --- Which of the stored ones count.

    def stored(self) -> Iterator[StoredCheckpoint]:
        """Read all. One that was co-signed later appears twice."""
        return (stored for _, stored in self._state.sink.checkpoints())

    def own(self) -> Iterator[StoredCheckpoint]:
        """Read those that a key of the log signed, as far as the log was read here."""
        return (stored for stored in self.stored() if self.is_ours(stored))

    def kept(self) -> StoredCheckpoint | None:
        """Return the newest stored checkpoint that a key of the log signed."""
        recent = self._state.sink.recent_checkpoints()
        return next((one for one in recent if self.is_ours(one)), None)

    def newer(self, kept: StoredCheckpoint | None) -> StoredCheckpoint | None:
        """Return the checkpoint to continue from: the larger of `kept` and our own newest, so
        that deleting the stored one does not help an attacker."""
        newest = self.newest
        return newest if kept is None or (newest and newest.size > kept.size) else kept

    def last(self) -> StoredCheckpoint | None:
        """Return the newest. With the log's key, only those that a key of the log signed count."""
        if self._signing.key is not None:
            return self.newer(self.kept())
        recent = self._state.sink.recent_checkpoints()
        return next((one for one in recent if one is not NO_CHECKPOINT), None)

    def is_ours(self, stored: StoredCheckpoint) -> bool:
        """Whether a key of the log signed it. Write access to the file is not enough for that."""
        newest = self.newest
        if newest is not None and (stored.note, stored.size) == (newest.note, newest.size):
            return True
        return signed_by_any(stored, self._signing.keyring.known)

    def trust_newest(self, head: Head) -> None:
        """At opening: skip the entries below the newest checkpoint that our key signed."""
        signing, sink = self._signing, self._state.sink
        stored = sink.recent_checkpoints()
        if stored and not signing.made(stored[0]):
            # The previous key signed it, or somebody without a key wrote it.
            stored = sorted((one for _, one in sink.checkpoints()), key=lambda one: -one.size)
        last = next((one for one in stored if signing.made(one)), None)
        if last is not None and last.size <= head.seq + 1:
            signing.trust(last)
            self.newest = last

    def tell_of_foreign(self, head: Head) -> None:
        """Report checkpoints that no key of the log signed."""
        self._signing.look_at_others(head)  # they may name the key of the newest
        recent = self._state.sink.recent_checkpoints()
        # A checkpoint older than ours may be of a key that is no longer known here.
        newer = takewhile(lambda one: not self.is_ours(one), recent)
        known = self._signing.keyring.known
        if next(newer, None) is not None or any(pretends(one, known) for one in recent):
            self._state.tell(
                f"among the checkpoints of {self._state.path} is one that no key of the log "
                "signed: it is foreign and is ignored; chained-logging verify names it"
            )

    def keep_anchored(self, note: bytes, timestamp: str | None) -> None:
        """Store a checkpoint once more, with the signatures that others added.

        :param timestamp: an RFC 3161 response over exactly these bytes, in base64.
        :raises ValueError: if its text is not that of a stored checkpoint.
        :raises FAILURES: if it cannot be written.
        """
        state, text = self._state, note.decode().rpartition("\n\n")[0]
        for stored in self.stored():
            same = stored.note.rpartition("\n\n")[0] == text
            if same and (self._signing.key is None or self.is_ours(stored)):
                break
        else:
            raise ValueError(f"{state.path} does not have this checkpoint")
        state.notice_fork()
        with state.held():
            state.head()
            state.sink.add_checkpoint(stored._replace(note=note.decode(), timestamp=timestamp))
