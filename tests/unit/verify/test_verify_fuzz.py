"""Random edits of a log's files, judged by both verifiers and by readings that know neither.

The seed is printed. ``FUZZ_SECONDS`` is how many seconds to go on for (default 15), and
``SEED`` the seed to begin with.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from chains import THOROUGH
from verifiers import ALONE, MODULE, cpu_of

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey

SECONDS = float(os.environ.get("FUZZ_SECONDS", 15 if THOROUGH else 10))
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
EVENT = {"actor": "u", "resource": "record/007", "ip": "10.0.0.1"}
FIELDS = ("id", "actor_id", "action", "resource_id", "resource_type", "result", "timestamp")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a WAL, one without, and a folder of segments; all with checkpoints."""
    folder = tmp_path_factory.mktemp("logs")
    for name, options in (("rest.db", {}), ("live.db", {}), ("audit.jsonl", {"max_bytes": 4000})):
        key = PrivateKey.generate()
        log = AuditLog(folder / name, key=key, origin="example.com/t", **options)  # type: ignore[arg-type]
        for number in range(30):
            shown = [("record", number % 5), ("note", number)][: number % 3]
            log.append("read", **{**EVENT, "actor": f"u{number % 7}"}, n=number, resources=shown)
        log.checkpoint()
        if name == "live.db":
            for suffix in ("", "-wal"):
                shutil.copy(f"{folder / name}{suffix}", folder / f"wal.db{suffix}")
        log.close()
    return folder


# --- Two readings that share nothing with the verifiers.


def lines_agree(paths: list[Path]) -> bool:
    """A plain loop over the hashes of JSON Lines, in the order of what is in the files."""
    prev = b"GENESIS"
    texts = [path.read_bytes() for path in paths if path.exists()]
    for data in sorted(texts, key=lambda text: int((re.findall(rb',"seq":(\d+)', text) or [0])[0])):
        if data and not data.endswith(b"\n"):
            return False
        for line in data.splitlines():
            found = re.fullmatch(rb'(\{.*),"hash":"([0-9a-f]{64})"(,"signature":"[^"]+")?\}', line)
            if found is None or b'"prev_hash":"%b"' % prev not in line:
                return False
            if hashlib.sha256(b"\0" + found[1] + b"}").hexdigest().encode() != found[2]:
                return False
            prev = found[2]
    return True


def database_agrees(path: Path) -> bool:
    """What SQLite shows, by itself and by its indexes, against the bodies and their hashes."""
    copy = path.with_name("reading.db")
    for suffix in ("", "-wal", "-journal"):
        if (old := Path(f"{path}{suffix}")).exists():
            shutil.copy(old, f"{copy}{suffix}")
    try:
        with contextlib.closing(sqlite3.connect(copy)) as db:
            columns = ", ".join(FIELDS)
            rows = db.execute(f"SELECT seq, body, hash, {columns} FROM entries ORDER BY seq")
            prev, bodies = "GENESIS", []
            for number, (seq, body, hash, *shown) in enumerate(rows):
                entry = json.loads(body)
                if (
                    type(hash) is not str
                    or hashlib.sha256(b"\0" + body.encode()).hexdigest() != hash
                ):
                    return False
                if (seq, entry["seq"], entry["prev_hash"]) != (number, number, prev):
                    return False
                if shown != [entry[name] for name in FIELDS]:
                    return False
                prev = hash
                bodies.append(entry)
            for actor in {entry["actor_id"] for entry in bodies}:
                query = "SELECT seq FROM entries WHERE actor_id = ? ORDER BY seq"
                found = [row[0] for row in db.execute(query, (actor,))]
                if found != [e["seq"] for e in bodies if e["actor_id"] == actor]:
                    return False
            named = [(r["type"], r["id"], e["seq"]) for e in bodies for r in e.get("resources", ())]
            for table in ("resources NOT INDEXED", "resources INDEXED BY resources_type_id"):
                found = db.execute(f"SELECT type, id, seq FROM {table} WHERE type > ''").fetchall()
                if sorted(found) != sorted(named):
                    return False
            return True
    except (sqlite3.Error, ValueError, KeyError, TypeError):
        return False
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{copy}{suffix}").unlink(missing_ok=True)


# --- Edits.


def edit_bytes(chance: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 1, 3, 20))):
        at = chance.randrange(len(data) or 1)
        length = chance.choice((1, 1, 1, 4, 100, 3000))
        how = chance.randrange(6)
        if how == 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif how == 1:
            del data[at : at + length]
        elif how == 2:
            data[at:at] = chance.randbytes(length)
        elif how == 3:
            to = chance.randrange(len(data) or 1)
            data[to : to + length] = data[at : at + length]
        elif how == 4:
            del data[at:]
        else:
            data[at : at + length] = bytes(length)
    path.write_bytes(data)


def edit_database(chance: random.Random, path: Path) -> None:
    statements = [
        "UPDATE sqlite_master SET sql = replace(sql, ' GENERATED', '\u00a0GENERATED')",
        "UPDATE sqlite_master SET sql = replace(sql, '$.actor_id', '$.action')",
        "UPDATE sqlite_master SET sql = replace(sql, 'TEXT', 'BLOB') WHERE name = 'entries'",
        "UPDATE sqlite_master SET rootpage = 2 + abs(random()) % 9 WHERE rootpage > 2",
        "UPDATE sqlite_master SET name = upper(name), tbl_name = upper(tbl_name)",
        "DELETE FROM sqlite_master WHERE type = 'trigger'",
        "DELETE FROM sqlite_master WHERE type = 'index' AND abs(random()) % 2",
        "CREATE VIEW v AS SELECT * FROM entries WHERE actor_id <> 'u3'",
        "UPDATE entries SET body = replace(body, 'u3', 'u4')",
        "UPDATE entries SET hash = CAST(hash AS BLOB) WHERE seq = 7",
        "UPDATE entries SET signature = ''",
        "DELETE FROM entries WHERE seq = 11",
        "DELETE FROM resources WHERE seq = 11",
        "UPDATE resources SET id = id + 1",
        "UPDATE checkpoints SET size = size + 1",
        "UPDATE checkpoints SET note = CAST(note AS BLOB)",
        "PRAGMA application_id = 7",
        "PRAGMA encoding = 'UTF-16'",
        "VACUUM",
        "ANALYZE",
    ]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        triggers = []
        with contextlib.suppress(sqlite3.Error):
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            triggers = db.execute(query).fetchall()
            for name, _ in triggers:
                db.execute(f"DROP TRIGGER {name}")
        for sql in ("PRAGMA writable_schema = ON", *chance.sample(statements, 2)):
            with contextlib.suppress(sqlite3.Error):
                db.execute(sql)
        for _, sql in triggers:
            with contextlib.suppress(sqlite3.Error):
                db.execute(sql)


def edit_segments(chance: random.Random, folder: Path) -> None:
    files = sorted(folder.glob("audit*.jsonl"))
    one, two = chance.sample(files, 2)
    how = chance.randrange(5)
    if how == 0:
        one.unlink()
    elif how == 1:
        shutil.copy(one, two)
    elif how == 2:
        one.rename(folder / "t")
        two.rename(one)
        (folder / "t").rename(two)
    else:
        edit_bytes(chance, one)


def edit_somehow(chance: random.Random, path: Path) -> None:
    """Edit a log, or a file beside it."""
    if path.suffix == ".jsonl":
        how = chance.choice(("segments", "segments", ".checkpoints", ".manifest"))
        if how == "segments":
            edit_segments(chance, path.parent)
        else:
            edit_bytes(chance, Path(f"{path}{how}"))
    elif chance.randrange(2):
        edit_database(chance, path)
    else:
        sides = [side for side in ("", "-wal") if Path(f"{path}{side}").exists()]
        edit_bytes(chance, Path(f"{path}{chance.choice(sides)}"))


def judged(module: object, path: Path) -> tuple[str, float]:
    start = time.process_time()
    report = module.verify(path)  # type: ignore[attr-defined]
    return report.status, time.process_time() - start


def test_no_verifier_says_intact_where_readings_disagree(logs: Path, tmp_path: Path) -> None:
    print(f"SEED={SEED}")
    chance, end, tried = random.Random(SEED), time.monotonic() + SECONDS, 0
    statuses: dict[str, int] = {}
    while time.monotonic() < end or tried < 20:
        work = tmp_path / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(logs, work)
        name = chance.choice(("rest.db", "wal.db", "audit.jsonl"))
        path = work / name
        edit_somehow(chance, path)
        segments = sorted(work.glob("audit.*[0-9].jsonl"))
        agree = (
            lines_agree([*segments, *work.glob("audit.jsonl")])
            if name == "audit.jsonl"
            else database_agrees(path)
        )
        one, two = judged(MODULE, path), judged(ALONE, path)
        told = f"seed {SEED}, try {tried}, {name}: {one}, {two}, readings agree: {agree}"
        assert one[0] == two[0] or {one[0], two[0]} <= {"tampered", "unchecked"}, told
        assert agree or "intact" not in (one[0], two[0]), told
        files = [file for file in work.iterdir() if file.name.startswith(path.stem)]
        assert max(one[1], two[1]) < 20 * cpu_of(["sha256sum", *files]) + 1, told
        statuses[one[0]] = statuses.get(one[0], 0) + 1
        tried += 1
    print(tried, statuses)
    assert {"intact", "tampered"} <= statuses.keys() or tried < 100
