"""The servers that the pages of the documentation speak of, as their readers have them.

The database is ``audit`` on ``db.example``, the bucket ``acme-audit``, the stream's server
``nats.example``, with TLS and the users of NATS that ``docs/stream.md`` shows.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator

import boto3
import oracles
import psycopg
import pytest
from folders import ROOT
from servers_nats import NatsServer, running_nats
from servers_postgres import PASSWORD, PostgresServer, running_server
from servers_s3 import CREDENTIALS, Server

STREAM = ROOT / "docs" / "stream.md"
BUCKET = "acme-audit"


@pytest.fixture
def documented_postgres() -> Iterator[PostgresServer]:
    """An empty database ``audit``, a superuser ``dba``, and the passwords in a file.

    The file holds the password ``change-me`` for the roles that a page makes.
    """
    with running_server() as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE dba LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
            connection.execute("CREATE DATABASE audit OWNER dba")
        passwords = server.folder / "pgpass"
        passwords.touch(mode=0o600)
        passwords.write_text(f"db.example:*:*:dba:{PASSWORD}\ndb.example:*:*:*:change-me\n")
        yield server


@pytest.fixture
def documented_s3(moto_server: Server) -> dict[str, str]:
    """A bucket with Object Lock, and the environment that leads to it.

    Pages share it, so each uses a prefix of its own.
    """
    client = boto3.client(
        "s3",
        endpoint_url=moto_server.endpoint,
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    with contextlib.closing(client):
        client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    return CREDENTIALS | {
        "AWS_ENDPOINT_URL_S3": moto_server.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def documented_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server with TLS, an administrator, and the users that the page shows."""
    certificate = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [oracles.openssl(), "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2",
         "-subj", "/CN=nats.example", "-addext", "subjectAltName=DNS:nats.example",
         "-keyout", certificate / "key.pem", "-out", certificate / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    users = re.findall(r"^\{ user: .*?\} \}$", STREAM.read_text(), re.MULTILINE | re.DOTALL)
    config = (
        f'tls {{ cert_file: "{certificate}/cert.pem", key_file: "{certificate}/key.pem" }}\n'
        f'authorization {{ users: [ {{ user: admin, password: "…" }}, {", ".join(users)} ] }}'
    )
    with running_nats(config) as server:
        server.certificate = certificate / "cert.pem"
        yield server
