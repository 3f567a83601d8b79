"""Celery: each run of a task is an entry of audit.jsonl, with the person who asked for it.

    pip install chained_logging 'celery[redis]'
    export BROKER=redis://localhost
    celery --workdir examples -A celery_app worker
    python examples/celery_app.py                # asks for three runs, as ann
    chained-logging query examples/audit.jsonl

The lines that audit are marked; the rest would be there without them. A web application needs no
``with context``: the actor and the address of the request go along with what it enqueues.
"""

import json
import os

from celery import Celery

from chained_logging import AuditHandler, AuditLog, context, get_logger  # audit
from chained_logging.integrations.celery import record_tasks  # audit

app = Celery("clinic", broker=os.environ.get("BROKER", "redis://localhost"))
app.conf.update(
    broker_transport_options=json.loads(os.environ.get("BROKER_OPTIONS", "{}")),
    broker_connection_retry_on_startup=True,
)
log = AuditLog(os.environ.get("AUDIT_LOG", "audit.jsonl"))  # audit
record_tasks(log=log)  # audit
logger = get_logger("clinic")
logger.logger.setLevel("INFO")
logger.logger.addHandler(AuditHandler(log=log))  # audit


@app.task(name="report.export")
def export(year: int) -> int:
    # One more entry, with the same actor and address.
    logger.info("read", audit=True, resource="ledger/main")  # audit
    return year


@app.task(name="report.publish")
def publish(year: int) -> None:
    raise PermissionError("not yet approved")  # recorded as: denied


@app.task(name="report.print")
def print_out(year: int) -> None:
    raise OSError("no paper")  # recorded as: failure


if __name__ == "__main__":
    with context(actor="ann", ip="192.0.2.1"):  # audit
        for task in (export, publish, print_out):
            task.delay(2026)
