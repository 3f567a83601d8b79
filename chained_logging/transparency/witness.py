"""Witnesses: others who sign that they never saw two histories of a log (C2SP ``tlog-witness``).

A log that signs alone can show one history to one auditor and another to the next. A witness makes
that impossible without its help: it keeps the last checkpoint of each log that it knows, cosigns a
new one only with a proof that the log merely grew since, and states the time. Two teams run one
for each other; neither sees anything of the other's entries but their number and a hash.

- :func:`ask` is the client: it brings a checkpoint to a witness and returns what that signed.
  :func:`with_cosignatures` verifies it and puts it under the checkpoint.
- :class:`Witness` is the witness itself, without a network: bytes in, an :class:`Answer` out.
- :func:`serve` and :class:`WitnessServer` put it on HTTP. TLS, if it leaves the machine, is left
  to a reverse proxy.

Cosignatures are of type 0x04, timestamped Ed25519 (C2SP ``tlog-cosignature``).
"""

from __future__ import annotations

import base64
import http.client
import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from chained_logging.files.durable import replace_file, sync_directory
from chained_logging.files.lock import FileLock
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    MAX_SIZE,
    ProofError,
    verify_consistency,
)
from chained_logging.format.note import (
    MAX_NOTE,
    MAX_SIGNATURES,
    Note,
    Signature,
    cosign,
    verify_note,
)
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURE, COSIGNATURES, ED25519, Signer, VerifierKey
from chained_logging.net.client import Client
from chained_logging.net.head import Head
from chained_logging.net.server import STRANGERS, Admission, HttpServer, Request, Response

MAX_REQUEST: Final = 128 * 1024
"""The longest request body in bytes that a :class:`Witness` takes: 63 hashes and a checkpoint with
16 signatures of near 5 kB, the least that C2SP ``signed-note`` asks for."""

MAX_REPLY: Final = 256 * 1024
"""The longest answer in bytes that :func:`ask` reads."""

MAX_PROOF_LINES: Final = 63
"""The most hashes in a request (C2SP ``tlog-witness``)."""

CLOCK_STEP: Final = 60
"""By how many seconds a witness's clock may have stepped back, see :class:`Witness`."""

_TEXT: Final = "text/plain; charset=utf-8"
_SIZE: Final = "text/x.tlog.size"  # of a 409 (C2SP tlog-witness)

_log = logging.getLogger(__name__)


# --- The request.


class Submission(NamedTuple):
    """What is posted to ``add-checkpoint``."""

    old_size: int
    proof: list[bytes]
    note: Note


def format_request(old_size: int, proof: Sequence[bytes], checkpoint_note: bytes) -> bytes:
    """Return the body of a request: ``old N``, the hashes, an empty line, the checkpoint.

    :raises ValueError: if there are more than 63 hashes, one has not 32 bytes, or the size is out
        of bounds.
    """
    if not 0 <= old_size <= MAX_SIZE:
        raise ValueError("the size of a tree must be from 0 to 2**63 - 1")
    if len(proof) > MAX_PROOF_LINES:
        raise ValueError(f"a consistency proof must have at most {MAX_PROOF_LINES} hashes")
    if any(len(hash) != HASH_SIZE for hash in proof):
        raise ValueError("a hash in a proof must have 32 bytes")
    lines = [b"old %d" % old_size, *map(base64.b64encode, proof), b"", checkpoint_note]
    return b"\n".join(lines)


_OLD = re.compile(rb"old (0|[1-9][0-9]{0,18})")


def parse_request(body: bytes) -> Submission:
    """Parse the body of a request. Nothing in it is verified.

    :raises NoteError: if it is malformed.
    """
    head, empty, note = body.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    old = _OLD.fullmatch(first)
    if old is None or not empty:
        raise NoteError("not a request: it is not old size, hashes, an empty line, a checkpoint")
    if len(lines) > MAX_PROOF_LINES:
        raise NoteError(f"a request must have at most {MAX_PROOF_LINES} hashes")
    proof = []
    for line in lines:
        try:
            hash = base64.b64decode(line, validate=True)
        except ValueError:
            hash = b""
        # The decoder lets the unused bits of the last character be anything.
        if len(hash) != HASH_SIZE or base64.b64encode(hash) != line:
            raise NoteError("a hash in the request is not the base64 of 32 bytes")
        proof.append(hash)
    return Submission(int(old[1]), proof, Note.parse(note))


# --- The client.


class WitnessError(OSError):
    """A witness gave no cosignature.

    :ivar status: the HTTP status; ``None`` if there was no answer, or none that made sense.
    :ivar temporary: whether the same request may succeed later. How often and when to ask again is
        the caller's decision.
    """

    def __init__(self, sentence: str, status: int | None = None, *, temporary: bool = False):
        super().__init__(sentence)
        self.status = status
        self.temporary = temporary


class WitnessConflict(WitnessError):
    """The witness holds another size than `old_size` (409).

    With a proof from that size on the request can be made again. A size beyond what the log has
    means that the log was rolled back, or that the key signs elsewhere too.

    :ivar size: the size of the last checkpoint that it cosigned.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness holds a checkpoint over {size} entries", 409)
        self.size = size


_REFUSALS: Final = {
    400: "finds the request malformed, or the old size beyond the new one",
    403: "finds no valid signature of a key that it trusts for this log",
    404: "does not know this log, or is not a witness",
    408: "waited too long for the request",
    413: "does not take a request of this length",
    422: "finds that this checkpoint does not continue the one it cosigned: the proof is wrong, or "
    "the log's history was changed",
    429: "is asked too often",
}


def ask(
    url: str,
    old_size: int,
    proof: Sequence[bytes],
    checkpoint_note: bytes,
    *,
    timeout: float = 10.0,
    client: Client | None = None,
) -> list[Signature]:
    """Ask a witness to cosign a checkpoint (C2SP ``tlog-witness``, ``add-checkpoint``).

    The witness must hold `old_size`. If you do not know what it holds, ask with 0 and take the
    size from :class:`WitnessConflict`. Redirects are not followed.

    :param url: the witness's submission prefix, ``http://…`` or ``https://…``. The proxy and the
        certificates are those that the environment names (``https_proxy``, ``SSL_CERT_FILE``).
    :param old_size: the size of the last checkpoint that it cosigned, 0 if none.
    :param proof: the consistency proof from there, as
        :func:`chained_logging.format.merkle.consistency_proof` makes it.
    :param checkpoint_note: the new checkpoint, signed by the log.
    :param timeout: seconds, from the name's lookup to the last byte of the answer.
    :param client: what keeps the connection for the next request; by default it is closed.
    :returns: at least one signature. None was verified: see :func:`with_cosignatures`.
    :raises WitnessConflict: if the witness holds another size.
    :raises WitnessError: if it refuses, does not answer, or answers something else.
    :raises ValueError: if the URL or the proof cannot be sent.
    """
    body = format_request(old_size, proof, checkpoint_note)
    headers = {"Content-Type": _TEXT, "User-Agent": "chained_logging"}
    with ExitStack() as closing:
        client = client or closing.enter_context(Client())
        try:
            answered = client.post(endpoint(url), body, headers, timeout=timeout, limit=MAX_REPLY)
        except (OSError, http.client.HTTPException) as error:
            raise WitnessError(f"{url} did not answer: {error!r}", temporary=True) from error
    status, answer = answered.status, answered.body
    if status == 200:
        return _signatures(url, answer)
    if status == 409:
        size = _number(answer.removesuffix(b"\n"))
        # It would be asked the same again and again.
        if size is None or size == old_size:
            raise WitnessError(f"{url} reports a conflict with no other size", status)
        raise WitnessConflict(size)
    temporary = status in (408, 429) or status >= 500
    refusal = _REFUSALS.get(status, "cannot answer now" if temporary else "answers something else")
    words = ascii(answer[:200].decode("ascii", "replace")) if answer else "nothing"
    raise WitnessError(
        f"{url} {refusal} (status {status}; it says {words})", status, temporary=temporary
    )


def with_cosignatures(
    checkpoint_note: bytes, signatures: Iterable[Signature], keys: Iterable[VerifierKey]
) -> bytes:
    """Return a checkpoint with the cosignatures of known witnesses under it.

    Signatures of keys that are not among `keys` are left out. A cosignature replaces an earlier
    one of the same key.

    :param keys: those of the witnesses that are trusted, of type 0x04 or 0x06.
    :raises NoteError: if a known key's cosignature does not hold, or no known key made one.
    """
    note = Note.parse(checkpoint_note)
    known = {(key.name, key.id): key for key in keys}
    given = {
        (each.name, each.key_id): each
        for each in signatures
        if (each.name, each.key_id) in known and known[each.name, each.key_id].type in COSIGNATURES
    }
    if not given:
        raise NoteError("the witness gave no cosignature of a known key")
    for found in verify_note(Note(note.text, tuple(given.values())), known.values()):
        if not found.time:  # C2SP tlog-witness: it must be there
            raise NoteError(f"the cosignature of {found.key.name} states no time")
    kept = [each for each in note.signatures if (each.name, each.key_id) not in given]
    return Note(note.text, (*kept, *given.values())).format()


def endpoint(url: str) -> str:
    """Return where a witness takes checkpoints.

    :raises ValueError: if this is not a witness's URL.
    """
    if "@" in url:  # also behind a slash: it may be one in a password, which is not to be shown
        raise ValueError("a witness's URL must not have a user name or a password")
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.query
        or parts.fragment
        or not re.fullmatch("[!-~]+", url)
    ):
        raise ValueError(
            f"a witness's URL must be http or https with a host and a path only, not {url!r}"
        )
    parts.port  # noqa: B018 -- raises ValueError if it is not a number
    return f"{url.rstrip('/')}/add-checkpoint"


def _signatures(url: str, answer: bytes) -> list[Signature]:
    try:
        lines = answer.decode().split("\n")
        if lines.pop() or not 1 <= len(lines) <= MAX_SIGNATURES:
            raise NoteError("it is not lines of signatures")
        return [Signature.parse(line) for line in lines]
    except ValueError as error:  # NoteError, or no UTF-8
        raise WitnessError(f"{url} answered something other than signatures: {error}") from None


def _number(text: bytes) -> int | None:
    return int(text) if re.fullmatch(rb"0|[1-9][0-9]{0,18}", text) else None


# --- The witness.


class Answer(NamedTuple):
    """What a witness answers, as HTTP has it."""

    status: int
    body: bytes
    content_type: str = _TEXT


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
    :raises OSError: if the folder cannot be made, or this system has no file locks.
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
            return _refusal(413, f"a request has at most {MAX_REQUEST:,} bytes")
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
                return Answer(409, b"%d\n" % last.size, _SIZE)
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
            raise OSError(f"the state of {origin!r} cannot be trusted: {error}") from None
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


# --- The server.

_CHECKPOINT_PATH = re.compile("/([0-9a-f]{64})/checkpoint")


class _Submissions:
    """A witness for :class:`~chained_logging.net.server.HttpServer`."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def admit(self, head: Head) -> Admission | Response:
        if head.target == "/add-checkpoint":
            if head.method != "POST":
                return self.refuse(405, "this is for POST", ("Allow", "POST"))
            return Admission(MAX_REQUEST)
        if not _CHECKPOINT_PATH.fullmatch(head.target):
            return self.refuse(404, "there is nothing here")
        if head.method not in ("GET", "HEAD"):
            return self.refuse(405, "this is for GET", ("Allow", "GET, HEAD"))
        if head.length:
            return self.refuse(400, "a body has no meaning here")
        return Admission(0)

    def answer(self, request: Request) -> Response:
        try:
            answer = self._answer(request)
        except Exception:
            _log.exception("nothing was cosigned")
            return self.refuse(500, "the witness failed; nothing was cosigned")
        headers = (("Retry-After", "60"),) if answer.status == 503 else ()
        # The log's signature was verified before the witness gave one of these.
        known = request.head.method == "POST" and answer.status in (200, 409, 422)
        return Response(answer.status, answer.body, answer.content_type, headers, known)

    def _answer(self, request: Request) -> Answer:
        found = _CHECKPOINT_PATH.fullmatch(request.head.target)
        if found is None:
            return self._witness.add_checkpoint(request.body)
        return self._witness.checkpoint(found[1])

    def refuse(self, status: int, reason: str, *headers: tuple[str, str]) -> Response:
        if status == 503:
            headers += (("Retry-After", "1"),)
        return Response(status, f"{reason}\n".encode(), headers=headers)


class WitnessServer:
    """A :class:`Witness` on HTTP: ``POST /add-checkpoint`` and ``GET /<origin hash>/checkpoint``.

    A context manager. It listens once it is made. It may be stopped or killed at any moment.
    Internal errors are logged to the logger ``chained_logging.transparency.witness`` and not shown
    to the client. Limits: :mod:`chained_logging.net.server`.

    :param port: 0 for any that is free; then see :attr:`url`.
    :param strangers: how many connections there may be that brought no checkpoint of a known log.
    :param connections: how many of those that did.
    :param timeout: seconds for a connection to be idle and to send a whole request, together.
    :raises OSError: if it cannot listen on the address.
    """

    def __init__(
        self,
        witness: Witness,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        strangers: int = STRANGERS,
        connections: int = 128,
        timeout: float = 15.0,
    ) -> None:
        self.witness: Final = witness
        self._server = HttpServer(
            _Submissions(witness),
            host,
            port,
            strangers=strangers,
            connections=connections,
            timeout=timeout,
        )

    @property
    def url(self) -> str:
        """The submission and monitoring prefix."""
        host, port = self._server.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def serve_forever(self) -> None:
        """Serve until :meth:`shutdown` is called from another thread."""
        self._server.run()

    def shutdown(self) -> None:
        """Take no more requests, and let :meth:`serve_forever` end."""
        self._server.stop()

    def __enter__(self) -> WitnessServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._server.close()


def serve(witness: Witness, host: str = "127.0.0.1", port: int = 8330) -> None:
    """Run a witness on HTTP until the process is stopped. See :class:`WitnessServer`.

    :raises OSError: if it cannot listen on the address.
    """
    with WitnessServer(witness, host, port) as server:
        _log.info("%s at %s", witness.key.format(), server.url)
        server.serve_forever()
