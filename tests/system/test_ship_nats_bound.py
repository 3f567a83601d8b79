"""Four hosts and a landing with the permissions in the documentation, and a fifth that attacks."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from pathlib import Path
from typing import Any

import nats as nats_py
import pytest
from folders import ROOT
from nats_logs import Store, batch, ship, write
from servers_nats import running_nats

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey, public_pem
from chained_logging.review.restore import restore
from chained_logging.review.stores import CentralStores
from chained_logging.ship import nats
from chained_logging.ship.land import Landing
from chained_logging.ship.nats import NatsDestination, partition_of, token_of
from chained_logging.ship.shipper import Shipper
from chained_logging.verify import main

HOSTS = ("one", "two", "three", "four")
PARTITIONS = 2
DOCS = (ROOT / "docs" / "stream.md").read_text()


def origin(host: str) -> str:
    return f"example.com/{host}"


def subject(host: str) -> str:
    name = origin(host)
    return f"AUDIT.{partition_of(name, PARTITIONS)}.{token_of(name)}"


def configuration() -> str:
    """Return the users of the documentation: a host each, a landing, and an administrator."""
    host, landing = re.findall(r"^\{ user: .*?\} \}$", DOCS, re.MULTILINE | re.DOTALL)
    users = ['{ user: admin, password: "…" }', landing]
    for name in (*HOSTS, "mallory"):
        own = host.replace("AUDIT.0.example=2Ecom/web", subject(name))
        own = own.replace("example=2Ecom/web", token_of(origin(name)))
        users.append(own.replace("user: web", f"user: {name}"))
    return f"authorization {{ users: [ {', '.join(users)} ] }}"


async def attack(url: str, records: list[Any]) -> None:
    """Publish to another's log: directly, and as the answer to a message of one's own."""
    refused: list[str] = []

    async def heard(error: Exception) -> None:
        refused.append(str(error).lower())

    client = await nats_py.connect(url, error_cb=heard)
    last = f"$JS.API.DIRECT.GET.AUDIT.{subject('mallory')}"
    try:
        await client.publish(last, b"", reply=subject("three"))  # that there is nothing
        headers, data = batch(records)
        await client.publish(subject("one"), data, headers=headers)
        await client.publish("AUDIT-dead.x.y.1", b"junk")
        await client.publish("$KV.AUDIT-stopped.x", b"{}")
        await client.publish("$JS.API.STREAM.PURGE.AUDIT", b"", reply="_INBOX.x")
        await client.publish(subject("mallory"), data, headers=headers)
        await client.publish(last, b"", reply=subject("two"))  # a whole batch, as the answer
        for victim in ("one", "two", "four"):
            await client.publish(subject("mallory"), b"junk", reply=subject(victim))
        await client.flush()
        await asyncio.sleep(1)
    finally:
        await client.close()
    assert sum("permissions violation" in error for error in refused) == 4


def test_four_hosts_are_landed_while_a_fifth_attacks_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(nats.connection, "_TIMEOUT", 3.0)  # what is not permitted gets no answer
    store = Store(tmp_path / "store")
    with running_nats(configuration()) as server:
        nats.init(server.url("AUDIT", "admin:%E2%80%A6"), partitions=PARTITIONS)
        keys = {name: PrivateKey.generate() for name in HOSTS}
        records = {
            name: write(tmp_path / f"{name}.jsonl", 20, origin(name), key=keys[name])
            for name in HOSTS
        }
        for name in HOSTS:
            place = ship(tmp_path / f"{name}.jsonl", server.url("AUDIT", f"{name}:%E2%80%A6"))
            assert place.problem is None
        asyncio.run(attack(server.url("", "mallory:…").rstrip("/"), records["one"]))
        for name in HOSTS:
            records[name] = write(tmp_path / f"{name}.jsonl", 20, origin(name), key=keys[name])
            place = ship(tmp_path / f"{name}.jsonl", server.url("AUDIT", f"{name}:%E2%80%A6"))
            assert (place.problem, place.seq) == (None, 40)
        source = server.url("AUDIT", "landing:%E2%80%A6")
        landings = [
            Landing(source, store.open, patience=1, on_alert=store.alerts.append) for _ in range(2)
        ]
        began = time.monotonic()
        threads = [threading.Thread(target=landing.land, args=(30,)) for landing in landings]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for name in HOSTS:
            assert store.records(origin(name)) == records[name]
            pem = tmp_path / f"{name}.pub"
            pem.write_text(public_pem(keys[name].public_key))
            given = [
                server.url("AUDIT", "admin:%E2%80%A6"),
                "--origin",
                origin(name),
                "--public-key",
                str(pem),
            ]
            assert main(given, CentralStores()) == 0
            count = 1 + (name == "two")
            assert f"{count} objects or checkpoints in the store are" in capsys.readouterr().out
            with contextlib.closing(NatsDestination(given[0])) as stream:
                target = tmp_path / f"{name}.new.db"
                done = restore(stream, origin(name), target, public_key=str(pem))
            assert (done.entries, done.problems, done.foreign) == (len(records[name]), [], count)
        assert time.monotonic() - began < 40
        with contextlib.closing(landings[0]) as landing:
            assert list(landing.stopped()) == [origin("mallory")]


def test_a_whole_batch_sent_as_an_answer_stops_no_shipper(tmp_path: Path) -> None:
    store, key, path = Store(tmp_path / "store"), PrivateKey.generate(), tmp_path / "two.jsonl"
    other = write(tmp_path / "one.jsonl", 40, origin("one"))

    async def inject(url: str, some: list[Any]) -> None:
        client = await nats_py.connect(url)
        headers, data = batch(some)
        await client.publish(subject("mallory"), data, headers=headers)
        last = f"$JS.API.DIRECT.GET.AUDIT.{subject('mallory')}"
        await client.publish(last, b"", reply=subject("two"))
        await client.flush()
        await asyncio.sleep(0.5)
        await client.close()

    with running_nats(configuration()) as server:
        nats.init(server.url("AUDIT", "admin:%E2%80%A6"), partitions=PARTITIONS)
        url = server.url("AUDIT", "two:%E2%80%A6")
        for some in (other[5:8], other[2:36], []):  # behind the log's end, and before it
            records = write(path, 10, origin("two"), key=key)
            with AuditLog(path, sign="follow") as log:
                (place,) = Shipper(log, [url]).ship(10)
            assert place.problem is None
            assert place.seq == records[-1].seq
            if some:
                asyncio.run(inject(server.url("", "mallory:…").rstrip("/"), some))
        source = server.url("AUDIT", "landing:%E2%80%A6")
        with contextlib.closing(Landing(source, store.open, patience=1)) as landing:
            landing.land(30)
        assert store.records(origin("two")) == records
