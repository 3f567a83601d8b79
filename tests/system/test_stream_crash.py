"""The harness of ``stream_crash.py`` with few deaths, and a cluster that loses its leader."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
import stream_crash
from chains import often
from folder_store import FolderStore
from nats_logs import ORIGIN, write
from servers_nats import running_cluster, running_nats
from servers_postgres import running_server

from chained_logging import AuditLog
from chained_logging.errors import DestinationError
from chained_logging.ship import nats
from chained_logging.ship.land import Landing
from chained_logging.ship.nats import NatsDestination


@pytest.mark.long
def test_everything_acknowledged_arrives_once_whatever_is_killed(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"seed {seed}")
    kills = int(os.environ.get("ROUNDS", often(20)))
    with running_nats() as server, running_server() as database:
        found = stream_crash.crash(tmp_path, server, database, 5_000, kills, seed)
    assert sum(found["deaths"].values()) == kills


@pytest.mark.long
def test_a_cluster_that_loses_its_leader_loses_nothing(tmp_path: Path) -> None:
    records = write(tmp_path / "audit.jsonl", 599)
    with running_cluster() as servers:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        url = f"nats://{hosts}/AUDIT"
        deadline = time.monotonic() + 20
        while True:  # until they have elected a leader
            try:
                nats.init(url, replicas=3, partitions=1)
                break
            except DestinationError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        with AuditLog(tmp_path / "audit.jsonl") as log:
            victim = random.choice(servers)
            for start in range(0, 600, 20):
                while True:
                    destination = NatsDestination(url)
                    try:
                        if destination.head(ORIGIN).seq < start + 19:
                            destination.write(ORIGIN, records[start : start + 20], [])
                        break
                    except DestinationError:
                        assert time.monotonic() < deadline + 30
                        time.sleep(0.2)
                    finally:
                        destination.close()
                if start == 200:
                    victim.kill()
                if start == 400:
                    victim.start()
            assert list(log.records()) == records
        assert Landing(url, lambda: FolderStore(tmp_path / "store")).land(20)
        store = FolderStore(tmp_path / "store")
        assert list(store.records(ORIGIN)) == records
        store.close()
