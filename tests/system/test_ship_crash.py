"""The harness of ``ship_crash.py``, with few deaths. The long run is that file itself."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import ship_crash
from chains import often
from programs import missing
from servers_postgres import running_server


def test_everything_acknowledged_arrives_once_whatever_is_killed(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"seed {seed}")
    kills = often(6)
    kind = "radosgw" if shutil.which("radosgw") else "moto"
    if kind == "moto" and os.environ.get("CI"):
        missing("radosgw is not installed")
    with running_server() as server, ship_crash.bucket(kind) as bucket:
        urls = [ship_crash.database(server), bucket]
        found = ship_crash.crash(
            tmp_path, server, urls, entries=2_500 * kills, kills=kills, seed=seed
        )
    assert found["acknowledged"] >= 2_500 * kills
    assert found["deaths"] == dict.fromkeys(("writer", "shipper", "database"), kills)
