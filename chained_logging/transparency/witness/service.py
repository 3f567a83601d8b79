"""A witness without a network: bytes in, an :class:`Answer` out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from chained_logging.errors import BrokenLog
from chained_logging.files.durable import replace_file, sync_directory
from chained_logging.files.lock import FileLock
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import EMPTY_ROOT, ProofError, verify_consistency
from chained_logging.format.note import MAX_NOTE, Note, cosign, verify_note
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURE, ED25519, Signer, VerifierKey
from chained_logging.transparency.witness.wire import (
    MAX_REQUEST,
    SIZE_TYPE,
    TEXT_TYPE,
    parse_request,
)

CLOCK_STEP: Final = 60
"""By how many seconds a witness's clock may have stepped back, see :class:`Witness`."""

_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What a witness answers, as HTTP has it."""

    status: int
    body: bytes
    content_type: str = TEXT_TYPE


def _refusal(status: int, sentence: object) -> Answer:
    return Answer(status, f"{sentence}\n".encode())


class Witness:
    """A witness. It keeps the last checkpoint that it cosigned of each log, and promises that
    everything it ever cosigned of a log are states of one history.

    For each log `folder` holds one file, named after the SHA-256 of its origin: the checkpoint with
    the log's signature and the witness's own. It is on the disk under its name before the
    cosignature leaves the witness, and read again at each request under a lock that threads and
    processes share. So the promise holds after any kill and any power failure, and several
    processes may serve one folder. It does **not** hold if the folder is deleted or
    restored from a backup, since the witness then forgets what it signed. After that, use a new
    key.

    A state that cannot be read, or is not signed by this witness or the log, raises an exception at
    each request, and never leads to a fresh start.

    The first checkpoint of a log is taken as it comes, as the specification requires: a witness
    vouches for what it saw from then on.

    A cosignature states a time, so time must not run backwards either. While the clock is up to
    :data:`CLOCK_STEP` seconds behind the last cosignature, that one's time is used; beyond that
    the witness answers 503. (If the clock was far ahead once, remove the witness's own signature
    from the file: the log's is enough to continue.)

    :param folder: one for each witness. It is created if it does not exist.
    :param name: the witness's name, by custom a URL without its scheme: ``witness.example/w1``.
    :param signer: its private key, which no log and no other witness may use: the message that it
        signs does not contain its name (C2SP ``tlog-cosignature``).
    :param logs: the logs that it knows: origin and key, or several keys of a log that rotated.
    :param clock: the time, in seconds since 1970.
    :raises NoteError: if the name cannot be a key's.
    :raises ValueError: if a log has no key, one that is not Ed25519, or the witness's own.
    :raises OSError: if the folder cannot be made.
    :raises Unsupported: if this system has no file locks.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        signer: Signer,
        logs: Mapping[str, VerifierKey | Collection[VerifierKey]],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key = VerifierKey(name, COSIGNATURE, signer.public_key)
        """The public key, for those who trust this witness: ``witness.key.format()``."""
        self._folder = folder
        self._signer = signer
        self._clock = clock
        self._logs: dict[str, tuple[VerifierKey, ...]] = {}
        for origin, given in logs.items():
            keys = (given,) if isinstance(given, VerifierKey) else tuple(given)
            if not keys or any(key.type != ED25519 for key in keys):
                raise ValueError(f"the log {origin!r} needs a key of type Ed25519")
            if len({(key.name, key.id) for key in keys}) != len(set(keys)):
                raise ValueError(f"the log {origin!r} has two keys with one name and ID")
            if any(key.public_key == signer.public_key for key in keys):
                raise ValueError(f"the log {origin!r} has the key of this witness")
            self._logs[origin] = keys
        self._files = {_file_name(origin): origin for origin in self._logs}
        self._kept: dict[str, bytes] = {}  # by origin: what this object brought onto the disk
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(folder)
        FileLock(folder / "lock")  # raises where there is no flock

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a request to cosign a checkpoint (C2SP ``tlog-witness``, ``add-checkpoint``).

        Any bytes get an answer. The signature is verified before anything else is touched, so
        strangers cause no write; repeating a log's own checkpoint causes at most one a second.

        :returns: 200 with the cosignature; 409 with the size that is held; 400 for a malformed
            request, 403 without the log's signature, 404 for an unknown log, 413 for a long body,
            422 for a checkpoint that does not continue the last one, 503 while the clock is behind.
        :raises OSError: if the state cannot be read or kept. Nothing was cosigned.
        :raises Exception: what the signer raises. Nothing was cosigned.
        """
        if len(body) > MAX_REQUEST:
            return _refusal(413, f"a request must have at most {MAX_REQUEST:,} bytes")
        try:
            old_size, proof, note = parse_request(body)
        except NoteError as error:
            return _refusal(400, error)
        origin = note.text.partition("\n")[0]
        keys = self._logs.get(origin)
        if keys is None:
            return _refusal(404, "this log is not known here")
        try:
            signers = {(found.key.name, found.key.id) for found in verify_note(note, keys)}
        except NoteError as error:
            return _refusal(403, error)
        try:
            checkpoint = Checkpoint.parse(note.text)
        except NoteError as error:
            return _refusal(422 if _false_empty_tree(note.text) else 400, error)
        if old_size > checkpoint.size:
            return _refusal(400, "the old size is beyond the new one")
        signed = tuple(
            {
                (each.name, each.key_id): each
                for each in note.signatures
                if (each.name, each.key_id) in signers
            }.values()
        )
        with self._locked(origin):
            last, time = self._recall(origin)
            if old_size != last.size:
                return Answer(409, b"%d\n" % last.size, SIZE_TYPE)
            try:
                verify_consistency(last.size, last.root, checkpoint.size, checkpoint.root, proof)
            except ProofError as error:
                # It may be the proof that a log shows two histories.
                _log.warning("refused a checkpoint of %r: %s: %r", origin, error, note.text)
                return _refusal(422, error)
            now = int(self._clock())
            if now < time - CLOCK_STEP or now < 1:
                _log.error("the clock is %d s behind the last cosignature", time - now)
                return _refusal(503, "the clock of this witness is behind its last cosignature")
            mine = cosign(note.text, self.key.name, self._signer, max(now, time))
            # A signer that errs must not leave a state that cannot be read again.
            verify_note(Note(note.text, (mine,)), [self.key])
            self._keep(origin, Note(note.text, (*signed, mine)).format())
        return Answer(200, f"{mine.format()}\n".encode())

    def checkpoint(self, file_name: str) -> Answer:
        """Return the last checkpoint that was cosigned (C2SP ``tlog-witness``, monitor retrieval).

        :param file_name: the SHA-256 of the log's origin in lower-case hexadecimal.
        :returns: 200 with the checkpoint, under it the log's signature and the witness's; or 404.
        :raises OSError: if the state cannot be read.
        """
        origin = self._files.get(file_name)
        data = None if origin is None else self._stored(origin)
        if data is None:
            return _refusal(404, "no checkpoint was cosigned of this log, if it is known here")
        return Answer(200, data)

    @contextmanager
    def _locked(self, origin: str) -> Iterator[None]:
        # A file description of its own for each request: so flock keeps threads apart as well.
        lock = FileLock(self._folder / f"{_file_name(origin)}.lock")
        try:
            lock.acquire()
            yield
        finally:
            lock.close()

    def _stored(self, origin: str) -> bytes | None:
        with suppress(FileNotFoundError), open(self._folder / _file_name(origin), "rb") as file:
            return file.read(MAX_NOTE + 1)
        return None

    def _recall(self, origin: str) -> tuple[Checkpoint, int]:
        """Return the last checkpoint that was cosigned, and when."""
        data = self._stored(origin)
        if data is None:
            return Checkpoint(origin, 0, EMPTY_ROOT), 0
        try:
            note = Note.parse(data)
            verified = verify_note(note, [self.key, *self._logs[origin]])
            checkpoint = Checkpoint.parse(note.text)
            if checkpoint.origin != origin:
                raise NoteError("it is that of another log")
        except NoteError as error:
            raise BrokenLog(f"the state of {origin!r} cannot be trusted: {error}") from None
        return checkpoint, next((each.time or 0 for each in verified if each.key == self.key), 0)

    def _keep(self, origin: str, data: bytes) -> None:
        """Write a state to the disk. A reader sees all of it, or the previous one."""
        # The same second and the same checkpoint: but only if it was this object that saw it
        # reach the disk, not if a process that was killed before that left it.
        if self._kept.get(origin) == data == self._stored(origin):
            return
        replace_file(self._folder / _file_name(origin), data)
        self._kept[origin] = data


def _file_name(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()


def _false_empty_tree(text: str) -> bool:
    """Whether all that is wrong with a checkpoint is that its size is 0 and its root is not that
    of the empty tree: the specification has a status of its own for it."""
    origin, size, *rest = text.split("\n")
    with suppress(NoteError):
        return size == "0" and bool(Checkpoint.parse("\n".join((origin, "1", *rest))))
    return False
