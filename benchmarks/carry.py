"""What the ways that carry real events cost, each against its floor.

    python -m pip install -e '.[dev,bench]' && python benchmarks/carry.py [--quick] [EVENTS]

EVENTS are CloudTrail events, as in ``real.py``. The floor moves the same bytes in the same way,
with nothing but the libraries below and no check. Figures are µs of this process's processor time
for each entry, the best of several rounds. They leave out a server's own time, but not the
collector's, as it runs here. PostgreSQL and an S3 server (moto's) are started where they are
installed. For these, entries per second of real time are printed too: most of it is the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gzip
import hashlib
import os
import socket
import socketserver
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import real
from table import Table

from chained_logging import AuditLog
from chained_logging.collector import Collector
from chained_logging.review.export import export_log
from chained_logging.review.restore import restore
from chained_logging.ship import init_destination, open_destination
from chained_logging.ship.shipper import Shipper
from chained_logging.sinks import open_sink

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

ORIGIN = "example.com/audit/web"
BATCH = 256
Row = dict[str, Any]
Way = Callable[[], object]


class Bench:
    """Measures ways in turn, and prints each beside its floor.

    :param rounds: how often each is done.
    """

    def __init__(self, table: Table, root: Path, rounds: int) -> None:
        self.table, self.root, self.rounds = table, root, rounds
        self._made = 0

    def path(self, suffix: str = ".jsonl") -> Path:
        """Return a path that nothing is at."""
        self._made += 1
        return self.root / f"{self._made}{suffix}"

    def compare(self, name: str, count: int, way: Way, floor: Way, what: str, **more: bool) -> None:
        """Print what a way costs for each entry, and how many times its floor that is.

        :param what: what the floor does.
        :param more: ``added``, where the way contains the floor; ``real_time``, to print that too.
        """
        best = {way: (1e9, 1e9), floor: (1e9, 1e9)}
        for _ in range(self.rounds):
            for each in best:
                began, processor = time.perf_counter(), time.process_time()
                each()
                took = time.process_time() - processor, time.perf_counter() - began
                best[each] = min(best[each][0], took[0]), min(best[each][1], took[1])
        ours, base = best[way], best[floor]
        per = ours[0] / count * 1e6
        floor_per = base[0] / count * 1e6
        notes = [f"{ours[0] / base[0]:.1f} x {floor_per:.1f}: {what}"]
        if more.get("added"):
            notes = [f"adds {per - floor_per:.0f} to {floor_per:.0f}: {what}"]
        if more.get("real_time"):
            notes.append(f"{count / ours[1]:,.0f}/s, {ours[1] / base[1]:.1f} x in real time")
        self.table.line(name, per, "µs", *notes)


# --- On this machine.


def appending(bench: Bench, events: list[Row]) -> None:
    """`append_many`: a thousand events a call."""
    parts = [events[i : i + 1000] for i in range(0, len(events), 1000)]

    def ours() -> None:
        with AuditLog(bench.path()) as log:
            for part in parts:
                log.append_many(part)

    def floor() -> None:
        with bench.path().open("wb") as file:
            for part in parts:
                bodies = [orjson.dumps(event, option=orjson.OPT_SORT_KEYS) for event in part]
                hashes = [hashlib.sha256(body).hexdigest().encode() for body in bodies]
                file.write(b"\n".join(map(b"".join, zip(bodies, hashes, strict=True))))
                file.flush()

    bench.compare("append_many", len(events), ours, floor, "JSON, SHA-256, one write")


def exporting(bench: Bench, log: Path, count: int) -> None:
    """`export`, into a file and into a database."""

    def floor() -> None:
        with log.open("rb") as source, bench.path().open("wb") as file:
            file.writelines(line for line in source if hashlib.sha256(line).digest())

    for suffix in (".jsonl", ".db"):
        bench.compare(
            f"export, to {suffix}",
            count,
            lambda suffix=suffix: export_log(log, bench.path(suffix)),
            floor,
            "a line read, SHA-256, written",
        )


class _Echo(socketserver.StreamRequestHandler):
    """Stores lines as they are, and answers each."""

    def handle(self) -> None:
        with self.server.path.open("ab", 0) as file:  # type: ignore[attr-defined]
            for line in self.rfile:
                event = orjson.loads(line)
                file.write(orjson.dumps(event) + b"\n")
                self.wfile.write(b'{"id":"%d"}\n' % len(event))


def collecting(bench: Bench, events: list[Row]) -> None:
    """The collector, by its socket: client and server are this process."""
    lines = [orjson.dumps(event) + b"\n" for event in events]
    parts = [lines[i : i + BATCH] for i in range(0, len(lines), BATCH)]

    def send(path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            with client.makefile("rb") as answers:
                for part in parts:
                    client.sendall(b"".join(part))
                    for _ in part:
                        answers.readline()

    def ours() -> None:
        path = bench.path(".sock")
        with AuditLog(bench.path(), on_failure="raise") as log, Collector(log, path):
            send(path)

    def floor() -> None:
        path = bench.path(".sock")
        with socketserver.ThreadingUnixStreamServer(str(path), _Echo) as server:
            server.path = bench.path()  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, args=(0.01,)).start()
            send(path)
            server.shutdown()

    bench.compare("collector, by its socket", len(events), ours, floor, "a socket, JSON, a write")


# --- Inside of applications that do nothing.

CALLS = 2000


def tasks(bench: Bench) -> None:
    """Celery: a task that does nothing, run where it is called."""
    from celery import Celery

    from chained_logging.integrations.celery import record_tasks

    app = Celery("bench", broker="memory://", backend="cache+memory://")

    @app.task
    def nothing() -> None: ...

    def floor() -> None:
        for _ in range(CALLS):
            nothing.apply()

    def ours() -> None:
        with AuditLog(bench.path()) as log:
            recorder = record_tasks(log=log)
            floor()
            recorder.stop()

    bench.compare("Celery, an empty task", CALLS, ours, floor, "the task", added=True)


def wsgi(bench: Bench) -> None:
    """WSGI: an application that does nothing."""
    from wsgiref.util import setup_testing_defaults

    from chained_logging.integrations.wsgi import AuditMiddleware

    def application(environ: Row, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b""]

    environ: Row = {"REMOTE_ADDR": "203.0.113.7", "PATH_INFO": "/patients/1"}
    setup_testing_defaults(environ)

    def serve(served: Any) -> None:
        for _ in range(CALLS):
            answer = served(dict(environ), lambda status, headers: None)
            list(answer)
            if hasattr(answer, "close"):
                answer.close()

    def ours() -> None:
        with AuditLog(bench.path()) as log:
            serve(AuditMiddleware(application, log=log))

    floor = functools.partial(serve, application)
    bench.compare("WSGI, an empty application", CALLS, ours, floor, "the call", added=True)


def starlette(bench: Bench) -> None:
    """Starlette: an empty ``async def``."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    from chained_logging.integrations.asgi import AuditMiddleware

    async def nothing(request: Any) -> Response:
        return Response()

    async def several(application: Any) -> None:
        for _ in range(CALLS):
            await real.call(application)

    plain = Starlette(routes=[Route("/patients/{id}", nothing)])

    def ours() -> None:
        with AuditLog(bench.path()) as log:
            asyncio.run(several(AuditMiddleware(plain, log=log)))

    def floor() -> None:
        asyncio.run(several(plain))

    bench.compare("Starlette, an empty async def", CALLS, ours, floor, "the request", added=True)


def django(bench: Bench) -> None:
    """Django: an empty ``async def``, behind no other middleware."""
    from django import setup
    from django.conf import settings
    from django.http import HttpResponse
    from django.test import AsyncRequestFactory

    settings.configure(CHAINED_LOGGING={"log": bench.path()}, ALLOWED_HOSTS=["*"], ROOT_URLCONF=())
    setup()
    from chained_logging.integrations.django import AuditMiddleware

    async def nothing(request: Any) -> HttpResponse:
        return HttpResponse()

    make = functools.partial(AsyncRequestFactory().get, "/patients/1")

    async def several(view: Any) -> None:
        for _ in range(CALLS):
            await view(make())

    audited = AuditMiddleware(nothing)

    def ours() -> None:
        asyncio.run(several(audited))

    def floor() -> None:
        asyncio.run(several(nothing))

    bench.compare("Django, an empty async def", CALLS, ours, floor, "request, view", added=True)


# --- To servers, and back.


class Postgres:
    """A server of one's own, and the floor: ``COPY`` into a bare table, and a ``SELECT``."""

    name = "PostgreSQL"
    sent, received = "COPY into a bare table", "SELECT, written"

    def __init__(self, close: contextlib.ExitStack, log: Path) -> None:
        import psycopg
        from servers_postgres import running_server

        self._connect = psycopg.connect
        self._server = close.enter_context(running_server())
        self._log, self._made = log, 0

    def fresh(self) -> str:
        """Return the URL of a destination that holds nothing."""
        self._made += 1
        with self._connect(self._server.url(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE d{self._made}".encode())
        url: str = self._server.url(f"d{self._made}")
        init_destination(url)
        return url

    def send(self) -> None:
        with self._connect(self._server.url()) as connection:
            connection.execute("DROP TABLE IF EXISTS bare")
            connection.execute("CREATE TABLE bare (seq bigint, body text, hash text)")
            with connection.cursor().copy("COPY bare FROM STDIN") as copy:
                for record in open_sink(self._log).records():
                    copy.write_row((record.seq, record.body.decode(), record.hash))

    def receive(self, target: Path) -> None:
        with self._connect(self._server.url()) as connection, target.open("w") as file:
            for body, digest in connection.cursor("c").execute("SELECT body, hash FROM bare"):
                file.write(f"{body}{digest}\n")


class S3:
    """A server of one's own, and the floor: compressed objects, as many as the shipper makes."""

    name = "S3 (moto)"
    sent, received = "gzip, PUT", "GET, gunzip, written"

    def __init__(self, close: contextlib.ExitStack, log: Path) -> None:
        import servers_s3

        folder = Path(close.enter_context(tempfile.TemporaryDirectory()))
        server = servers_s3.Server(folder)
        close.callback(server.stop)
        server.spawn(*servers_s3.MOTO, "-p", str(server.port))
        server.await_port()
        os.environ.update(servers_s3.CREDENTIALS, AWS_ENDPOINT_URL=server.endpoint)
        self._bucket = servers_s3.Bucket(server)
        self._log, self._made = log, 0

    def fresh(self) -> str:
        """Return the URL of a destination that holds nothing."""
        self._made += 1
        url = f"s3://{self._bucket.name}/{self._made}"
        init_destination(url, retention="30d")
        return url

    def send(self) -> None:
        from chained_logging.ship.s3 import S3Destination

        lines = self._log.read_bytes().splitlines(keepends=True)
        size = S3Destination.batch_entries
        self._keys = [f"bare/{first}" for first in range(0, len(lines), size)]
        for number, key in enumerate(self._keys):
            part = gzip.compress(b"".join(lines[number * size : (number + 1) * size]), 6)
            self._bucket.client.put_object(Bucket=self._bucket.name, Key=key, Body=part)

    def receive(self, target: Path) -> None:
        with target.open("wb") as file:
            for key in self._keys:
                found = self._bucket.client.get_object(Bucket=self._bucket.name, Key=key)
                file.write(gzip.decompress(found["Body"].read()))


def central(bench: Bench, log: Path, count: int, store: Postgres | S3) -> None:
    """`ship` to a destination, and `restore` from it."""
    urls = [store.fresh() for _ in range(bench.rounds)]
    unused = iter(urls)

    def ship() -> None:
        with AuditLog(log, on_failure="raise") as audit:
            (reached,) = Shipper(audit, [next(unused)]).ship()
        if reached.problem:
            raise SystemExit(f"not shipped: {reached.problem}")

    bench.compare(f"ship, to {store.name}", count, ship, store.send, store.sent, real_time=True)
    with contextlib.closing(open_destination(urls[0])) as destination:
        bench.compare(
            f"restore, from {store.name}",
            count,
            lambda: restore(destination, ORIGIN, bench.path()),
            lambda: store.receive(bench.path()),
            store.received,
            real_time=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the ways that carry real events.")
    parser.add_argument("events", nargs="?", type=Path, default=real.EVENTS)
    parser.add_argument("--quick", action="store_true", help="a part of the work")
    options = parser.parse_args()
    events = real.read(options.events) * (1 if options.quick else 10)
    table = Table()
    table.head(f"{len(events):,} CloudTrail entries; µs of processor time an entry")
    with (
        contextlib.ExitStack() as close,
        tempfile.TemporaryDirectory(dir=os.curdir) as folder,
    ):
        bench = Bench(table, Path(folder), 2 if options.quick else 5)
        appending(bench, events)
        log = bench.path()
        with AuditLog(log, origin=ORIGIN) as audit:
            audit.append_many(events)
        exporting(bench, log, len(events))
        collecting(bench, events)
        for ways in (tasks, wsgi, starlette, django):
            ways(bench)
        for kind in (Postgres, S3):
            try:
                store = kind(close, log)
            except ImportError as error:
                print(f"{kind.name} is left out: {error}")
                continue
            central(bench, log, len(events), store)


if __name__ == "__main__":
    main()
