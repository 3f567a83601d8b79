"""Kill the writer, the shipper and the database at random, and count what arrived.

    python tests/support/ship_crash.py --entries 200000 --kills 20 [--s3 radosgw|moto] [--seed N]

A writer notes the id of every entry that was acknowledged, in a file of its own. Whatever was
killed is started again at once. At the end every acknowledged entry must stand in each destination
exactly once, and each destination's chain must verify.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from programs import Kept
from servers_postgres import PostgresServer, running_server
from servers_s3 import CREDENTIALS, MOTO, Bucket, Radosgw, Server

from chained_logging.event.entry import AuditEntry
from chained_logging.review.stores import CentralStores
from chained_logging.ship import open_destination
from chained_logging.ship.postgres import init
from chained_logging.ship.s3 import init as init_s3
from chained_logging.verify import verify

ORIGIN = "example.com/crash"

WRITER = """
import os, sys, time
from chained_logging import AuditLog
path, acknowledged, total, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
log = AuditLog(path, origin="example.com/crash", durability="fsync", checkpoint_every=2000)
noted = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
written = sum(1 for _ in open(acknowledged))
started, begin = time.monotonic(), written
while written < total:
    entries = log.append_many(
        [{"action": "read", "actor": "user-1", "ip": "10.0.0.1", "resource": f"record/{n}"}
         for n in range(written, written + 50)]
    )
    os.write(noted, "".join(f"{entry.id}\\n" for entry in entries).encode())
    written += 50
    time.sleep(max(0, started + (written - begin) / rate - time.monotonic()))
"""

SHIPPER = """
import sys, time
from chained_logging import AuditLog
from chained_logging.ship.shipper import Shipper
from chained_logging.ship.s3 import S3Destination
S3Destination.batch_seconds = 0.5  # so that it is killed in the middle of many segments
log = AuditLog(sys.argv[1], origin="example.com/crash")
Shipper(log, sys.argv[2:], interval=0.1).start()
time.sleep(3600)
"""


def crash(
    folder: Path, server: PostgresServer, urls: list[str], entries: int, kills: int, seed: int
) -> dict[str, Any]:
    """Ship `entries` through `kills` deaths of each; return what was found.

    :raises AssertionError: if an entry is missing, or stands somewhere twice.
    """
    chance = random.Random(seed)
    path, acknowledged = folder / "audit.jsonl", folder / "acknowledged"
    acknowledged.touch()
    rate = entries / (kills * 2.5)
    writer = Kept(WRITER, str(path), str(acknowledged), str(entries), str(rate))
    shipper = Kept(SHIPPER, str(path), *urls)
    deaths: Counter[str] = Counter()
    try:
        victims = ["writer", "shipper", "database"] * kills
        chance.shuffle(victims)
        for victim in victims:
            time.sleep(chance.uniform(0.1, 0.9))
            deaths[victim] += 1
            if victim == "database":
                server.kill()
                time.sleep(chance.uniform(0, 0.3))
                server.start()
            else:
                one = writer if victim == "writer" else shipper
                one.kill()
                one.start()
        assert writer.process.wait(600) == 0
    finally:
        writer.kill()
        shipper.kill()
    command = [sys.executable, "-m", "chained_logging", "ship", str(path)]
    command += [text for url in urls for text in ("--to", url)]
    subprocess.run(command, check=True)

    known = acknowledged.read_text().split()
    assert len(set(known)) == len(known) >= entries
    found = {}
    for url in urls:
        destination = open_destination(url)
        ids = Counter(
            str(AuditEntry(record.body, record.hash).id) for record in destination.records(ORIGIN)
        )
        destination.close()
        lost = [id for id in known if ids[id] != 1]
        assert not lost, f"{destination.name}: {len(lost)} entries not exactly once: {lost[:3]}"
        assert max(ids.values()) == 1
        for stream, faults in CentralStores().streams(url, ORIGIN):
            report = verify(stream=stream, also=faults)
            assert report.intact, report.faults[:3]
            found[destination.name] = report.entries
    assert verify(path).intact
    return {"acknowledged": len(known), "deaths": dict(deaths), "there": found}


@contextlib.contextmanager
def bucket(kind: str) -> Iterator[str]:
    """Yield the URL of a bucket with Object Lock, on a server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="s3-"))
    server = Radosgw(folder) if kind == "radosgw" else Server(folder)
    try:
        if isinstance(server, Radosgw):
            server.start_at_last()
        else:
            port = str(server.port)
            server.spawn(*MOTO, "-p", port)
            server.await_port()
        os.environ.update(CREDENTIALS, AWS_ENDPOINT_URL_S3=server.endpoint)
        made = Bucket(server)
        init_s3(made.url, retention="1d")
        yield made.url
        made.client.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def database(server: PostgresServer) -> str:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE crash")
    init(server.url("crash"))
    return server.url("crash")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--s3", choices=["radosgw", "moto", "none"], default="radosgw")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="ship-crash-"))
    try:
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(running_server())
            urls = [database(server)]
            if options.s3 != "none":
                urls.append(stack.enter_context(bucket(options.s3)))
            started = time.monotonic()
            found = crash(folder, server, urls, options.entries, options.kills, options.seed)
        print(f"{found}, in {time.monotonic() - started:.0f} s")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
