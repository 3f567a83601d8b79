"""Kill the NATS server, shippers, landings and the database at random, and count what arrived.

    python tests/support/stream_crash.py --entries 100000 --kills 20 [--seed N]

Two logs are written and shipped to a stream, and two landings bring it into PostgreSQL. A writer
notes the id of every entry that was acknowledged, in a file of its own. Whatever was killed is
started again at once. At the end every acknowledged entry must stand in the database exactly once,
and each log's chain must verify there.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
from programs import Kept
from servers_nats import NatsServer, running_nats
from servers_postgres import PostgresServer, running_server

from chained_logging.event.entry import AuditEntry
from chained_logging.review.stores import CentralStores
from chained_logging.ship import nats, open_destination
from chained_logging.ship.land import Landing
from chained_logging.ship.postgres import init
from chained_logging.verify import verify

WRITER = """
import os, sys, time
from chained_logging import AuditLog
path, acknowledged, origin = sys.argv[1:4]
total, rate = int(sys.argv[4]), float(sys.argv[5])
log = AuditLog(path, origin=origin, checkpoint_every=2000)
noted = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
started = time.monotonic()
for written in range(0, total, 50):
    entries = log.append_many(
        [{"action": "read", "actor": "user-1", "ip": "10.0.0.1", "resource": f"record/{n}"}
         for n in range(written, written + 50)]
    )
    os.write(noted, "".join(f"{entry.id}\\n" for entry in entries).encode())
    time.sleep(max(0, started + written / rate - time.monotonic()))
"""

SHIPPER = """
import sys, time
from chained_logging import AuditLog
from chained_logging.ship.nats import NatsDestination
from chained_logging.ship.shipper import Shipper
NatsDestination.batch_seconds = 0.05  # so that it is killed in the middle of many batches
log = AuditLog(sys.argv[1])
Shipper(log, [sys.argv[2]], interval=0.05).start()
time.sleep(3600)
"""

LANDING = """
import sys, threading
from chained_logging.ship import open_destination
from chained_logging.ship.land import Landing
from chained_logging.ship.postgres import PostgresDestination
PostgresDestination.batch_seconds = 0.05
source, target = sys.argv[1:3]
landing = Landing(source, lambda: open_destination(target), patience=5, ack_wait=2)
landing.run(threading.Event())
"""


def crash(
    folder: Path, server: NatsServer, database: PostgresServer, entries: int, kills: int, seed: int
) -> dict[str, Any]:
    """Bring `entries` of each of two logs through `kills` deaths; return what was found.

    :raises AssertionError: if an entry is missing, or stands there twice.
    """
    chance = random.Random(seed)
    with psycopg.connect(database.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE stream")
    target, source = database.url("stream"), server.url("AUDIT")
    init(target)
    nats.init(source, partitions=2)
    logs = {f"example.com/crash/{n}": folder / f"{n}.jsonl" for n in range(2)}
    rate = str(entries / (kills * 0.7))
    writers = [
        Kept(WRITER, str(path), f"{path}.ids", origin, str(entries), rate)
        for origin, path in logs.items()
    ]
    while not all(path.exists() for path in logs.values()):
        time.sleep(0.05)
    shippers = [Kept(SHIPPER, str(path), source) for path in logs.values()]
    landings = [Kept(LANDING, source, target) for _ in range(2)]
    deaths: Counter[str] = Counter()
    try:
        victims = [("server", "shipper", "landing", "database")[n % 4] for n in range(kills)]
        chance.shuffle(victims)
        for victim in victims:
            time.sleep(chance.uniform(0.1, 0.7))
            deaths[victim] += 1
            if victim in ("server", "database"):
                one = server if victim == "server" else database
                one.kill()
                time.sleep(chance.uniform(0, 0.3))
                one.start()
            else:
                kept = chance.choice(shippers if victim == "shipper" else landings)
                kept.kill()
                kept.start()
        for writer in writers:
            assert writer.process.wait(600) == 0
        for path in logs.values():
            wait_for_shipper(path, source)
    finally:
        for kept in (*writers, *shippers, *landings):
            kept.kill()
    alerts: list[str] = []
    last = Landing(source, lambda: open_destination(target), ack_wait=2, on_alert=alerts.append)
    assert last.land(120), "something is left in the stream"

    found = {}
    destination = open_destination(target)
    for origin, path in logs.items():
        known = Path(f"{path}.ids").read_text().split()
        assert len(set(known)) == len(known) == entries
        records = list(destination.records(origin))
        ids = Counter(AuditEntry(record.body, record.hash).id for record in records)
        lost = [id for id in known if ids[id] != 1]
        assert not lost, f"{origin}: {len(lost)} entries not exactly once: {lost[:3]}"
        assert max(ids.values()) == 1
        for stream, faults in CentralStores().streams(target, origin):
            report = verify(stream=stream, also=faults)
            assert report.intact, report.faults[:3]
        found[origin] = len(records)
    destination.close()
    assert alerts == []
    return {"there": found, "deaths": dict(deaths)}


def wait_for_shipper(path: Path, source: str) -> None:
    """Wait until everything of a log is in the stream."""
    command = [sys.executable, "-m", "chained_logging", "ship", str(path), "--to", source]
    deadline = time.monotonic() + 120
    while (
        '"lag_entries": 0'
        not in subprocess.run(
            [*command, "--status", "--json"], capture_output=True, text=True
        ).stdout
    ):
        assert time.monotonic() < deadline, "the shipper does not go on"
        time.sleep(0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="stream-crash-"))
    try:
        with running_nats() as server, running_server() as database:
            started = time.monotonic()
            found = crash(folder, server, database, options.entries, options.kills, options.seed)
        print(f"{found}, in {time.monotonic() - started:.0f} s")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
