"""Replays real AWS CloudTrail events (JSON Lines, gzip) through ordinary log calls.

python examples/cloudtrail.py [FILE]
"""

import gzip
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import structlog

from chained_logging import AuditLog, AuditProcessor, verify

DEFAULT = Path(__file__).parent / "data" / "cloudtrail.jsonl.gz"
DENIED = ("AccessDenied", "UnauthorizedOperation", "Client.UnauthorizedOperation")


def replay(source: Path, path: Path) -> int:
    """Log each event, and return how many there were."""
    with AuditLog(path) as log, gzip.open(source, "rt") as lines, open(os.devnull, "w") as null:
        structlog.configure(
            processors=[AuditProcessor(log), structlog.processors.JSONRenderer()],
            logger_factory=lambda *_: structlog.PrintLogger(null),
        )
        logger: Any = structlog.get_logger()
        count = 0
        for line in lines:
            count += 1
            event = json.loads(line)
            who, error = event["userIdentity"], event.get("errorCode")
            logger.info(
                event["eventName"],
                audit=True,
                timestamp=event["eventTime"],
                actor=who.get("arn") or who.get("invokedBy"),
                actor_type="service" if who.get("type") == "AWSService" else "user",
                resource=(event["eventSource"], event["eventID"]),
                ip=event["sourceIPAddress"],
                user_agent=event.get("userAgent"),
                result="denied" if error in DENIED else "failure" if error else "success",
                request=event.get("requestParameters"),
            )
    return count


source = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
if not source.exists():
    sys.exit(f"{source} is not here: name a file of CloudTrail events, JSON Lines, gzip")
folder = Path(tempfile.mkdtemp(prefix="chained_logging-"))
for name in ("audit.jsonl", "audit.db"):
    count = replay(source, folder / name)
    report = verify(folder / name)
    print(f"{name}: {count} events, {report.entries} entries, {report.incomplete} incomplete")
    print(f"  {report.status}")
    assert report.intact
    assert report.entries == count + 1
copy = folder / "tampered.jsonl"
copy.write_bytes((folder / "audit.jsonl").read_bytes().replace(b"benjamin", b"benjamen", 1))
report = verify(copy)
print(f"tampered copy: {report.status}: line {report.faults[0].line}: {report.faults[0].reason}")
assert not report.intact
