"""The shipper, as an operator runs it, against a real PostgreSQL."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chains import EVENT, stored
from commands import Running, command, run
from servers_postgres import PostgresServer, running_server
from servers_s3 import Bucket

from chained_logging import AuditLog, verify
from chained_logging.keys import PrivateKey
from chained_logging.ship import destination_name
from chained_logging.ship.postgres import init
from chained_logging.ship.progress import read_progress
from chained_logging.ship.shipper import Shipper

ORIGIN = "example.com/audit"
VERIFY = Path(sys.modules["chained_logging.verify"].__file__ or "")
_names = itertools.count()


def database(server: PostgresServer) -> str:
    """Return the URL of a new database with the schema in it."""
    name = f"ship_{next(_names)}"
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    init(server.url(name))
    return server.url(name)


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    return database(postgres_server)


def sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


UNGUARDED = """
    DO $$ DECLARE name regclass; BEGIN
      FOR name IN SELECT oid FROM pg_class
        WHERE relnamespace = 'chained_logging'::regnamespace AND relkind IN ('r', 'p')
      LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', name); END LOOP;
    END $$
"""
"""What a superuser can do: switch off what refuses changes."""


def there(url: str, origin: str = ORIGIN) -> list[tuple[int, bytes, str]]:
    """Return what stands in a database, without the package."""
    rows = sql(
        url,
        "SELECT seq, body, hash FROM chained_logging.entries "
        f"WHERE origin = '{origin}' ORDER BY seq",
    )
    return [(seq, body.encode(), hash) for seq, body, hash in rows]


def fill(path: Path, count: int, **options: Any) -> None:
    with AuditLog(path, origin=ORIGIN, **options) as log:
        log.append_many([{"action": f"a-{n}", **EVENT} for n in range(count)])


def eventually(check: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found
    return found


def test_every_entry_is_there_once_and_is_verified_there(path: Path, url: str) -> None:
    key = path.with_name("audit.key")
    PrivateKey.generate().save(key)
    for _ in range(2):
        fill(path, 3_000, key=key)
        for _ in range(2):  # a double run changes nothing
            text = run("ship", path, "--to", url)
            assert "0 entries and 0 s behind" in text
            assert "k7-hush" not in text
        assert there(url) == stored(path)
    text = run("verify", url)
    assert f"INTACT: {destination_name(url)} {ORIGIN}" in text
    assert "6,001 entries" in text
    assert "signed up to seq 6000, 2 checkpoints" in text
    text = run("verify", path, "--against", url)
    assert "0 entries behind" in text
    assert "k7-hush" not in text
    (row,) = json.loads(run("ship", path, "--status", "--json"))
    assert (row["seq"], row["lag_entries"], row["problem"]) == (6000, 0, None)


def test_several_logs_and_destinations_are_told_apart(
    tmp_path: Path,
    postgres_server: PostgresServer,
) -> None:
    one, two = database(postgres_server), database(postgres_server)
    for number in range(2):
        path = tmp_path / f"{number}.jsonl"
        with AuditLog(path, origin=f"example.com/{number}") as log:
            log.append_many([{"action": "read", **EVENT}] * (10 + number))
        run("ship", path, "--to", one, "--to", two)
    for place in (one, two):
        assert [len(there(place, f"example.com/{n}")) for n in range(2)] == [11, 12]
        text = run("verify", place)
        assert text.count("INTACT") == 2
        assert "12 entries" in run("verify", place, "--origin", "example.com/1")
    assert "does not hold" in run("verify", one, "--origin", "other", status=2)


def test_a_destination_that_is_down_costs_the_application_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with running_server() as server:
        url = database(server)
        with AuditLog(path, origin=ORIGIN, ship=url, sync_interval=0.1) as log:
            for _ in range(10):
                log.append("read", **EVENT)
            eventually(lambda: len(there(url)) == 11)
            server.kill()
            started = time.perf_counter()
            for _ in range(500):
                log.append("read", **EVENT)
            assert time.perf_counter() - started < 5
            error = run("ship", path, "--to", url, "--patience", "0.5", status=2)
            assert "k7-hush" not in error
            (row,) = eventually(
                lambda: [
                    row
                    for row in json.loads(run("ship", path, "--status", "--json"))
                    if row["problem"]
                ]
            )
            assert (row["lag_entries"], row["alert"]) == (500, False)
            assert 0 < row["lag_seconds"] < 60
            server.start()
            eventually(lambda: len(there(url)) == 511, 60)
        assert there(url) == stored(path)


def test_closing_delivers_what_is_there(path: Path, url: str) -> None:
    with AuditLog(path, origin=ORIGIN, ship=[url], sync_interval=60) as log:
        log.append("read", **EVENT)
    assert there(url) == stored(path)


def test_one_of_several_processes_ships_and_another_takes_over(tmp_path: Path, url: str) -> None:
    path = tmp_path / "audit.jsonl"
    program = (
        "import sys, time\n"
        "from chained_logging import AuditLog\n"
        f"log = AuditLog({str(path)!r}, origin={ORIGIN!r}, ship={url!r}, sync_interval=0.1)\n"
        "for n in range(10_000):\n"
        f"    log.append('read', **{EVENT!r})\n"
        "    time.sleep(0.01)\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    try:
        for worker in workers:
            before = len(there(url))
            eventually(lambda before=before: len(there(url)) > before + 20)
            worker.kill()
            worker.wait()
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    run("ship", path, "--to", url)
    assert there(url) == stored(path)
    assert verify(path).intact


def test_a_forked_child_leaves_its_parents_connection_alone(tmp_path: Path, url: str) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin=ORIGIN, ship=url, sync_interval=0.1) as log:
        log.append("read", **EVENT)
        eventually(lambda: len(there(url)) == 2)
        for _ in range(3):
            child = os.fork()
            if child == 0:
                try:
                    log.append("child", **EVENT)
                    log.close()
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            log.append("parent", **EVENT)
        eventually(lambda: len(there(url)) == 8)
    assert there(url) == stored(path)


def test_a_broken_chain_is_shipped_up_to_the_break(tmp_path: Path, url: str) -> None:
    path = tmp_path / "audit.jsonl"
    fill(path, 50)
    run("ship", path, "--to", url)
    fill(path, 50)
    lines = path.read_bytes().splitlines(keepends=True)
    edits = {
        "its content": lambda: lines[80].replace(b"user-1", b"user-2"),
        "missing": lambda: b"",
        "broken after": lambda: b"no entry\n",
    }
    seen: list[str] = []
    for text, edit in edits.items():
        path.write_bytes(b"".join([*lines[:80], edit(), *lines[81:]]))
        said = command("ship", path, "--to", url)
        assert said.returncode == 1, said
        assert "ALERT" in said.stdout
        assert text in said.stdout or "entry 79 is followed by 81" in said.stdout
        assert len(there(url)) == 80  # entries 0 to 79
        seen.append(said.stdout)
    path.write_bytes(b"".join(lines))
    run("ship", path, "--to", url)
    assert len(there(url)) == 101


def test_an_alert_is_raised_in_the_program(tmp_path: Path, url: str) -> None:
    path, alerts = tmp_path / "audit.jsonl", list[str]()
    fill(path, 10)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"action":"a-5"', b'"action":"a-6"'))
    with AuditLog(path) as log:
        shipper = Shipper(log, [url], on_alert=alerts.append)
        (progress,) = shipper.ship()
        (again,) = shipper.ship()
    assert progress.alert
    assert again.alert
    assert len(alerts) == 1  # said once
    assert "entry 6" in alerts[0]


def test_a_log_that_was_rolled_back_is_not_shipped(tmp_path: Path, url: str) -> None:
    path = tmp_path / "audit.jsonl"
    fill(path, 10)
    shutil.copytree(tmp_path, old := tmp_path.with_name(tmp_path.name + "-old"))
    fill(path, 10)
    run("ship", path, "--to", url)
    rolled = old / "audit.jsonl"
    (old / "audit.jsonl.lock").unlink()
    assert "rolled back" in command("ship", rolled, "--to", url).stdout
    fill(rolled, 30)
    done = command("ship", rolled, "--to", url)
    assert (done.returncode, "another entry 20 than the log" in done.stdout) == (1, True)
    assert there(url) == stored(path)


def test_an_old_backup_restored_there_is_named_and_made_good(tmp_path: Path, url: str) -> None:
    path = tmp_path / "audit.jsonl"
    fill(path, 10)
    run("ship", path, "--to", url)
    fill(path, 10)
    run("ship", path, "--to", url)
    # What pg_restore of yesterday's dump amounts to.
    sql(
        url,
        UNGUARDED,
        "DELETE FROM chained_logging.entries WHERE seq > 10;"
        " UPDATE chained_logging.heads SET seq = 10,"
        " hash = (SELECT hash FROM chained_logging.entries WHERE seq = 10)",
    )
    done = command("verify", path, "--against", url)
    assert done.returncode == 1
    assert "entries 11 to 20 were there" in done.stdout
    done = command("ship", path, "--to", url)
    assert done.returncode == 1
    assert "an old backup restored" in done.stderr
    assert there(url) == stored(path)


def test_a_destination_that_lost_all_is_an_alert(path: Path, url: str) -> None:
    fill(path, 20)
    run("ship", path, "--to", url)
    sql(url, UNGUARDED, "DELETE FROM chained_logging.entries; DELETE FROM chained_logging.heads")
    alerts: list[str] = []
    with AuditLog(path) as log:
        (progress,) = Shipper(log, [url], on_alert=alerts.append).ship()
    assert "an old backup restored" in alerts[0]
    assert progress.seq == 20
    assert there(url) == stored(path)


def test_what_differs_from_central_storage_is_named(tmp_path: Path, url: str) -> None:
    path = tmp_path / "audit.jsonl"
    fill(path, 20)
    run("ship", path, "--to", url)
    fill(path, 5)
    assert "5 entries behind" in run("verify", path, "--against", url)
    sql(
        url,
        UNGUARDED,
        "DELETE FROM chained_logging.entries WHERE seq IN (4, 5, 6);"
        " UPDATE chained_logging.entries SET hash = repeat('0', 64) WHERE seq = 9",
    )
    done = command("verify", path, "--against", url)
    assert done.returncode == 1
    assert "entries 4 to 6 are not there" in done.stdout
    assert "entry 9 is another one there" in done.stdout
    assert "k7-hush" not in done.stdout + done.stderr


def test_a_lost_host_is_restored_byte_for_byte_and_goes_on(path: Path, url: str) -> None:
    key = path.with_name("audit.key")
    PrivateKey.generate().save(key)
    fill(path, 500, key=key)
    run("ship", path, "--to", url)
    restored = path.with_name(f"restored{path.suffix}")
    run("restore", url, restored)
    assert stored(restored)[:-1] == stored(path)
    if path.suffix == ".jsonl":
        assert restored.read_bytes().startswith(path.read_bytes())
    last = json.loads(stored(restored)[-1][1])
    assert (last["action"], last["context"]["entries"]) == ("log.restore", 501)
    with AuditLog(restored, key=key) as log:
        log.append("after", **EVENT)
    report = verify(restored)
    assert (report.status, report.entries) == ("intact", 503)
    assert report.signed_seq == 502
    run("ship", restored, "--to", url)
    assert there(url) == stored(restored)
    # The lost host comes back with its old log, and is not believed.
    fill(path, 5, key=key)
    done = command("ship", path, "--to", url)
    assert done.returncode == 1
    assert there(url) == stored(restored)
    assert "is there already" in run("restore", url, restored, status=2)


def test_following_goes_on_until_it_is_told_to_stop(path: Path, url: str) -> None:
    fill(path, 10)
    words = [sys.executable, "-m", "chained_logging", "ship", str(path), "--to", url]
    words += ["--follow", "--interval", "0.1"]
    follower = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        for count in (11, 21, 31):
            eventually(lambda count=count: len(there(url)) == count)
            fill(path, 10)
        done = command("ship", path, "--to", url)
        assert (done.returncode, "another process ships this log there" in done.stdout) == (2, True)
    finally:
        follower.send_signal(signal.SIGTERM)
        output, _ = follower.communicate(timeout=30)
    assert follower.returncode == 0
    assert "0 entries and 0 s behind" in output
    assert there(url) == stored(path)


def test_nothing_is_shipped_that_a_power_failure_could_take_back(tmp_path: Path, url: str) -> None:
    # The log is brought onto the disk before anything of it is sent.
    path, trace = tmp_path / "audit.jsonl", tmp_path / "trace"
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    fill(path, 10)
    traced = ["strace", "-f", "-y", "-e", "trace=fdatasync,fsync,sendto", "-o", str(trace)]
    traced += [sys.executable, "-m", "chained_logging", "ship", str(path), "--to", url]
    subprocess.run(traced, check=True, capture_output=True)
    lines = trace.read_text().splitlines()
    sent = next(n for n, line in enumerate(lines) if "COPY chained" in line)
    assert any("fdatasync(" in line and str(path) in line for line in lines[:sent])


def test_bad_destinations_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    fill(path, 1)
    assert "a destination is postgresql" in run("ship", path, "--to", "ftp://x", status=2)
    assert "give a destination" in run("ship", path, status=2)
    assert "does not exist" in run("ship", tmp_path / "no.jsonl", "--to", "s3://x/y", status=2)
    secret = "postgresql://user:hush-hush@127.0.0.1:1/db"
    done = command("ship", path, "--to", secret, "--patience", "0")
    assert (done.returncode, "hush" in done.stdout + done.stderr) == (2, False)
    assert "hush" not in read_progress(path, destination_name(secret)).destination


def test_what_witnesses_signed_is_shipped_too(
    tmp_path: Path,
    url: str,
    moto: Bucket,
) -> None:
    run("init", moto.url, "--retention", "1d")
    path, key, public = tmp_path / "audit.jsonl", tmp_path / "key", tmp_path / "vkey"
    public.write_text(run("keygen", key, "--origin", ORIGIN).splitlines()[-1])
    fill(path, 10, key=key)
    witness = Running(tmp_path / "w1", "witness.example/w1", public)
    destinations = ["--to", url, "--to", moto.url]
    try:
        for _ in range(2):
            run("ship", path, *destinations)  # the checkpoint alone, and once more cosigned
            run("checkpoint", path, "--key", key, *witness.options)
            run("ship", path, *destinations)
            run("ship", path, *destinations)
            fill(path, 10, key=key)
    finally:
        witness.stop()
    for place in (url, moto.url):
        text = run("verify", place, "--public-key", public, "--witness-key", witness.vkey)
        assert "witnessed up to seq 20 by witness.example/w1" in text
        restored = tmp_path / f"restored-{place[:2]}.jsonl"
        run("restore", place, restored)
        assert "witnessed up to seq 20" in run("verify", restored, "--witness-key", witness.vkey)


def test_a_terminal_is_shown_how_far_it_is(tmp_path: Path, url: str) -> None:
    path = tmp_path / "audit.jsonl"
    fill(path, 12_000)  # three batches
    terminal, other = pty.openpty()
    words = [sys.executable, "-m", "chained_logging", "ship", str(path), "--to", url]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=other) as shipping:
        os.close(other)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
            while part := os.read(terminal, 4096):
                shown += part
        assert shipping.wait(60) == 0
    os.close(terminal)
    percents = [int(found) for found in re.findall(rb"(\d+)%", shown)]
    assert b"shipping" in shown
    assert percents == sorted(percents)
    assert any(0 < percent < 100 for percent in percents)
    assert percents[-1] == 100
    assert b"shipping" not in command("ship", path, "--to", url).stderr.encode()


def test_a_dba_gets_the_statements_to_read_and_run(postgres_server: PostgresServer) -> None:
    printed = run("init", "postgresql://nobody@127.0.0.1:1/none", "--print")
    name = f"ship_{next(_names)}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    url = postgres_server.url(name)
    with psycopg.connect(url, autocommit=True) as dba:
        dba.execute(printed.encode())
    assert "is there already" in run("init", url)  # and init finds what it would have made
    assert "--print works for postgresql" in run("init", "s3://a/b", "--print", status=2)


def test_progress_that_was_damaged_is_one_sentence(tmp_path: Path, url: str) -> None:
    path = tmp_path / "audit.jsonl"
    fill(path, 1)
    run("ship", path, "--to", url)
    (file,) = tmp_path.glob("audit.jsonl.ship-" + "[0-9a-f]" * 12)
    file.write_text("[]")
    assert "is not a shipper's record of progress" in run("ship", path, "--status", status=2)


# --- S3, and a folder of what was shipped.


def test_all_that_a_run_put_deleted_with_its_digest_is_named(path: Path, moto: Bucket) -> None:
    run("init", moto.url, "--retention", "30d", "--mode", "GOVERNANCE")
    key = path.with_name("audit.key")
    PrivateKey.generate().save(key)
    before: set[str] = set()
    for _ in range(2):
        before = {version["VersionId"] for version in moto.versions()}
        fill(path, 10, key=key)
        run("ship", path, "--to", moto.url, "--key", key)
    for version in moto.versions():
        if version["VersionId"] not in before:
            moto.delete(version)
    done = command("verify", path, "--against", moto.url)
    assert done.returncode == 1
    assert "entries 11 to 20 were there" in done.stdout
    assert "digest" in done.stdout


def test_what_was_shipped_to_s3_is_verified_there_and_in_a_copied_folder(
    path: Path,
    moto: Bucket,
    tmp_path: Path,
) -> None:
    assert "keeps entries for 400d" in run("init", moto.url, "--retention", "400d")
    key = path.with_name("audit.key")
    PrivateKey.generate().save(key)
    for _ in range(3):
        fill(path, 200, key=key)
        run("ship", path, "--to", moto.url, "--key", key)
    assert "INTACT" in run("verify", moto.url)
    assert "0 entries behind" in run("verify", path, "--against", moto.url)
    folder = tmp_path / "copy"
    for version in moto.versions():
        target = folder / version["Key"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(moto.content(version))
    text = run("verify", folder)
    assert "601 entries" in text
    assert "signed up to seq 600, 3 checkpoints" in text
    (last,) = sorted(folder.rglob("*.jsonl.gz"))[-1:]
    last.unlink()
    done = command(folder, program=[VERIFY])
    assert (done.returncode, "its end was cut off" in done.stdout) == (1, True)
    restored = tmp_path / f"restored{path.suffix}"
    run("restore", moto.url, restored)
    assert stored(restored)[:-1] == stored(path)


def test_a_folder_holds_several_logs(tmp_path: Path) -> None:
    for host in ("one", "two"):
        (tmp_path / host).mkdir()
        with AuditLog(tmp_path / host / "audit.jsonl", max_bytes=4_000) as log:
            for _ in range(30):
                log.append("read", **EVENT)
    assert run("verify", tmp_path).count("31 entries") == 2
    (tmp_path / "two" / "audit.jsonl").unlink()
    sealed = sorted((tmp_path / "two").glob("audit.0*"))
    sealed[1].unlink()
    done = command(tmp_path, program=[VERIFY])
    assert done.returncode == 1
    assert done.stdout.count("INTACT") == 1
    assert "missing" in done.stdout
    (tmp_path / "none").mkdir()
    assert "there is no log in" in run("verify", tmp_path / "none", status=2)


def test_without_the_extra_it_is_said_which_one(path: Path, tmp_path: Path) -> None:
    fill(path, 1)
    (tmp_path / "tenacity.py").write_text("raise ImportError('No module named tenacity')")
    environment = {"PYTHONPATH": str(tmp_path)}
    ship = ["ship", path, "--to", "postgresql://127.0.0.1:1/x"]
    land = ["land", "nats://127.0.0.1:1/AUDIT", "--to", "postgresql://127.0.0.1:1/x", "--once"]
    for command_line in (ship, land):
        error = run(*command_line, status=2, **environment)
        assert "pip install chained_logging[postgres]" in error
