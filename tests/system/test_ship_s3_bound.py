"""Four hosts that ship to one bucket while a fifth attacks them.

Bound to its own prefix, as ``docs/s3.md`` says, on radosgw, which enforces a bucket's policy: the
statement is the one in the documentation. Or not bound, so that it may put anything anywhere.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from chains import EVENT
from folders import ROOT
from s3_logs import Log, forged, lines, locked, opened, prepared
from servers_s3 import Bucket, Radosgw

from chained_logging import AuditLog
from chained_logging.keys import public_pem
from chained_logging.review.restore import restore
from chained_logging.review.stores import CentralStores
from chained_logging.ship.s3 import S3Destination
from chained_logging.ship.s3.names import encode_origin
from chained_logging.ship.s3.policy import Policy
from chained_logging.ship.shipper import Shipper
from chained_logging.sinks import open_sink
from chained_logging.verify import main

HOSTS = ("one", "two", "three", "four")
DOCUMENTED = re.compile(r'^\{"Effect": "Allow".*?\}$', re.MULTILINE | re.DOTALL)


def origin(host: str) -> str:
    return f"example.com/audit/{host}"


def statement(bucket: Bucket, host: str) -> dict[str, Any]:
    """Return the statement of the documentation, for a host."""
    docs = (ROOT / "docs" / "s3.md").read_text()
    (text,) = DOCUMENTED.findall(docs)
    text = text.replace("acme-audit/prod", f"{bucket.name}/logs")
    text = text.replace("example.com_2Faudit_2Fweb", encode_origin(origin(host)))
    return {**json.loads(text), "Principal": {"AWS": [f"arn:aws:iam:::user/{host}"]}}


@pytest.fixture
def bound(radosgw: Bucket) -> Bucket:
    """A bucket that is prepared, in which each host may put its own log alone."""
    server = radosgw.server
    assert isinstance(server, Radosgw)
    everybody = [*HOSTS, "mallory"]
    for host in everybody:
        user = ("--uid", host, "--display-name", host, "--access-key", host, "--secret-key", host)
        server.run("radosgw-admin", "-c", "ceph.conf", "-n", "client.rgw", "user", "create", *user)
    prepared(radosgw)
    reading = {
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam:::user/{host}" for host in ["t", *everybody]]},
        "Action": [
            "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention",
            "s3:ListBucketVersions", "s3:ListBucket",
        ],
        "Resource": [f"arn:aws:s3:::{radosgw.name}", f"arn:aws:s3:::{radosgw.name}/*"],
    }  # fmt: skip
    statements = [reading, *(statement(radosgw, host) for host in everybody)]
    policy = {"Version": "2012-10-17", "Statement": statements}
    radosgw.client.put_bucket_policy(Bucket=radosgw.name, Policy=json.dumps(policy))
    return radosgw


@contextlib.contextmanager
def client_of(bucket: Bucket, host: str) -> Iterator[Any]:
    keys = {"aws_access_key_id": host, "aws_secret_access_key": host}
    session = boto3.session.Session(**keys)
    client = session.client("s3", endpoint_url=bucket.server.endpoint)
    try:
        yield client
    finally:
        client.close()


def test_four_hosts_ship_while_a_fifth_attacks_them(bound: Bucket, tmp_path: Path) -> None:
    logs = {host: Log(tmp_path / f"{host}.jsonl", 60, origin(host)) for host in HOSTS}
    waits: list[float] = []

    def ship(host: str) -> None:
        with client_of(bound, host) as client:
            store = S3Destination(bound.url, signer=logs[host].key)
            store._made = client
            for end in range(10, 61, 10):
                began = time.monotonic()
                logs[host].ship(store, 10, end)
                waits.append(time.monotonic() - began)
            store.close()

    threads = [threading.Thread(target=ship, args=(host,)) for host in HOSTS]
    for thread in threads:
        thread.start()
    victim = logs["one"]
    base = f"logs/{encode_origin(victim.origin)}/"
    forged = gzip.compress(lines(victim.records[:10]))
    attacks = {
        f"{base}segments/{60:020d}-{69:020d}.jsonl.gz": forged,
        f"{base}checkpoints/{3:020d}.json": b"{}\n",
        f"{base}digests/{0:020d}.digest": b"{}\n",
        "logs/policy.json": Policy(18_000, "COMPLIANCE").format(),
    }
    with client_of(bound, "mallory") as mallory:
        for key, data in attacks.items():
            for more in (locked(), {}):
                with pytest.raises(ClientError, match="AccessDenied"):
                    mallory.put_object(Bucket=bound.name, Key=key, Body=data, **more)
        with pytest.raises(ClientError, match="AccessDenied"):
            mallory.delete_object(Bucket=bound.name, Key="logs/policy.json")
        own = f"logs/{encode_origin(origin('mallory'))}/segments/{0:020d}-{9:020d}.jsonl.gz"
        mallory.put_object(Bucket=bound.name, Key=own, Body=b"junk", **locked())
    for thread in threads:
        thread.join(90)
    assert len(waits) == 24
    assert max(waits) < 30
    with opened(bound) as reader:
        for log in logs.values():
            assert list(reader.records(log.origin)) == log.records
            assert reader.inspect(log.origin) == []


def test_four_hosts_ship_while_a_fifth_may_put_anything(moto: Bucket, tmp_path: Path) -> None:
    prepared(moto)
    logs = {host: Log(tmp_path / f"{host}.jsonl", 60, origin(host)) for host in HOSTS}
    first = threading.Barrier(len(HOSTS) + 1)
    problems: list[str | None] = []
    waits: list[float] = []

    def ship(host: str) -> None:
        with AuditLog(logs[host].path, key=logs[host].key, on_failure="raise") as log:
            for turn in range(2):
                began = time.monotonic()
                (progress,) = Shipper(log, [moto.url], signer=logs[host].key).ship(60)
                problems.append(progress.problem)
                waits.append(time.monotonic() - began)
                log.append(action="read", **EVENT)
                log.checkpoint()
                if turn == 0:
                    first.wait(60)

    threads = [threading.Thread(target=ship, args=(host,)) for host in HOSTS]
    for thread in threads:
        thread.start()
    first.wait(60)
    moto.put("logs/policy.json", Policy(18_000, "COMPLIANCE").format(), **locked())
    for log in logs.values():
        base = f"logs/{encode_origin(log.origin)}/"
        for number in (1, 2):
            tail = forged(log.records[-1], number)
            name = f"{base}segments/{tail[0].seq:020d}-{tail[-1].seq:020d}.jsonl.gz"
            moto.put(name, gzip.compress(lines(tail)), **locked())
            moto.put(f"{base}checkpoints/{60 + number:020d}.json", b"{}\n", **locked())
            moto.put(f"{base}digests/{number:020d}.digest", b"{}\n")
        moto.put(moto.versions(f"{base}segments/")[0]["Key"], b"junk")
    for thread in threads:
        thread.join(60)
    assert problems == [None] * 8
    assert max(waits) < 60
    for host, log in logs.items():
        pem = tmp_path / f"{host}.pub"
        pem.write_text(public_pem(log.key.public_key))
        given = [moto.url, "--origin", log.origin, "--public-key", str(pem)]
        assert main(given, CentralStores()) == 0
    with opened(moto) as store:
        done = restore(store, log.origin, tmp_path / "last.db", public_key=str(pem))
    assert (done.entries, done.set_aside, done.problems) == (61, 0, [])
    assert done.foreign > 0
    ours = list(open_sink(log.path).records())
    assert list(open_sink(tmp_path / "last.db").records())[:61] == ours[:61]
