"""Celery, with a real worker: each run of a task is an entry, with the actor who enqueued it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import check_chain
from programs import until

APP = """
import json, logging, os, sys, time, uuid
from celery import Celery
from celery.exceptions import Reject
from kombu.transport import filesystem
from chained_logging import AuditHandler, AuditLog, context
from chained_logging.event.context import current
from chained_logging.integrations.celery import record_tasks

folder = os.path.dirname(os.path.abspath(__file__))
queue = os.path.join(folder, "queue")
os.makedirs(queue, exist_ok=True)
def put(channel, name, payload, **_):
    # As a whole: a worker that reads a message which kombu has not written yet ends there.
    file = f"{int(time.monotonic() * 1000)}_{uuid.uuid4()}.{name}.msg"
    with open(os.path.join(folder, file), "w") as written:
        json.dump(payload, written)
    os.rename(written.name, os.path.join(queue, file))

filesystem.Channel._put = put
app = Celery("app", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": queue, "data_folder_out": queue, "control_folder": folder + "/control",
    },
    task_acks_late=False,
    broker_connection_retry_on_startup=True,
)
log = AuditLog(os.path.join(folder, "audit.jsonl"))
record_tasks(log=log)
logging.getLogger().addHandler(AuditHandler(log=log))  # Celery removes it: it must come back

@app.task(name="add")
def add(a, b):
    return a + b

@app.task(name="fail")
def fail(kind):
    raise {"denied": PermissionError, "error": ValueError}[kind]("password=S3cret")

@app.task(name="retry", bind=True, max_retries=2)
def retry(self):
    if self.request.retries < 2:
        raise self.retry(exc=ValueError("not yet"), countdown=0)

@app.task(name="logs")
def logs():
    log.append_many([{**current(), "action": "inner", "resource": "a/1"}])
    add.delay(1, 1)

@app.task(name="plain")
def plain():
    logging.getLogger("shop").info("inner", extra={"audit": True, "resource": "a/1"})

@app.task(name="die")
def die():
    os.kill(os.getpid(), 9)

@app.task(name="slow", time_limit=10)
def slow():
    time.sleep(30)

@app.task(name="reject")
def reject():
    raise Reject("no", requeue=False)
"""


class Worker:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def enqueue(self, calls: str, **who: str) -> None:
        """Run calls in a process of their own, as a web application would."""
        text = "from app import *\nwith context(**{}):\n{}\n"
        indented = textwrap.indent(textwrap.dedent(calls), "    ")
        code = text.format(repr(who), indented)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.folder,
            capture_output=True,
            timeout=30,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    def entries(self) -> list[dict[str, Any]]:
        return [e for e in check_chain(self.folder / "audit.jsonl") if e["action"] != "log.open"]

    def wait(self, count: int) -> list[dict[str, Any]]:
        until(lambda: len(self.entries()) >= count, f"there are {count} entries")
        time.sleep(0.2)  # and no more than these
        assert len(self.entries()) == count
        return self.entries()


@contextlib.contextmanager
def working(folder: Path, *options: str) -> Iterator[Worker]:
    (folder / "app.py").write_text(textwrap.dedent(APP))
    output = (folder / "worker.log").open("wb")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "app", "worker", "-l", "INFO"),
            *("--without-mingle", "--without-gossip", "--without-heartbeat", *options),
        ],
        cwd=folder,
        stdout=output,
        stderr=output,
        env=os.environ | {"C_FORCE_ROOT": "1"},
        start_new_session=True,
    )
    try:
        said: Callable[[], bool] = lambda: b"ready." in (folder / "worker.log").read_bytes()  # noqa: E731
        until(said, "the worker is ready")
        yield Worker(folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.close()


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with working(tmp_path_factory.mktemp("celery"), "-P", "prefork", "-c", "2") as made:
        yield made


@pytest.fixture(autouse=True)
def _only_new_entries(worker: Worker) -> Iterator[None]:
    """Let each test see the entries that it made itself."""
    before = len(worker.entries())
    all_entries = Worker.entries
    worker.entries = lambda: all_entries(worker)[before:]  # type: ignore[method-assign]
    yield
    del worker.entries  # type: ignore[method-assign]


WHO = {"actor": "user-7", "ip": "10.0.0.7", "request_id": "r-1"}


def test_the_run_of_a_task_is_an_entry_with_who_enqueued_it(worker: Worker) -> None:
    worker.enqueue("add.delay(1, 2)", **WHO, unrelated="stays here")
    (entry,) = worker.wait(1)
    assert (entry["action"], entry["resource_type"], entry["result"]) == ("add", "task", "success")
    assert (entry["actor_id"], entry["ip_address"]) == ("user-7", "10.0.0.7")
    context = entry["context"]
    assert context["request_id"] == "r-1"
    assert (context["state"], context["retries"]) == ("SUCCESS", 0)
    assert context["duration_ms"] >= 0
    assert "unrelated" not in context
    assert "invalid" not in context
    assert len(entry["resource_id"]) == 36


def test_nobody_enqueued_it_so_it_is_the_service(worker: Worker) -> None:
    worker.enqueue("add.delay(1, 2)")
    (entry,) = worker.wait(1)
    assert (entry["actor_id"], entry["actor_type"]) == ("celery", "service")
    assert "invalid" not in entry["context"]


def test_two_processes_share_one_chain_and_each_run_has_its_own_actor(worker: Worker) -> None:
    worker.enqueue(
        """
        for n in range(60):
            with context(actor=f"user-{n}"):
                add.apply_async((n, 1), task_id=f"task-{n}")
        """,
        **WHO,
    )
    entries = worker.wait(60)
    assert {(e["resource_id"], e["actor_id"]) for e in entries} == {
        (f"task-{n}", f"user-{n}") for n in range(60)
    }


def test_failure_is_failure_and_a_permission_error_is_denied(worker: Worker) -> None:
    worker.enqueue("fail.delay('error'); fail.delay('denied')", **WHO)
    entries = worker.wait(2)
    results = {e["context"]["exception"]["type"]: e["result"] for e in entries}
    assert results == {"ValueError": "failure", "PermissionError": "denied"}
    assert {e["context"]["state"] for e in entries} == {"FAILURE"}
    assert b"S3cret" not in (worker.folder / "audit.jsonl").read_bytes()


def test_each_retry_is_an_entry_and_the_actor_stays(worker: Worker) -> None:
    worker.enqueue("retry.delay()", **WHO)
    # Another process may have run the next try before this one's entry is written.
    entries = sorted(worker.wait(3), key=lambda entry: entry["context"]["retries"])
    assert [(e["result"], e["context"]["state"], e["context"]["retries"]) for e in entries] == [
        ("failure", "RETRY", 0),
        ("failure", "RETRY", 1),
        ("success", "SUCCESS", 2),
    ]
    assert {e["actor_id"] for e in entries} == {"user-7"}
    assert len({e["resource_id"] for e in entries}) == 1
    assert entries[0]["context"]["exception"]["message"] == "not yet"


def test_what_a_task_logs_and_enqueues_has_its_actor(worker: Worker) -> None:
    worker.enqueue("logs.delay()", **WHO)
    entries = worker.wait(3)
    assert sorted(e["action"] for e in entries) == ["add", "inner", "logs"]
    assert {(e["actor_id"], e["ip_address"]) for e in entries} == {("user-7", "10.0.0.7")}


def test_numbers_uuids_and_user_objects_are_actors_too(worker: Worker) -> None:
    worker.enqueue(
        """
        class User:
            pk, username = 43, "ann"

        for number, actor in enumerate([42, uuid.UUID(int=7), True, User(), object()]):
            with context(actor=actor):
                add.apply_async((1, 2), task_id=f"t{number}")
        """
    )
    entries = {e["resource_id"]: e for e in worker.wait(5)}
    assert [entries[f"t{number}"]["actor_id"] for number in range(5)] == [
        *("42", "00000000-0000-0000-0000-000000000007", "unknown", "43", "unknown")
    ]
    assert entries["t3"]["context"]["actor_name"] == "ann"


def test_a_handler_on_the_root_logger_outlives_the_start_of_the_worker(worker: Worker) -> None:
    worker.enqueue("plain.delay()", **WHO)
    entries = worker.wait(2)
    assert [(e["action"], e["actor_id"]) for e in entries] == [
        ("inner", "user-7"),
        ("plain", "user-7"),
    ]


def test_a_worker_process_that_is_killed_leaves_an_entry(worker: Worker) -> None:
    worker.enqueue("die.apply_async(task_id='killed')", **WHO)
    (entry,) = worker.wait(1)
    assert (entry["action"], entry["resource_id"], entry["result"]) == ("die", "killed", "failure")
    assert "WorkerLostError" in entry["context"]["exception"]["type"]
    assert entry["actor_id"] == "user-7"


def test_a_revoked_task_leaves_an_entry(worker: Worker) -> None:
    worker.enqueue("add.apply_async((1, 2), task_id='late', expires=-1)", **WHO)
    (entry,) = worker.wait(1)
    assert (entry["action"], entry["resource_id"], entry["result"]) == ("add", "late", "failure")
    assert (entry["context"]["state"], entry["context"]["expired"]) == ("REVOKED", True)
    assert entry["actor_id"] == "user-7"


@pytest.mark.parametrize(
    ("call", "state"),
    [
        ("reject.apply_async(task_id='rejected')", "REJECTED"),
        (
            "slow.apply_async(task_id='stopped'); time.sleep(1);"
            "app.control.revoke('stopped', terminate=True)",
            "REVOKED",
        ),
    ],
)
def test_a_run_that_is_stopped_has_one_entry(worker: Worker, call: str, state: str) -> None:
    worker.enqueue(call, **WHO)
    (entry,) = worker.wait(1)
    assert (entry["actor_id"], entry["result"]) == ("user-7", "failure")
    assert entry["context"]["state"] == state


def test_a_run_that_reaches_its_time_limit_has_one_entry(tmp_path: Path) -> None:
    # In a worker of its own: Celery kills a process that may hold a lock of its pool.
    with working(tmp_path, "-P", "prefork", "-c", "1") as made:
        made.enqueue("slow.apply_async(task_id='limited', time_limit=1)", **WHO)
        (entry,) = made.wait(1)
    assert (entry["actor_id"], entry["result"]) == ("user-7", "failure")
    assert "TimeLimitExceeded" in entry["context"]["exception"]["type"]


def test_a_forged_header_breaks_nothing(worker: Worker) -> None:
    worker.enqueue(
        """
        for number, forged in enumerate(
            [7, "x", [1], {"actor": 7}, {"actor": "a" * 5000}, {"actor": "chained_logging"}]
        ):
            add.apply_async((1, 2), task_id=f"f{number}", headers={"chained_logging": forged})
        """
    )
    entries = {e["resource_id"]: e for e in worker.wait(6)}
    assert [entries[f"f{n}"]["actor_id"] for n in range(5)] == [*["celery"] * 3, "7", "celery"]
    assert entries["f5"]["actor_id"] == "unknown"  # nobody may bear the log's own name


def test_called_in_the_same_process_it_has_the_callers_context(worker: Worker) -> None:
    worker.enqueue("app.conf.task_always_eager = True; add.delay(1, 2)", **WHO)
    (entry,) = worker.wait(1)
    assert (entry["action"], entry["actor_id"]) == ("add", "user-7")


def test_a_pool_of_threads_keeps_actors_apart(tmp_path: Path, worker: Worker) -> None:
    with working(tmp_path, "-P", "threads", "-c", "4") as threads:
        threads.enqueue(
            """
            for n in range(30):
                with context(actor=f"user-{n}"):
                    add.apply_async((n, 1), task_id=f"task-{n}")
            """,
            **WHO,
        )
        entries = threads.wait(30)
    assert {(e["resource_id"], e["actor_id"]) for e in entries} == {
        (f"task-{n}", f"user-{n}") for n in range(30)
    }
