"""The standard library alone: one handler in dictConfig, and calls that are tagged."""

import logging
import logging.config
import tempfile
from pathlib import Path

import chained_logging

path = Path(tempfile.mkdtemp(prefix="chained_logging-")) / "audit.db"
logging.config.dictConfig(
    {
        "version": 1,
        "handlers": {"audit": {"()": "chained_logging.AuditHandler", "path": str(path)}},
        "loggers": {"app": {"handlers": ["audit"], "level": "INFO"}},
    }
)
with chained_logging.context(actor="user-123", ip="10.0.0.1"):
    logging.getLogger("app").info("read", extra={"audit": True, "resource": "patient_record/456"})
    chained_logging.get_logger("app").info("write", audit=True, resource="patient_record/456")
logging.shutdown()

report = chained_logging.verify(path)
print(f"{path}: {report.status}, {report.entries} entries")
assert report.intact
