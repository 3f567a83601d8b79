"""A connection to NATS, for synchronous code."""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import contextlib
import json
import re
import ssl
import threading
from collections.abc import Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from chained_logging.errors import DestinationError, Refused
from chained_logging.net import urls
from chained_logging.ship.nats.message import MAX_LINES

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import StreamConfig
    from nats.js.kv import KeyValue

T = TypeVar("T")

MAX_PARTITIONS: Final = 1024

_MIN_PAYLOAD: Final = 256 << 10  # an entry of the largest size, its headers, and some room
_HEADROOM: Final = 16 << 10  # of a message, for its subject and headers
_TIMEOUT: Final = 10.0  # seconds for one answer
_WRONG_LAST_SEQUENCE: Final = 10071  # JSStreamWrongLastSequenceErrF (nats-server, errors.json)
_STREAM_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PARAMETERS: Final = frozenset({"credentials", "ca", "certificate", "key"})


class Connection:
    """A connection to NATS for synchronous code: its event loop runs in a thread.

    It does not reconnect. After any failure the caller opens a new one.

    :param url: see :class:`NatsDestination`.
    :raises ValueError: if it is not the URL of a stream.
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
            raise ValueError("a stream's URL must be nats://host:4222/STREAM, or tls://… for TLS")
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

    @property
    def client(self) -> Client:
        """The client of nats-py, once it is open."""
        assert self._client is not None  # noqa: S101 -- for the type checker
        return self._client

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
        """Like :meth:`run`, with errors of NATS translated.

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
            _close_transport(client)
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
        """Return an object kept in a bucket; None if the key is not there."""
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

    def last(self, subject: str) -> tuple[int, Mapping[str, str], bytes] | None:
        """Return (stream sequence, headers, payload) of the last message of a subject.

        A stored message may itself say that there is nothing; unlike a real answer, it has a
        sequence.
        """
        asked = f"$JS.API.DIRECT.GET.{self.stream}.{subject}"
        raw = self.ask(self.client.request(asked, b"", timeout=_TIMEOUT))
        headers = raw.headers or {}
        sequence = headers.get("Nats-Sequence", "")
        if sequence.isdecimal():
            return int(sequence), headers, raw.data
        if headers.get("Status") == "404":
            return None
        said = headers.get("Description") or headers.get("Status") or "another message"
        raise DestinationError(f"{self.name} answers with {said}")

    def messages(
        self, subject: str, start: int = 1
    ) -> Iterator[tuple[int, str, Mapping[str, str] | None, bytes | None]]:
        """Yield (stream sequence, subject, headers, payload) of a subject, in order.

        Each is requested in its stored form. With ``DIRECT.GET`` the server would add headers, so a
        message that is itself such an answer could no longer be recognized.
        """
        import nats.js.errors

        while True:
            try:
                raw = self.ask(self.js.get_msg(self.stream, seq=start, subject=subject, next=True))
            except nats.js.errors.NotFoundError:
                return
            sequence = int(raw.seq or 0)
            if sequence < start:
                raise DestinationError(f"{self.name} answers with another message")
            yield sequence, raw.subject or "", self._stored_headers(raw.hdrs), raw.data
            start = sequence + 1

    def _stored_headers(self, encoded: Any) -> Mapping[str, str] | None:
        """Read the headers of a stored message as the client reads them where it is delivered."""
        return self.ask(self.client._process_headers(base64.b64decode(encoded or b"")))

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
            loop.call_soon_threadsafe(_close_transport, client)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(2)


def _close_transport(client: Client) -> None:
    """Close the socket, which `nats-py` leaves open if connecting or closing fails."""
    if client._transport is not None:
        client._transport.close()  # type: ignore[no-untyped-call]


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, then clean it up."""

    async def end() -> None:
        tasks = asyncio.all_tasks(loop) - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.shutdown_default_executor()
        await asyncio.sleep(0)  # a transport that was closed just now closes its socket

    try:
        loop.run_forever()
        loop.run_until_complete(end())
    finally:
        loop.close()


def _client_class(tls: bool) -> type[Client]:
    """Return nats-py's client, made to send no password before TLS is established.

    By itself (2.16) it starts TLS only if the server asks for it, whatever the URL says. A machine
    in the middle would remove that request, and read everything.
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


def out_of_sequence(error: DestinationError) -> bool:
    """Whether a message was refused because its subject has another last message."""
    return getattr(error.__cause__, "err_code", None) == _WRONG_LAST_SEQUENCE


def subjects_of(stream: str, partitions: int) -> list[str]:
    """Return the subjects of a stream, one a partition."""
    return [f"{stream}.{partition}.*" for partition in range(partitions)]
