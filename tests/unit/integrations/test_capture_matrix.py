"""Each arrangement that structlog documents, with one log and with two, wherever code may log.

One program runs for each arrangement: it logs once in the main thread, in a task, in another
thread, in a worker process, in a signal handler, and in an exit function that logging's own
precedes. Each call is to be in each log once, as it was.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from chains import check_chain

HEAD = """
import asyncio, atexit, sys, warnings
def early():  # registered before logging and the package: it runs after their own
    say("exit")
atexit.register(early)
warnings.simplefilter("error")
warnings.simplefilter("ignore", ResourceWarning)  # the lines' file, which nobody closes
import concurrent.futures, io, logging, logging.handlers, multiprocessing, os, signal, threading
import structlog
from structlog import processors as p, stdlib
from chained_logging import AuditHandler, AuditLog, AuditProcessor, context, get_logger

paths = sys.argv[1:]
audits = [AuditProcessor(path) for path in paths]
lines = open("lines", "a", buffering=1)
printed = structlog.PrintLoggerFactory(lines)
root = logging.getLogger()
root.setLevel(logging.INFO)
def stream(**formatter):
    handler = logging.StreamHandler(lines)
    if formatter:
        handler.setFormatter(stdlib.ProcessorFormatter(**formatter))
    root.addHandler(handler)
def by_stdlib(*chain):
    structlog.configure(processors=chain, logger_factory=stdlib.LoggerFactory(),
                        wrapper_class=stdlib.BoundLogger)
def say(way, level="info"):
    with context(ip="10.0.0.1", session_id=way):
        getattr(log(), level)("read", audit=True, actor=way, resource="p/1", way=way)
log = structlog.get_logger
async def task():
    say("async")
"""

TAIL = """
def worker():
    say("process")
if __name__ == "__main__":
    say("sync")
    asyncio.run(task())
    thread = threading.Thread(target=say, args=("thread",))
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        fork = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(1, fork) as pool:
            pool.submit(worker).result()
    signal.signal(signal.SIGUSR1, lambda *_: say("signal"))
    os.kill(os.getpid(), signal.SIGUSR1)
"""

ARRANGEMENTS = {
    "structlog's defaults": """
        structlog.configure(processors=[
            structlog.contextvars.merge_contextvars, p.add_log_level, p.StackInfoRenderer(),
            structlog.dev.set_exc_info, p.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False), *audits,
            structlog.dev.ConsoleRenderer(colors=False)],
            wrapper_class=structlog.make_filtering_bound_logger(0), logger_factory=printed)
    """,
    "performance, JSON": """
        structlog.configure(processors=[
            structlog.contextvars.merge_contextvars, p.add_log_level, p.format_exc_info,
            p.TimeStamper(fmt="iso", utc=True), *audits, p.JSONRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=printed, cache_logger_on_first_use=True)
    """,
    "an event that was renamed": """
        structlog.configure(processors=[
            p.dict_tracebacks, p.CallsiteParameterAdder(),
            p.EventRenamer("what", "_event"), *audits, p.KeyValueRenderer()],
            logger_factory=printed)
    """,
    "rendering within structlog, to logging": """
        logging.basicConfig(stream=lines, level=logging.INFO, force=True)
        by_stdlib(stdlib.filter_by_level, stdlib.add_logger_name, stdlib.add_log_level,
                  stdlib.PositionalArgumentsFormatter(), p.TimeStamper(fmt="iso"),
                  p.UnicodeDecoder(), *audits, p.JSONRenderer())
    """,
    "rendering by logging's own formatters": """
        for path in paths:
            root.addHandler(AuditHandler(path))
        stream()
        by_stdlib(stdlib.filter_by_level, stdlib.render_to_log_kwargs)
    """,
    "ProcessorFormatters, the processor in each": """
        stream(processors=[stdlib.ProcessorFormatter.remove_processors_meta, *audits,
                           p.JSONRenderer()])
        stream(processors=[*audits, stdlib.ProcessorFormatter.remove_processors_meta,
                           structlog.dev.ConsoleRenderer(colors=False)])
        by_stdlib(stdlib.add_log_level, p.TimeStamper(fmt="%H:%M:%S"),
                  stdlib.ProcessorFormatter.wrap_for_formatter)
    """,
    "foreign records, by their formatter's pre-chain": """
        pre = [stdlib.add_log_level, stdlib.ExtraAdder(), p.TimeStamper(fmt="iso"), *audits]
        for _ in range(2):
            stream(foreign_pre_chain=pre, processors=[
                stdlib.ProcessorFormatter.remove_processors_meta, p.JSONRenderer()])
        log = get_logger
    """,
    "wrapped for a formatter, and a queue": """
        import queue
        waiting = queue.SimpleQueue()
        class Sender(logging.handlers.QueueHandler):
            def enqueue(self, record):  # at once, in a thread that knows nothing of the caller
                thread = threading.Thread(target=handle, args=(record,))
                thread.start()
                thread.join()
        targets = [AuditHandler(path) for path in paths]
        def handle(record):
            for target in targets:
                target.handle(record)
        root.addHandler(Sender(waiting))
        by_stdlib(stdlib.add_log_level, stdlib.ProcessorFormatter.wrap_for_formatter)
    """,
}
WAYS = ("sync", "async", "thread", "process", "signal", "exit")


@pytest.mark.parametrize("logs", [1, 2])
@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_each_call_is_in_each_log_once_as_it_was(name: str, logs: int, tmp_path: Path) -> None:
    paths = ["one.jsonl", "two.db"][:logs]
    program = HEAD + textwrap.dedent(ARRANGEMENTS[name]) + TAIL
    if "queue" in name:  # no thread can be started any more where the last call is made
        program = program.replace('    say("exit")', "    pass")
    done = subprocess.run(
        [sys.executable, "-c", program, *paths],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    ways = WAYS[:-1] if "queue" in name else WAYS
    for path in paths:
        bodies = [b for b in check_chain(tmp_path / path) if b["actor_id"] != "chained_logging"]
        assert [body["actor_id"] for body in bodies] == list(ways)
        for way, body in zip(ways, bodies, strict=True):
            assert (body["action"], body["result"], body["ip_address"]) == (
                *("read", "success"),
                "10.0.0.1",
            )
            assert (body["session_id"], body["context"]["way"]) == (way, way)
            assert "invalid" not in body["context"]
    lines = (tmp_path / "lines").read_text()
    if '"way"' in lines:  # of JSON
        for line in map(json.loads, filter(lambda line: line.startswith("{"), lines.splitlines())):
            assert not {"audit_context", "audit_fields", "session_id"} & line.keys()
            assert line["audit_id"] in (tmp_path / "one.jsonl").read_text()
