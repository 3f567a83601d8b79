"""A stream between logs and central storage, against a real nats-server.

What a test lands, it lands in PostgreSQL, or in a file where the destination does not matter.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
import ready
import ship_crash
from chains import EVENT
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from folders import ROOT
from nats_logs import ORIGIN, Store, Stream, batch, ship, stream, write
from programs import free_port
from servers_nats import (
    PASSWORD,
    NatsServer,
    running_nats,
)
from servers_postgres import PostgresServer
from servers_s3 import CREDENTIALS

from chained_logging import AuditLog
from chained_logging.errors import DestinationError, ShipError
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import EMPTY, Head, Record
from chained_logging.keys import PrivateKey
from chained_logging.ship import destination_name, nats, open_destination
from chained_logging.ship.land import Landing
from chained_logging.ship.nats import (
    MAX_LINES,
    NatsDestination,
    encode,
    partition_of,
    token_of,
)
from chained_logging.ship.postgres import init as init_postgres
from chained_logging.ship.progress import progress_path

__all__ = ["stream"]  # a fixture

OTHER = "example.com/audit/other"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command, as an operator does."""
    return ready.run(list(map(str, arguments)))


def forged(record: Record) -> Record:
    """Return the entry with another content, and the hash of that."""
    body = record.body.replace(b'"user-1"', b'"user-2"')
    return Record(record.seq, body, leaf_hash(body))


# --- The way of an entry.


def test_every_log_reaches_the_database_through_the_stream_byte_for_byte(
    stream: Stream,
    postgres_server: PostgresServer,
    tmp_path: Path,
) -> None:
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE landed")
    database = postgres_server.url("landed")
    init_postgres(database)
    key = tmp_path / "audit.key"
    PrivateKey.generate().save(key)
    for name in ("web", "wörker", "a.b*c>d"):
        path = tmp_path / f"{name}.jsonl"
        write(path, 700, f"example.com/{name}", key=key, checkpoint_every=100)
        result = run("ship", path, "--to", stream.url)
        assert result.returncode == 0, result.stderr
        assert "0 entries" in result.stdout
    landed = run("land", stream.url, "--to", database, "--once")
    assert (landed.returncode, landed.stderr) == (0, "")
    assert "0 messages wait" in landed.stdout
    for name in ("web", "wörker", "a.b*c>d"):
        for url in (stream.url, database):
            arguments = ("--against", url, tmp_path / f"{name}.jsonl")
            checked = run("verify", *arguments)
            assert checked.returncode == 0, checked.stdout + checked.stderr
            assert "hush" not in checked.stdout + checked.stderr
    for url in (stream.url, database):
        assert run("verify", url).returncode == 0
    for url in (stream.url, database):
        back = tmp_path / f"back-{destination_name(url).partition(':')[0]}.jsonl"
        assert run("restore", url, back, "--origin", "example.com/web").returncode == 0
        original = (tmp_path / "web.jsonl").read_bytes()
        assert back.read_bytes()[: len(original)] == original
        notes = tmp_path / "web.jsonl.checkpoints"
        assert Path(f"{back}.checkpoints").read_bytes()[:100] == notes.read_bytes()[:100]


def test_entries_of_the_largest_size_and_many_at_once_fit_messages(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    chance = random.Random(7)
    with AuditLog(path, origin=ORIGIN) as log:
        for _ in range(40):
            noise = "".join(chance.choice("abcdefghijklmnopqrstuvwxyzäöü€") for _ in range(45_000))
            log.append("read", **EVENT, noise=noise)
        records = list(log.records())
    assert max(len(record.body) for record in records) > 50_000
    destination = NatsDestination(stream.url)
    destination.write(ORIGIN, records, [])  # 2 MB at once
    assert destination.head(ORIGIN) == Head(records[-1].seq, records[-1].hash)
    assert list(destination.records(ORIGIN)) == records
    assert list(destination.records(ORIGIN, 30)) == records[30:]
    assert destination.inspect(ORIGIN) == []
    destination.close()
    assert store.land(stream)
    assert store.records() == records


def test_checkpoints_alone_reach_the_destination(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    path, key = tmp_path / "audit.jsonl", tmp_path / "audit.key"
    PrivateKey.generate().save(key)
    write(path, 10)
    ship(path, stream.url)
    assert store.land(stream)
    with AuditLog(path, key=key, on_failure="raise") as log:  # the key's entry, and a checkpoint
        log.checkpoint()
    ship(path, stream.url)
    with AuditLog(path, key=key, on_failure="raise") as log:
        log.checkpoint()
        kept = [one for _, one in log.checkpoints_after(0)]
    ship(path, stream.url)
    assert store.land(stream)
    opened = store.open()
    assert {one.note for one in opened.checkpoints(ORIGIN)} == {one.note for one in kept}
    opened.close()


def test_the_stream_lands_in_s3(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    for name in ("AWS_ENDPOINT_URL_S3", *CREDENTIALS):
        monkeypatch.setenv(name, "")  # put back what bucket() sets
    with ship_crash.bucket("moto") as url:
        write(path, 300)
        ship(path, stream.url)
        for _ in range(2):
            landing = Landing(stream.url, lambda: open_destination(url))
            assert landing.land(30)
            checked = run("verify", "--against", url, path)
            assert checked.returncode == 0, checked.stdout + checked.stderr
            assert " 0 entries behind" in checked.stdout
            write(path, 50)
            ship(path, stream.url)


# --- Exactly once.


def test_two_landings_share_one_partition(
    nats_server: NatsServer,
    store: Store,
    tmp_path: Path,
) -> None:
    stream = Stream(nats_server, partitions=1)
    logs = {f"example.com/{n}": write(tmp_path / f"{n}.jsonl", 400, f"example.com/{n}")
            for n in range(4)}  # fmt: skip
    landings = [store.landing(stream) for _ in range(3)]
    threads = [threading.Thread(target=one.land, args=(30,)) for one in landings]
    destination = NatsDestination(stream.url)
    for start in range(0, 401, 10):
        for origin, records in logs.items():
            destination.write(origin, records[start : start + 10], [])
        if start == 50:
            for thread in threads:
                thread.start()
    destination.close()
    for thread in threads:
        thread.join()
    assert store.land(stream)
    for origin, records in logs.items():
        assert store.records(origin) == records
    assert store.alerts == []


# --- What is forged.


def bomb() -> bytes:
    return gzip.compress(b"\0" * (MAX_LINES * 20))


def wrong_hash(records: list[Record]) -> tuple[dict[str, str], bytes]:
    edited = records[12]._replace(body=records[12].body.replace(b'"user-1"', b'"user-2"'))
    return batch([*records[10:12], edited, *records[13:20]])


def made_anew(records: list[Record]) -> tuple[dict[str, str], bytes]:
    """Edited, with every hash and link right in itself; it does not follow what stands there."""
    made: list[Record] = []
    for record in records[5:20]:
        body = record.body.replace(b'"user-1"', b'"user-2"')
        if made:
            body = body.replace(records[record.seq - 1].hash.encode(), made[-1].hash.encode())
        made.append(Record(record.seq, body, leaf_hash(body)))
    return batch(made)


FORGERIES: dict[str, Callable[[list[Record]], tuple[dict[str, str], bytes]]] = {
    "an edited entry": wrong_hash,
    "a fork with hashes of its own": made_anew,
    "an entry left out": lambda r: batch([*r[10:14], *r[15:20]]),
    "entries in another order": lambda r: batch([*r[10:14], r[15], r[14], *r[16:20]]),
    "headers that claim more": lambda r: (
        batch(r[10:20])[0] | {"Audit-Last-Seq": "25"},
        batch(r[10:20])[1],
    ),
    "headers that claim another hash": lambda r: (
        batch(r[10:20])[0] | {"Audit-Last-Hash": "0" * 64},
        batch(r[10:20])[1],
    ),
    "no headers": lambda r: ({}, batch(r[10:20])[1]),
    "no gzip": lambda r: (batch(r[10:20])[0], b"hello"),
    "nothing": lambda r: (batch(r[10:20])[0], b""),
    "a cut payload": lambda r: (batch(r[10:20])[0], batch(r[10:20])[1][:-9]),
    "a gzip bomb": lambda r: (batch(r[10:20])[0], bomb()),
    "lines that are no entries": lambda r: (batch(r[10:11])[0], gzip.compress(b"{}\n")),
    "a checkpoint that is none": lambda r: (
        encode(10, Head(9, r[9].hash), [], [])[0],
        gzip.compress(b'{"note": 1}\n'),
    ),
    "deep JSON for a checkpoint": lambda r: (
        encode(10, Head(9, r[9].hash), [], [])[0],
        gzip.compress(b"[" * 100_000 + b"\n"),
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_is_forged_is_not_landed_but_kept_and_told(
    forgery: str, stream: Stream, store: Store, tmp_path: Path
) -> None:
    records, other = write(tmp_path / "a.jsonl", 29), write(tmp_path / "b.jsonl", 5, OTHER)
    subject = stream.subject(ORIGIN)
    headers, data = FORGERIES[forgery](records)
    stream.publish(subject, *batch(records[:10]))
    stream.publish(subject, headers, data)
    stream.publish(subject, *batch(records[10:20]))
    stream.publish(stream.subject(OTHER), *batch(other))
    assert store.land(stream)
    assert store.records() == records[:10]
    assert store.records(OTHER) == other, "another log must go on"
    (alert,) = store.alerts
    assert ORIGIN in alert
    assert list(store.stopped(stream)) == [ORIGIN]
    (dead,) = stream.dead()
    assert (dead.data or b"") == data
    assert dead.headers["Audit-Subject"] == subject

    # The log stays stopped, in each landing, whatever comes; nothing is lost meanwhile.
    stream.publish(subject, *batch(records[20:]))
    assert store.land(stream)
    assert store.records() == records[:10]
    assert len(stream.dead()) == 1
    destination = NatsDestination(stream.url)
    assert "message 2 is not a batch" in destination.inspect(ORIGIN)[0].reason
    destination.close()
    assert store.resume(stream) == 20
    assert store.records() == records
    assert store.stopped(stream) == {}


def test_a_message_under_a_name_that_no_log_has_is_kept_and_told(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    records = write(tmp_path / "a.jsonl", 9)
    right = partition_of(ORIGIN, 4)
    stream.publish(f"{stream.name}.{(right + 1) % 4}.{token_of(ORIGIN)}", *batch(records))
    stream.publish(f"{stream.name}.0.%ZZ\x1b[2J", *batch(records))
    stream.publish(f"{stream.name}.0.=1B[2J", *batch(records))
    stream.publish(stream.subject(OTHER), *batch(records))  # the log of another origin
    assert store.land(stream)
    assert store.records(ORIGIN) == store.records(OTHER) == []
    reasons = " ".join(store.alerts)
    assert "partition of another log" in reasons
    assert "does not name a log" in reasons
    assert "\x1b" not in reasons, "a name must not speak to a terminal"
    assert "opens a log of another origin" in reasons
    assert len(stream.dead()) == 4


def test_a_shipper_goes_on_after_a_message_that_is_none(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 9)
    ship(path, stream.url)
    stream.publish(stream.subject(ORIGIN), {}, b"garbage")
    records = write(path, 10)
    progress = ship(path, stream.url)
    assert (progress.problem, progress.seq) == (None, 19)
    store.land(stream)
    assert store.records() == records[:10]
    store.resume(stream)
    assert store.records() == records


def test_a_shipper_refuses_to_follow_another_history(stream: Stream, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    records = write(path, 19)
    stream.publish(stream.subject(ORIGIN), *batch(records[:10]))
    stream.publish(stream.subject(ORIGIN), *made_anew(records))
    progress = ship(path, stream.url)
    assert progress.alert
    assert "another entry" in (progress.problem or "")


def test_a_log_that_the_destination_refuses_is_stopped_alone(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    with AuditLog(tmp_path / "a.jsonl", origin=ORIGIN) as log:
        log.append("read", **EVENT, note="REFUSE-ME")
        records = list(log.records())
    other = write(tmp_path / "b.jsonl", 5, OTHER)
    destination = NatsDestination(stream.url)
    destination.write(OTHER, other, [])
    assert store.landing(stream).land(10)
    landing = store.landing(stream)
    destination.write(OTHER, write(tmp_path / "b.jsonl", 5, OTHER)[6:], [])
    destination.write(ORIGIN, records, [])
    destination.close()
    landing._wrote = True
    assert landing.land(10)
    assert len(store.records(OTHER)) == 11
    assert store.records() == []
    assert "constraint" in store.stopped(stream)[ORIGIN]


# --- What is missing.


def test_a_gap_stops_the_log_until_it_is_filled(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    records = write(tmp_path / "a.jsonl", 29)
    subject = stream.subject(ORIGIN)
    stream.publish(subject, *batch(records[:10]))
    stream.publish(subject, *batch(records[20:30]))
    assert store.land(stream)
    assert store.records() == records[:10]
    (alert,) = store.alerts
    assert "entries 10 to 19 are not in the stream" in alert
    faults = NatsDestination(stream.url)
    assert "entries 10 to 19 are in no message" in faults.inspect(ORIGIN)[0].reason
    faults.close()
    with pytest.raises(ShipError, match="10 to 19 are still missing"):
        store.resume(stream)
    direct = store.open()  # shipped past the stream
    direct.write(ORIGIN, records[10:25], [])
    direct.close()
    store.resume(stream)
    assert store.records() == records


def test_what_was_acknowledged_without_being_landed_is_found_again(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    records = write(tmp_path / "a.jsonl", 29)
    subject = stream.subject(ORIGIN)
    stream.publish(subject, *batch(records[:10]))
    assert store.land(stream)
    stream.publish(subject, *batch(records[10:20]))

    async def swallow(js: Any) -> None:
        (consumer, *_) = [
            info.name
            for info in await js.consumers_info(stream.name)
            if info.config.filter_subject == f"{subject.rpartition('.')[0]}.*"
        ]
        pull = await js.pull_subscribe_bind(consumer=consumer, stream=stream.name)
        (message,) = await pull.fetch(1)
        await message.ack_sync()

    stream.do(swallow)
    stream.publish(subject, *batch(records[20:]))
    assert store.land(stream)
    assert store.records() == records
    assert store.alerts == []


def test_a_server_set_back_to_an_old_copy_gets_everything_again(
    store: Store, tmp_path: Path
) -> None:
    path, old = tmp_path / "audit.jsonl", tmp_path / "old"
    with running_nats() as server:
        stream = Stream(server)
        write(path, 10)
        ship(path, stream.url)
        store.land(stream)
        server.kill()
        shutil.copytree(server.folder / "store", old)
        server.start()
        write(path, 10)
        ship(path, stream.url)
        store.land(stream)
        server.kill()
        shutil.rmtree(server.folder / "store")
        shutil.copytree(old, server.folder / "store")
        server.start()
        records = write(path, 10)
        shipped = run("ship", path, "--to", stream.url)
        assert "held 21 entries and now holds 11" in shipped.stderr
        assert store.land(stream)
        assert store.records() == records
        assert store.alerts == []


def test_a_landing_that_is_far_behind_tells_before_messages_expire(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    records = write(tmp_path / "a.jsonl", 29)
    stream.change(max_age=4.0, duplicate_window=1.0)
    stream.publish(stream.subject(ORIGIN), *batch(records[:10]))
    landing = store.landing(stream, partitions=[p for p in range(4) if p != 99])
    landing.status()  # its consumers exist from here on
    landing.close()
    time.sleep(2.2)
    landing._open()
    landing._look_at_age()
    landing.close()
    (alert,) = store.alerts
    assert "half of the time" in alert


# --- Limits.


def test_a_full_stream_keeps_the_shipper_waiting_and_loses_nothing(
    nats_server: NatsServer,
    store: Store,
    tmp_path: Path,
) -> None:
    stream = Stream(nats_server, max_bytes=20_000)
    path = tmp_path / "audit.jsonl"
    write(path, 50)
    assert ship(path, stream.url).problem is None
    for _ in range(6):  # it fills
        records = write(path, 50)
        progress = ship(path, stream.url, patience=0.5)
    assert "maximum bytes exceeded" in (progress.problem or "")
    assert not progress.alert, "it is an outage and no attack"
    assert store.land(stream)
    assert store.records() == records[: progress.seq + 1], "what was acknowledged is there"
    stream.change(max_bytes=10_000_000)
    assert ship(path, stream.url).problem is None
    assert store.land(stream)
    assert store.records() == records


def test_a_server_without_room_keeps_the_shipper_waiting(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    limit = f'jetstream {{ store_dir: "{tmp_path}/store.d", max_file_store: 30000 }}'
    with running_nats(limit) as server:
        stream = Stream(server)
        for _ in range(30):
            records = write(path, 50)
            progress = ship(path, stream.url, patience=0.5)
            if progress.seq + 1 < len(records):
                break
        assert "insufficient" in (progress.problem or "")
        assert not progress.alert
        assert store.land(stream)
        assert store.records() == records[: progress.seq + 1]
        assert 0 < progress.seq + 1 < len(records)


# --- How it is set up.


def test_without_init_a_shipper_is_told_what_to_do(
    nats_server: NatsServer,
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.jsonl", 3)
    url = nats_server.url("NOTHING")
    shipped = run("ship", tmp_path / "a.jsonl", "--to", url)
    assert shipped.returncode == 1
    assert "run init" in shipped.stdout
    landed = run("land", url, "--to", "postgresql://localhost/none", "--once")
    assert (landed.returncode, "run init" in landed.stderr) == (2, True)


def test_the_commands_say_what_waits_and_what_is_stopped(
    stream: Stream,
    postgres_server: PostgresServer,
    tmp_path: Path,
) -> None:
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE stopped")
    database = postgres_server.url("stopped")
    init_postgres(database)
    made = run("init", f"{stream.url}x", "--partitions", "2", "--retention", "30d")
    assert made.returncode == 0, made.stderr
    assert "2 partitions" in made.stdout
    assert "30 days" in made.stdout
    records = write(tmp_path / "a.jsonl", 19)
    stream.publish(stream.subject(ORIGIN), *batch(records[:10]))
    land = ("land", stream.url, "--to", database)
    status = json.loads(run(*land, "--status", "--json").stdout)
    assert status["messages_waiting"] == 1
    assert status["kept_seconds"] == 14 * 86_400
    stream.publish(stream.subject(ORIGIN), {}, b"forged")
    stream.publish(stream.subject(ORIGIN), *batch(records[10:]))
    once = run(*land, "--once", "--partitions", "0-2,3")
    assert once.returncode == 1
    assert f"ALERT: {ORIGIN} is stopped" in once.stdout
    assert "is stopped" in once.stderr
    assert PASSWORD not in once.stdout + once.stderr
    resumed = run(*land, "--resume", ORIGIN)
    assert resumed.returncode == 0, resumed.stderr
    assert run("verify", "--against", database, tmp_path / "a.jsonl").returncode == 0
    assert run(*land, "--resume", ORIGIN).returncode == 2
    assert run(*land, "--once", "--partitions", "x").returncode == 2


def test_land_runs_until_it_is_told_to_end(
    stream: Stream,
    postgres_server: PostgresServer,
    tmp_path: Path,
) -> None:
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE running")
    database = postgres_server.url("running")
    init_postgres(database)
    command = [sys.executable, "-m", "chained_logging", "land", stream.url, "--to", database]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        write(tmp_path / "a.jsonl", 9)
        ship(tmp_path / "a.jsonl", stream.url)
        deadline = time.monotonic() + 15
        against = ("verify", "--against", database, tmp_path / "a.jsonl")
        while " 0 entries behind" not in (checked := run(*against)).stdout:
            assert time.monotonic() < deadline, checked.stdout + checked.stderr
            time.sleep(0.2)
        process.terminate()
        output, _ = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "0 messages wait" in output


# --- Who may connect, and what is shown.


def test_a_host_and_a_landing_do_with_the_permissions_in_the_docs(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats.connection, "_TIMEOUT", 3.0)  # what is not permitted gets no answer
    docs = (ROOT / "docs" / "stream.md").read_text()
    host, landing = re.findall(r"^\{ user: .*?\} \}$", docs, re.MULTILINE | re.DOTALL)
    host = host.replace("AUDIT.0.", f"AUDIT.{partition_of('example.com/web', 2)}.")
    config = 'authorization { users: [ { user: admin, password: "…" }, ' + f"{host}, {landing} ] }}"
    path, login = tmp_path / "audit.jsonl", "web:%E2%80%A6"
    write(path, 9, "example.com/web")
    with running_nats(config) as server:
        admin = server.url("AUDIT", login.replace("web", "admin"))
        nats.init(admin, partitions=2)
        confined = server.url("AUDIT", login)
        progress = ship(path, confined)
        assert (progress.problem, progress.seq) == (None, 9)
        records = write(path, 3, "example.com/web")
        assert ship(path, confined).seq == 12

        other = NatsDestination(confined)
        other._ends[OTHER] = (0, EMPTY)
        with pytest.raises(DestinationError, match=r"(?i)permissions violation"):
            other.write(OTHER, records, [])
        other.close()
        forger = NatsDestination(admin)
        assert forger.origins() == ["example.com/web"]
        forger._ends[OTHER] = (0, EMPTY)
        forger.write(OTHER, records, [])  # the log of another origin
        forger.close()

        source = server.url("AUDIT", login.replace("web", "landing"))
        mine = Landing(source, store.open, patience=1, on_alert=store.alerts.append)
        assert mine.land(20)
        assert store.records("example.com/web") == records
        assert list(mine.stopped()) == [OTHER]
        mine.resume(OTHER)
        assert mine.status()["stopped"] == {}
        mine.close()
        assert "opens a log of another origin" in store.alerts[0]


def test_a_credentials_file_opens_the_stream_and_another_one_does_not(tmp_path: Path) -> None:
    operator, account, user, stranger, system = (Identity(kind) for kind in "OAUAA")
    unlimited = dict.fromkeys(
        ("subs", "data", "payload", "imports", "exports", "conn", "leaf", "mem_storage",
         "disk_storage", "streams", "consumer"), -1,
    )  # fmt: skip
    owner, internal = (
        operator.sign(one.public, {"limits": limits, "type": "account", "version": 2})
        for one, limits in ((account, unlimited), (system, {"subs": -1, "conn": -1, "data": -1}))
    )
    anyone = {"pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user",
              "version": 2}  # fmt: skip
    config = (
        f"operator: {operator.sign(operator.public, {'type': 'operator', 'version': 2})}\n"
        f"resolver: MEMORY\nsystem_account: {system.public}\n"
        f"resolver_preload: {{ {account.public}: {owner}, {system.public}: {internal} }}"
    )
    with running_nats(config) as server:
        for signer, name in ((account, "good"), (stranger, "bad")):
            (tmp_path / name).write_text(
                "-----BEGIN NATS USER JWT-----\n"
                f"{signer.sign(user.public, anyone)}\n"
                "------END NATS USER JWT------\n\n"
                "-----BEGIN USER NKEY SEED-----\n"
                f"{user.seed}\n"
                "------END USER NKEY SEED------\n"
            )
        assert nats.init(server.url("AUDIT") + f"?credentials={tmp_path}/good")
        with pytest.raises(DestinationError, match=r"(?i)authorization") as error:
            nats.init(server.url("AUDIT") + f"?credentials={tmp_path}/bad")
        assert user.seed not in repr(error.value)
        assert "credentials" not in destination_name(
            server.url("AUDIT") + f"?credentials={tmp_path}/good"
        )


class Identity:
    """A key of NATS, of an operator, an account or a user, that signs JWTs (nats-io/jwt, 2)."""

    _PREFIXES: ClassVar = {"O": 14 << 3, "A": 0, "U": 20 << 3}

    def __init__(self, kind: str) -> None:
        self._key = Ed25519PrivateKey.generate()
        prefix = self._PREFIXES[kind]
        seed = self._key.private_bytes_raw()
        first = bytes([(18 << 3) | (prefix >> 5), (prefix & 31) << 3])
        self.seed = self._encode(first + seed)
        self.public = self._encode(bytes([prefix]) + self._key.public_key().public_bytes_raw())

    @staticmethod
    def _encode(data: bytes) -> str:
        checksum = binascii.crc_hqx(data, 0).to_bytes(2, "little")
        return base64.b32encode(data + checksum).decode().rstrip("=")

    def sign(self, subject: str, claims: dict[str, Any]) -> str:
        def part(value: Any) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        body = {"jti": "x", "iat": int(time.time()), "iss": self.public, "sub": subject,
                "name": "x", "nats": claims}  # fmt: skip
        text = f"{part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{part(body)}"
        signature = base64.urlsafe_b64encode(self._key.sign(text.encode())).decode().rstrip("=")
        return f"{text}.{signature}"


def test_a_secret_of_the_url_is_shown_nowhere(tmp_path: Path) -> None:
    port = free_port()
    path = tmp_path / "audit.jsonl"
    write(path, 3)
    for login in ("app:hush-hush", ":hush-hush"):
        url = f"nats://{login}@127.0.0.1:{port}/AUDIT"
        assert "hush" not in destination_name(url)
        shown = run("ship", path, "--to", url, "--patience", "0.2")
        assert shown.returncode == 2
        assert "hush" not in shown.stdout + shown.stderr
        progress = progress_path(path, destination_name(url))
        assert not progress.exists() or "hush" not in progress.read_text()
    for url, why in (
        ("nats://hush-hush@host/AUDIT", "log in"),
        ("nats://host/", "STREAM"),
        ("nats://host/A.B", "STREAM"),
        ("nats://host/AUDIT?ca=x", "begin the URL with tls"),
        ("nats://host/AUDIT?password=hush-hush", "may have"),
        ("nats:///AUDIT", "log in"),
    ):
        with pytest.raises(ValueError, match=why) as error:
            NatsDestination(url)
        assert "hush" not in str(error.value)
