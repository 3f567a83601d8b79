"""NATS JetStream: a stream between many hosts and few databases.

A host publishes batches of stored lines and is told when the stream has them on its disk;
:mod:`chained_logging.ship.land` takes them out again. ``docs/stream.md`` says what a message looks
like, why it is NATS, and who may do what.

Each log has a subject of its own, and a batch is published on the condition that it comes right
after the last one of that subject. So the stream itself refuses a second shipper that would fork a
log, and a batch that was there already, however long ago.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gzip
import json
import logging
import re
import ssl
import threading
import time
import zlib
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from chained_logging import chain, urls
from chained_logging.entry import AuditEntry
from chained_logging.review.retention import retention_days
from chained_logging.ship import DestinationError, Refused
from chained_logging.sinks import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.verify import FOREIGN, Fault

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import StreamConfig
    from nats.js.kv import KeyValue

_log = logging.getLogger("chained_logging.ship")
T = TypeVar("T")

FORMAT: Final = "1"
MAX_LINES: Final = 1 << 20
"""Bytes that the lines of one message may have before compression."""
MAX_PARTITIONS: Final = 1024

_MIN_PAYLOAD: Final = 256 << 10  # an entry of the largest size, its headers, and some room
_HEADROOM: Final = 16 << 10  # of a message, for its subject and headers
_MAX_TOKEN: Final = 512
_TIMEOUT: Final = 10.0  # seconds for one answer
_HEAD_EVERY: Final = 30.0  # seconds between two notes of where a log stands
_WRONG_LAST_SEQUENCE: Final = 10071  # JSStreamWrongLastSequenceErrF (nats-server, errors.json)
_STREAM_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBER: Final = re.compile(r"-1|0|[1-9][0-9]{0,15}")
_ORIGIN: Final = re.compile(r"[^\s+\x00-\x1f\x7f]+")  # as a log's is
_HASH: Final = re.compile(r"[0-9a-f]{64}|GENESIS")
_PARAMETERS: Final = frozenset({"credentials", "ca", "certificate", "key"})


# --- One message.


class Message(NamedTuple):
    """A batch of one log, as it was published; not verified yet."""

    origin: str
    first: int
    """``seq`` of the first entry; one more than `head` has, if there is none."""
    head: Head
    """Where the log stands after it."""
    records: list[Record]
    checkpoints: list[StoredCheckpoint]

    def check(self) -> None:
        """Check each entry's hash, number and link within the message.

        :raises ValueError: at the first that is wrong.
        """
        seq, prev = self.first - 1, None
        for record in self.records:
            seq += 1
            chain.check_next(record.body, record.hash, seq, prev)
            if seq == 0:
                opened = AuditEntry(record.body, record.hash).context
                if not isinstance(opened, dict) or opened.get("origin") != self.origin:
                    raise ValueError("its first entry opens a log of another origin")
            prev = record.hash
        if (seq, prev or self.head.hash) != self.head:
            raise ValueError("it does not end where it says")


def encode(
    first: int, head: Head, records: Sequence[Record], checkpoints: Sequence[StoredCheckpoint]
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the payload of a message."""
    lines = [chain.stored_line(r.body, r.hash, r.signature) for r in records]
    lines += [json.dumps(c._asdict()).encode() for c in checkpoints]
    data = b"".join(line + b"\n" for line in lines)
    headers = {
        "Audit-Format": FORMAT,
        "Audit-First-Seq": str(first),
        "Audit-Last-Seq": str(head.seq),
        "Audit-Last-Hash": head.hash,
    }
    return headers, gzip.compress(data, 6, mtime=0)


class Foreign(ValueError):
    """A message that no shipper published, nor whoever may publish what a shipper does.

    Who asks the server for something names the subject to which the answer goes, and no permission
    is about that. So anybody can have answers put into the log of another. Such a one is no
    part of any log, and stops none.
    """


def check_published(
    headers: Mapping[str, str] | None, data: bytes | None, *, delivered: bool
) -> None:
    """Check that a message is not an answer of the server's.

    :param delivered: whether a consumer delivered it, as it is stored. A message that was asked
        for has headers of the server's in any case.
    :raises Foreign: if it is one: a confirmation, an error, or a stored message that somebody asked
        for, to which the server adds where it is from.
    """
    headers = headers or {}
    if "Audit-Format" in headers:
        answer = delivered and "Nats-Stream" in headers
    else:
        answer = "Status" in headers or _is_answer((data or b"")[:10_000])
    if answer:
        raise Foreign("it is none of a shipper's, but an answer that somebody had sent there")


def _is_answer(data: bytes) -> bool:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict):
        return False
    return {"stream", "seq"} <= found.keys() or str(found.get("type")).startswith("io.nats.")


def decode(subject: str, headers: Mapping[str, str] | None, data: bytes | None) -> Message:
    """Read a message, with bounds.

    :raises ValueError: if it has not the form of one, with the reason.
    """
    headers = headers or {}
    if headers.get("Audit-Format") != FORMAT:
        raise ValueError(f"it is not in format {FORMAT}")
    first, last = headers.get("Audit-First-Seq", ""), headers.get("Audit-Last-Seq", "")
    hash = headers.get("Audit-Last-Hash", "")
    if not (_NUMBER.fullmatch(first) and _NUMBER.fullmatch(last) and _HASH.fullmatch(hash)):
        raise ValueError("its headers do not say which entries it has")
    head = Head(int(last), hash)
    count = head.seq - int(first) + 1
    lines = _lines(data or b"")
    if not 0 <= count <= len(lines):
        raise ValueError("it has not the entries that its headers name")
    records = []
    for line in lines[:count]:
        stored = chain.split_line(line)
        records.append(Record(chain.position(stored.body)[0], *stored))
    return Message(
        origin_of(subject.rpartition(".")[2]),
        int(first),
        head,
        records,
        [_checkpoint(line) for line in lines[count:]],
    )


def _lines(data: bytes) -> list[bytes]:
    inflater = zlib.decompressobj(wbits=31)  # gzip
    try:
        text = inflater.decompress(data, MAX_LINES)
    except zlib.error:
        raise ValueError("its payload is not gzip") from None
    if not inflater.eof or inflater.unused_data:
        raise ValueError("its payload is cut, too long, or more than one gzip member")
    if text and not text.endswith(b"\n"):
        raise ValueError("its last line is cut")
    return text.split(b"\n")[:-1]


def _checkpoint(line: bytes) -> StoredCheckpoint:
    try:
        found = StoredCheckpoint(**json.loads(line))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("a line of it is neither an entry nor a checkpoint") from None
    texts = (found.note, found.state, found.timestamp or "")
    if type(found.size) is not int or not all(isinstance(text, str) for text in texts):
        raise ValueError("a checkpoint of it has a field of another type")
    return found


def pieces(
    start: Head,
    records: Sequence[Record],
    checkpoints: Sequence[StoredCheckpoint],
    limit: int,
) -> Iterator[tuple[int, Head, list[Record], list[StoredCheckpoint]]]:
    """Cut a batch into messages of at most `limit` bytes before compression."""
    head, first, size = start, start.seq + 1, 0
    some: list[Record] = []
    notes: list[StoredCheckpoint] = []
    items: list[Record | StoredCheckpoint] = [*records, *checkpoints]
    for item in items:
        if isinstance(item, StoredCheckpoint):
            length = len(json.dumps(item._asdict())) + 1
        else:
            length = len(item.body) + 200
        if size and size + length > limit:
            yield first, head, some, notes
            first, some, notes, size = head.seq + 1, [], [], 0
        if isinstance(item, StoredCheckpoint):
            notes.append(item)
        else:
            some.append(item)
            head = Head(item.seq, item.hash)
        size += length
    if size:
        yield first, head, some, notes


# --- Names.


def token_of(origin: str) -> str:
    """Return an origin as one token of a subject: ``example.com/web`` is ``example=2Ecom/web``.

    :raises Refused: if that is longer than 512 bytes.
    """
    token = "".join(
        chr(byte) if chr(byte) in _PLAIN else f"={byte:02X}" for byte in origin.encode()
    )
    if not 0 < len(token) <= _MAX_TOKEN:
        raise Refused(f"an origin of {len(origin)} characters is no subject of a stream")
    return token


def origin_of(token: str) -> str:
    """Return the origin of a token.

    :raises ValueError: if no origin has this token.
    """
    with contextlib.suppress(ValueError, OSError):
        origin = unquote(token.replace("%", "").replace("=", "%"), errors="strict")
        if token_of(origin) == token and _ORIGIN.fullmatch(origin):
            return origin
    raise ValueError("its subject is that of no log")


_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/")


def partition_of(origin: str, partitions: int) -> int:
    """Return the partition of a log: the same for ever, whoever asks."""
    return int.from_bytes(sha256(origin.encode()).digest()[:8], "big") % partitions


# --- The connection.


class Connection:
    """A connection to NATS for code that does not wait: its event loop runs in a thread.

    It is not mended. After any failure the caller makes a new one.

    :param url: see :class:`NatsDestination`.
    :raises ValueError: if the URL is none.
    :raises ImportError: if nats-py is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import nats.aio.client  # noqa: F401
        except ImportError:
            raise ImportError(
                "NATS needs the package nats-py: pip install chained_logging[nats]"
            ) from None
        parts = urlsplit(urls.checked(url))
        self.stream = parts.path.strip("/")
        if parts.scheme not in ("nats", "tls") or not _STREAM_NAME.fullmatch(self.stream):
            raise ValueError("a stream is nats://host:4222/STREAM, or tls://… for TLS")
        self._tls = parts.scheme == "tls"
        login, _, hosts = parts.netloc.rpartition("@")
        self._servers = [f"{parts.scheme}://{host}" for host in hosts.split(",") if host]
        user, colon, password = login.partition(":")
        if not self._servers or (user and not colon):
            raise ValueError(
                "log in to NATS with user:password@, with :token@, or with ?credentials=FILE"
            )
        shown = f"{unquote(user)}@" if user else ""
        self.name = f"{parts.scheme}://{shown}{hosts}/{self.stream}"
        self._login: dict[str, str] = {}
        if user:
            self._login = {"user": unquote(user), "password": unquote(password)}
        elif password:
            self._login = {"token": unquote(password)}
        self._files = dict(parse_qsl(parts.query))
        if unknown := set(self._files) - _PARAMETERS:
            raise ValueError(
                f"a URL of NATS may have {', '.join(sorted(_PARAMETERS))}, not "
                f"{', '.join(sorted(unknown))}"
            )
        if not self._tls and set(self._files) - {"credentials"}:
            raise ValueError("ca, certificate and key are for TLS: begin the URL with tls://")
        self.partitions = 0
        self.max_lines = MAX_LINES
        self.config: StreamConfig
        self.js: JetStreamContext
        self._client: Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._trouble = ""

    def run(self, work: Coroutine[Any, Any, T], timeout: float = _TIMEOUT) -> T:
        """Do something in the loop and wait for it.

        :raises DestinationError: if it fails or takes longer.
        """
        assert self._loop is not None  # noqa: S101 -- for the type checker
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except (TimeoutError, concurrent.futures.TimeoutError):
            future.cancel()
            raise DestinationError(f"{self.name} does not answer{self._trouble}") from None

    def ask(self, work: Coroutine[Any, Any, T], timeout: float = _TIMEOUT) -> T:
        """As :meth:`run`, with errors of NATS taken for what they are.

        :raises DestinationError: if it fails or takes longer.
        """
        import nats.errors
        import nats.js.errors

        try:
            return self.run(work, timeout)
        except nats.js.errors.NotFoundError:
            raise
        except nats.js.errors.APIError as error:
            text = error.description or f"error {error.err_code}"
            raise DestinationError(f"{self.name}: {text}") from error
        except (nats.errors.NoRespondersError, nats.js.errors.NoStreamResponseError):
            raise DestinationError(
                f"{self.name}: no such stream answers: run init first, or wait for its leader"
            ) from None
        except (nats.errors.Error, OSError, ssl.SSLError) as error:
            if isinstance(error, DestinationError):
                raise
            # The text of an error of nats-py names no secret: they are in CONNECT alone.
            raise DestinationError(f"{self.name}: {error}{self._trouble}") from None

    def open(self, *, stream: bool = True) -> None:
        """Connect, once.

        :param stream: whether to read how the stream is set up.
        :raises DestinationError: if that fails.
        :raises Refused: if there is no such stream, or it was not made by init.
        """
        if self._client is None:
            loop = asyncio.new_event_loop()
            self._loop = loop
            self._thread = threading.Thread(
                target=_serve, args=(loop,), name="chained_logging nats", daemon=True
            )
            self._thread.start()
            try:
                self._client = self.ask(self._connect(), _TIMEOUT + 5)
            except BaseException:
                self.close()
                raise
            self.js = self._client.jetstream(timeout=_TIMEOUT)
            payload = self._client.max_payload
            if payload < _MIN_PAYLOAD:
                raise Refused(f"{self.name}: max_payload is {payload}: set {_MIN_PAYLOAD} or more")
            self.max_lines = min(MAX_LINES, payload) - _HEADROOM
        if stream and not self.partitions:
            config = self.stream_config(self.stream)
            if config is None:
                raise Refused(f"{self.name}: there is no stream {self.stream}: run init")
            self.config = config
            subjects = list(config.subjects or [])
            if not 0 < len(subjects) <= MAX_PARTITIONS or set(subjects) != set(
                subjects_of(self.stream, len(subjects))
            ):
                raise Refused(f"{self.name}: its subjects are not those that init makes")
            self.partitions = len(subjects)

    async def _connect(self) -> Client:
        client = _client_class(self._tls)()
        options: dict[str, Any] = dict(self._login)
        if "credentials" in self._files:
            options["user_credentials"] = self._files["credentials"]
        if self._tls:
            context = ssl.create_default_context(cafile=self._files.get("ca"))
            if "certificate" in self._files:
                context.load_cert_chain(self._files["certificate"], self._files.get("key"))
            options["tls"] = context

        async def trouble(error: Exception) -> None:
            self._trouble = f" ({error})"

        try:
            await client.connect(
                self._servers,
                error_cb=trouble,
                allow_reconnect=False,
                max_reconnect_attempts=1,  # of each server, in this one call
                reconnect_time_wait=0,
                connect_timeout=5,
                ping_interval=20,
                max_outstanding_pings=2,
                name="chained_logging",
                **options,
            )
        except BaseException:
            transport = client._transport  # which connect() leaves open
            if transport is not None:
                transport.close()  # type: ignore[no-untyped-call]
            raise
        return client

    def stream_config(self, name: str) -> StreamConfig | None:
        """Return how a stream is set up; None if it is not there."""
        import nats.js.errors

        try:
            return self.ask(self.js.stream_info(name)).config
        except nats.js.errors.NotFoundError:
            return None

    def deleted(self) -> int:
        """Return how many messages were taken out from between others."""
        state = self.ask(self.js.stream_info(self.stream)).state
        return state.last_seq - state.first_seq + 1 - state.messages if state.messages else 0

    def bucket(self, kind: str) -> KeyValue:
        """Return one of the stream's buckets: ``heads`` or ``stopped``."""
        import nats.js.errors

        try:
            return self.ask(self.js.key_value(f"{self.stream}-{kind}"))
        except nats.js.errors.NotFoundError:
            raise Refused(
                f"{self.name}: there is no bucket {self.stream}-{kind}: run init"
            ) from None

    def keys(self, kind: str, prefix: str) -> list[str]:
        """Return the keys of a bucket that begin with a prefix, which ends with a dot."""
        start = f"$KV.{self.stream}-{kind}."
        bucket = f"KV_{self.stream}-{kind}"
        info = self.ask(self.js.stream_info(bucket, subjects_filter=f"{start}{prefix}>"))
        return sorted(subject.removeprefix(start) for subject in info.state.subjects or {})

    def get(self, bucket: KeyValue, key: str) -> dict[str, Any] | None:
        """Return an object kept in a bucket, None if there is none."""
        import nats.js.errors

        try:
            value = self.ask(bucket.get(key)).value or b""
        except nats.js.errors.NotFoundError:
            return None
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(value[:10_000])
            if isinstance(found, dict):
                return found
        return {}

    def messages(
        self, subject: str, start: int = 1
    ) -> Iterator[tuple[int, str, Mapping[str, str] | None, bytes | None]]:
        """Yield (place in the stream, subject, headers, payload) of a subject, in order."""
        import nats.js.errors

        while True:
            try:
                raw = self.ask(
                    self.js.get_msg(self.stream, seq=start, subject=subject, next=True, direct=True)
                )
            except nats.js.errors.NotFoundError:
                return
            place = int(raw.seq or 0)
            if place < start:
                raise DestinationError(f"{self.name} answers with another message")
            yield place, raw.subject or "", raw.headers, raw.data
            start = place + 1

    def close(self) -> None:
        """End the connection and its thread."""
        loop, self._loop = self._loop, None
        client, self._client = self._client, None
        self.partitions = 0
        if loop is None or self._thread is None:
            return
        if client is not None:
            future = asyncio.run_coroutine_threadsafe(client.close(), loop)
            with contextlib.suppress(Exception):
                future.result(2)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(2)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, and leave nothing of it."""

    async def end() -> None:
        tasks = asyncio.all_tasks(loop) - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.shutdown_default_executor()

    try:
        loop.run_forever()
        loop.run_until_complete(end())
    finally:
        loop.close()


def _client_class(tls: bool) -> type[Client]:
    """Return nats-py's client, which must not send a password before TLS stands.

    By itself it starts TLS only if the server says that it wants it, whatever the URL says (2.16):
    whoever sits in between would leave that out, and read everything.
    """
    from nats.aio.client import Client

    class Careful(Client):
        _asked = False

        def _connect_command(self) -> bytes:
            self._asked = True
            writer = getattr(self._transport, "_io_writer", None)
            if tls and (writer is None or writer.get_extra_info("ssl_object") is None):
                raise ConnectionError("the server offers no TLS")
            return super()._connect_command()

        async def connect(self, *args: Any, **options: Any) -> None:
            await super().connect(*args, **options)
            if not self._asked:
                await self.close()
                raise ConnectionError("this version of nats-py is not known: TLS is not certain")

    return Careful


# --- Setting up.


def subjects_of(stream: str, partitions: int) -> list[str]:
    """Return the subjects of a stream, one a partition."""
    return [f"{stream}.{partition}.*" for partition in range(partitions)]


def _settings(name: str, subjects: list[str]) -> dict[str, Any]:
    """Return what must hold of a stream, or nothing that it acknowledged is safe."""
    from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType

    return {
        "name": name,
        "subjects": subjects,
        "retention": RetentionPolicy.LIMITS,
        "discard": DiscardPolicy.NEW,
        "storage": StorageType.FILE,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "deny_delete": True,
        "deny_purge": True,
        "allow_rollup_hdrs": False,
        "allow_direct": True,
    }


def init(
    url: str,
    *,
    retention: str | None = None,
    partitions: int = 16,
    replicas: int = 1,
    max_bytes: int | None = None,
) -> list[str]:
    """Make the stream, and what belongs to it. What stands already is checked and not changed.

    :param url: of a user that may make streams.
    :param retention: how long a message stays, landed or not; by default 14 days.
    :param partitions: how many landings may share the work, for ever.
    :param replicas: how many servers of a cluster keep each message.
    :param max_bytes: where the stream is full; then it takes nothing, and shippers wait.
    :returns: sentences of what was done.
    :raises Refused: if a stream of this name stands there that was made otherwise.
    :raises DestinationError: if that fails.
    :raises ValueError: for a URL or a number that is none.
    """
    days = retention_days(retention or "14d")
    if not 1 <= partitions <= MAX_PARTITIONS:
        raise ValueError(f"a stream has from 1 to {MAX_PARTITIONS:,} partitions")
    connection = Connection(url)
    try:
        connection.open(stream=False)
        return _init(connection, days, partitions, replicas, max_bytes)
    finally:
        connection.close()


def _init(
    connection: Connection, days: int, partitions: int, replicas: int, max_bytes: int | None
) -> list[str]:
    from nats.js.api import KeyValueConfig, StreamConfig

    name, js = connection.stream, connection.js
    wanted = {
        name: (subjects_of(name, partitions), max_bytes or -1, days * 86_400.0),
        f"{name}-dead": ([f"{name}-dead.>"], -1, 0.0),
    }
    done = []
    for stream, (subjects, limit, age) in wanted.items():
        found = connection.stream_config(stream)
        if found is not None:
            if reasons := weaknesses(found, _settings(stream, subjects)):
                raise Refused(
                    f"{connection.name}: the stream {stream} stands there, made otherwise, and "
                    f"nothing was changed: {'; '.join(reasons)}"
                )
            done.append(f"The stream {stream} is there already.")
            continue
        made = StreamConfig(
            **_settings(stream, subjects),
            max_bytes=limit,
            max_age=age,
            num_replicas=replicas,
            duplicate_window=120,
        )
        connection.ask(js.add_stream(made))
        done.append(
            f"Made the stream {stream} with {partitions} partitions and {replicas} replicas: a "
            f"message stays for {days} days, landed or not."
            if stream == name
            else f"Made the stream {stream} for what cannot be landed."
        )
    for kind in ("heads", "stopped"):
        bucket = f"{name}-{kind}"
        if connection.stream_config(f"KV_{bucket}") is None:
            config = KeyValueConfig(bucket=bucket, history=1, replicas=replicas, direct=True)
            connection.ask(js.create_key_value(config))
            done.append(f"Made the bucket {bucket}.")
    return done


def weaknesses(config: StreamConfig, expected: dict[str, Any]) -> list[str]:
    """Return how a stream differs from what it should be."""
    reasons = []
    for field, value in expected.items():
        found = getattr(config, field)
        same = set(found or []) == set(value) if field == "subjects" else found == value
        if not same:
            reasons.append(f"{field} is {_shown(found)}, not {_shown(value)}")
    if config.no_ack:
        reasons.append("it acknowledges nothing")
    return reasons


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value[:3]) + (f" … ({len(value)})" if len(value) > 3 else "")
    return str(getattr(value, "value", value))


# --- The destination.


class NatsDestination:
    """See :class:`chained_logging.ship.Destination`.

    :param url: ``nats://user:password@host:4222,host:4222/STREAM``, or ``tls://…``, where the
        server must have a certificate for its name; with ``?credentials=FILE`` (JWT and seed),
        ``?ca=FILE``, ``?certificate=FILE&key=FILE``.
    :raises ValueError: if it is no such URL.
    :raises ImportError: if nats-py is not installed.
    """

    batch_entries = 5_000
    batch_bytes = 700_000  # so that a batch is a message
    batch_seconds = 1.0

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)
        self.name = self._connection.name
        self._places: dict[str, tuple[int, Head]] = {}
        self._noted: dict[str, tuple[float, Head]] = {}

    def head(self, origin: str) -> Head:
        place = self._places[origin] = self._look(origin)
        return place[1]

    def write(
        self, origin: str, records: Sequence[Record], checkpoints: Sequence[StoredCheckpoint]
    ) -> None:
        """See :meth:`chained_logging.ship.Destination.write`.

        Where they are more than one message holds (a megabyte), a failure may leave the first
        messages there, whole.
        """
        connection, subject = self._open(), self._subject(origin)
        place, head = self._places.get(origin) or self._look(origin)
        self._places.pop(origin, None)  # until it is known again
        if records and (records[0].seq, chain.position(records[0].body)[1]) != (
            head.seq + 1,
            head.hash,
        ):
            raise Refused(f"{self.name}: entry {records[0].seq} does not follow entry {head.seq}")
        for first, after, some, notes in pieces(head, records, checkpoints, connection.max_lines):
            headers, payload = encode(first, after, some, notes)
            identity = sha256(f"{subject}\n{first}\n{after}\n".encode() + payload).hexdigest()
            headers["Nats-Msg-Id"] = identity
            headers["Nats-Expected-Last-Subject-Sequence"] = str(place)
            try:
                ack = connection.ask(
                    connection.js.publish(
                        subject, payload, stream=connection.stream, headers=headers
                    )
                )
            except DestinationError as error:
                if out_of_sequence(error):
                    raise DestinationError(
                        f"{self.name}: another shipper has written {origin} since"
                    ) from None
                raise
            if ack.duplicate:  # of what stood there within two minutes: whether it does, head says
                raise DestinationError(f"{self.name}: that batch was there already")
            place, head = ack.seq, after
        self._places[origin] = (place, head)

    def tend(self, origin: str) -> None:
        """Note where the log stands, for the time when its messages have expired.

        That it is done now and then and not with each batch saves half of all messages. A note
        that is too old leads to a repetition, which the landing passes over.
        """
        known = self._places.get(origin)
        at, noted = self._noted.get(origin, (0.0, EMPTY))
        if known is None or known[1] == noted or time.monotonic() < at + _HEAD_EVERY:
            return
        connection = self._open()
        bucket = connection.bucket("heads")
        value = json.dumps(known[1]._asdict()).encode()
        connection.ask(bucket.put(token_of(origin), value))
        self._noted[origin] = (time.monotonic(), known[1])

    def origins(self) -> list[str]:
        connection = self._open()
        found = set()
        for partition in range(connection.partitions):
            info = connection.ask(
                connection.js.stream_info(
                    connection.stream, subjects_filter=f"{connection.stream}.{partition}.*"
                )
            )
            for subject in info.state.subjects or {}:
                with contextlib.suppress(ValueError):
                    found.add(origin_of(subject.rpartition(".")[2]))
        return sorted(found)

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        """Read what the stream still holds. A repeated entry comes once; what is no batch is left
        out, and named by :meth:`inspect`."""
        for _, message in self._messages(origin):
            if isinstance(message, Message):
                for record in message.records:
                    if record.seq >= start:
                        yield record
                        start = record.seq + 1

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        found = {
            checkpoint
            for _, message in self._messages(origin)
            if isinstance(message, Message)
            for checkpoint in message.checkpoints
        }
        yield from sorted(found, key=lambda one: (one.size, one.note, one.timestamp or ""))

    def inspect(self, origin: str) -> list[Fault]:
        connection = self._open()
        expected = _settings(
            connection.stream, subjects_of(connection.stream, connection.partitions)
        )
        faults = [
            self._fault("weakened", f"the stream {connection.stream}: {reason}")
            for reason in weaknesses(connection.config, expected)
        ]
        if gone := connection.deleted():
            reason = f"{gone} messages were deleted from between others in {connection.stream}"
            faults.append(self._fault("missing", reason))
        head: Head | None = None
        for place, message in self._messages(origin):
            try:
                if isinstance(message, ValueError):
                    raise message
                message.check()
                new = message.records if head is None else following(head, message)
            except Foreign as error:
                faults.append(self._fault(FOREIGN, f"message {place}: {error}"))
                continue
            except ValueError as error:
                faults.append(self._fault("malformed", f"message {place} is no batch: {error}"))
                continue
            if new is None:
                assert head is not None  # noqa: S101 -- for the type checker
                reason = f"entries {head.seq + 1} to {message.first - 1} are in no message"
                faults.append(self._fault("missing", reason, head.seq + 1))
            if head is None or message.head.seq > head.seq:
                head = message.head
        noted = self._noted_head(origin)
        if noted is not None and noted.seq > (head or EMPTY).seq and head is not None:
            reason = f"{origin} stood at entry {noted.seq}, and its last message is at {head.seq}"
            faults.append(self._fault("missing", reason, head.seq + 1))
        return faults

    def close(self) -> None:
        self._places.clear()
        self._connection.close()

    # --- What the protocol does not ask for.

    def _open(self) -> Connection:
        self._connection.open()
        return self._connection

    def _subject(self, origin: str) -> str:
        connection = self._open()
        partition = partition_of(origin, connection.partitions)
        return f"{connection.stream}.{partition}.{token_of(origin)}"

    def _look(self, origin: str) -> tuple[int, Head]:
        """Return the place of a log's last message in the stream, and where the log stands.

        After a message that is no batch, which the landing will name, it is where it was noted.
        """
        import nats.js.errors

        connection, subject = self._open(), self._subject(origin)
        place = 0
        try:
            raw = connection.ask(
                connection.js.get_msg(connection.stream, subject=subject, direct=True)
            )
        except nats.js.errors.NotFoundError:
            pass
        else:
            place = int(raw.seq or 0)
            try:
                message = decode(subject, raw.headers, raw.data)
                message.check()
                return place, message.head
            except ValueError as error:
                _log.critical("%s: message %d is no batch of %s: %s",
                              self.name, place, origin, error)  # fmt: skip
        return place, self._noted_head(origin) or EMPTY

    def _noted_head(self, origin: str) -> Head | None:
        connection = self._open()
        found = connection.get(connection.bucket("heads"), token_of(origin))
        if found is None:
            return None
        seq, hash = found.get("seq"), found.get("hash")
        if type(seq) is not int or not isinstance(hash, str) or not _HASH.fullmatch(hash):
            return None
        return Head(seq, hash)

    def _messages(self, origin: str) -> Iterator[tuple[int, Message | ValueError]]:
        for place, subject, headers, data in self._open().messages(self._subject(origin)):
            try:
                check_published(headers, data, delivered=False)
                yield place, decode(subject, headers, data)
            except ValueError as error:
                yield place, error

    def _fault(self, kind: str, reason: str, seq: int | None = None) -> Fault:
        return Fault(kind, self.name, None, seq, None, reason)


def out_of_sequence(error: DestinationError) -> bool:
    """Whether a message was refused because its subject has another last one."""
    return getattr(error.__cause__, "err_code", None) == _WRONG_LAST_SEQUENCE


def following(head: Head, message: Message) -> list[Record] | None:
    """Return those entries of a checked message that come after `head`; None if some are between.

    :raises ValueError: if it is of another history.
    """
    if message.first > head.seq + 1:
        return None
    if message.head.seq < head.seq:
        return []
    known = head.seq + 1 - message.first
    if known < len(message.records):
        new = message.records[known:]
        link = chain.position(new[0].body)[1]
    else:
        new, link = [], message.head.hash
    if link != head.hash:
        raise ValueError(f"it is of another history: its entry {head.seq} is another one")
    return new
