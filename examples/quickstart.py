"""structlog: three audited calls, a verified log, and a tampered copy that is caught."""

import tempfile
from pathlib import Path

import structlog

from chained_logging import AuditLog, AuditProcessor, verify

folder = Path(tempfile.mkdtemp(prefix="chained_logging-"))
log = AuditLog(folder / "audit.jsonl", origin="example.com/quickstart")
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        AuditProcessor(log),
        structlog.processors.JSONRenderer(),
    ]
)
logger = structlog.get_logger()

structlog.contextvars.bind_contextvars(actor="user-123", ip="10.0.0.1")
logger.info("login", audit=True, resource="session/9f8e")
logger.info("read", audit=True, resource="patient_record/456")
logger.info("export", audit=True, resource="patient_record/456", result="denied")
logger.info("an ordinary line, which is not audited")
log.close()

report = verify(log.path)
print(f"{log.path}: {report.status}, {report.entries} entries, last hash {report.last_hash}")
assert report.intact

copy = folder / "tampered.jsonl"
copy.write_bytes(log.path.read_bytes().replace(b'"denied"', b'"success"'))
report = verify(copy)
print(f"{copy}: {report.status}: {report.faults[0].reason} (line {report.faults[0].line})")
assert not report.intact
