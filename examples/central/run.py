"""The whole way on one machine: an application, its log, PostgreSQL and S3, an auditor, a loss.

    pip install '.[postgres,s3,sign,structlog]' pgserver 'moto[server]'
    python examples/central/run.py

It starts a real PostgreSQL and an S3 server with Object Lock in a temporary folder, and stops them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import pgserver
import psycopg
import structlog

from chained_logging import AuditLog, AuditProcessor


def step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def run(*arguments: object, expect: int = 0) -> None:
    """Run a command as an operator would, and show it."""
    print("$ chained-logging", *arguments, flush=True)
    command = [sys.executable, "-m", "chained_logging", *map(str, arguments)]
    status = subprocess.run(command, check=False).returncode
    if status != expect:
        sys.exit(f"exit {status}, not {expect}")


def main(folder: Path) -> None:
    database = pgserver.get_server(folder / "postgres", cleanup_mode="delete").get_uri()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(folder / "s3.log", "wb") as output:
        storage = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=output, stderr=output
        )
    try:
        os.environ.update(
            AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{port}",
            AWS_ACCESS_KEY_ID="example",
            AWS_SECRET_ACCESS_KEY="example",
            AWS_DEFAULT_REGION="us-east-1",
        )
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        bucket = boto3.client("s3")
        bucket.create_bucket(Bucket="central", ObjectLockEnabledForBucket=True)
        walk(folder, database, "s3://central/audit")
    finally:
        storage.terminate()
        storage.wait()


def walk(folder: Path, database: str, bucket: str) -> None:
    log, key, public = folder / "audit.db", folder / "audit.key", folder / "audit.vkey"

    step("An administrator prepares central storage, once")
    run("init", database)
    run("init", bucket, "--retention", "hipaa")

    step("An application logs, and a thread of it ships to both")
    run("keygen", key, "--origin", "example.com/audit/web")
    with AuditLog(log, origin="example.com/audit/web", key=key, ship=[database, bucket]) as audit:
        structlog.configure(processors=[AuditProcessor(audit), structlog.processors.JSONRenderer()])
        logger = structlog.get_logger()
        for number in range(3):
            logger.info(
                "read",
                audit=True,
                actor="user-123",
                ip="10.0.0.1",
                resource=f"patient_record/{number}",
            )
        public.write_text(str(next(audit.entries()).context["public_key"]))

    step("An auditor checks each of the three")
    run("verify", log, "--public-key", public, "--against", database)
    run("verify", database, "--public-key", public)
    run("verify", bucket, "--public-key", public)

    step("A database administrator changes an entry, with all triggers switched off")
    with psycopg.connect(database, autocommit=True) as admin:
        for (name,) in admin.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND relnamespace = 'chained_logging'::regnamespace"
        ).fetchall():
            admin.execute(f"ALTER TABLE {name} DISABLE TRIGGER ALL")
        admin.execute(
            "UPDATE chained_logging.entries SET body = replace(body, 'user-123', 'user-456')"
            " WHERE seq = 2"
        )
    run("verify", database, expect=1)
    run("verify", log, "--against", database, expect=1)

    step("The host is lost, and its log is rebuilt from S3; it goes on with the same chain")
    for name in folder.glob("audit.db*"):
        name.unlink()
    run("restore", bucket, log)
    with AuditLog(log, key=key) as audit:
        audit.append("write", actor="user-123", ip="10.0.0.1", resource="patient_record/4")
    run("verify", log, "--public-key", public)
    run("ship", log, "--to", bucket)
    run("query", log)


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp(prefix="central-"))
    try:
        main(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
