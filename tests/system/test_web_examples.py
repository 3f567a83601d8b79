"""The examples, under the servers that they name, with real requests."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from folders import ROOT
from programs import missing, needed, until
from web_servers import Reply, entries, free_port

EXAMPLES = ROOT / "examples"
PYTHON = ("fastapi_app.py", "flask_app.py", "django_app.py", "celery_app.py")
FORM = {"username": "ann", "password": "hunter2hunter2"}


@pytest.mark.parametrize("name", PYTHON)
def test_under_ten_lines_audit(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    assert 5 < text.count("  # audit") < 10


@contextmanager
def running(folder: Path, *command: str, **environment: str) -> Iterator[Path]:
    """Run a program in a folder until the block ends; yield where its output goes."""
    output = folder / "output"
    with output.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=os.environ | {"AUDIT_LOG": str(folder / "audit.jsonl")} | environment,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
    try:
        yield output
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(port: str, method: str, path: str, form: Any = None, **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    try:
        body = None
        sent = {"X-Request-Id": f"{method}-{path}-{time.monotonic_ns()}", **headers}
        if form is not None:
            body = urlencode(form)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        found: dict[str, str] = {}
        for name, value in response.getheaders():  # Django sets two cookies
            found[name.lower()] = "; ".join(filter(None, (found.get(name.lower()), value)))
        return Reply(response.status, found, response.read())
    finally:
        connection.close()


def await_health(port: str, output: Path) -> None:
    def healthy() -> bool:
        with suppress(OSError):
            return ask(port, "GET", "/health").status == 200
        return False

    try:
        until(healthy, "the server answers")
    except AssertionError:
        raise AssertionError(output.read_text()[-3000:]) from None


def said(folder: Path) -> list[tuple[str, str, str, str]]:
    """Return actor, action, resource and result of each entry, which come from this machine."""
    found = entries(folder / "audit.jsonl")
    assert {f["ip_address"] for f in found} == {"127.0.0.1"}
    assert not [f for f in found if "invalid" in f["context"]]
    assert "hunter2" not in (folder / "audit.jsonl").read_text()
    return [brief(f) for f in found]


def brief(fields: dict[str, Any]) -> tuple[str, str, str, str]:
    resource = f"{fields['resource_type']}/{fields['resource_id']}"
    return fields["actor_id"], fields["action"], resource, fields["result"]


def accounts(folder: Path) -> list[str | None]:
    found = entries(folder / "audit.jsonl")
    return [f["context"].get("account") for f in found if f["action"] == "login"]


def test_fastapi(tmp_path: Path) -> None:
    port = free_port()
    command = ["uvicorn", "--app-dir", str(EXAMPLES), "fastapi_app:app", "--workers", "2"]
    with running(tmp_path, *command, "--port", port) as output:
        await_health(port, output)
        assert ask(port, "POST", "/login", FORM).status == 401
        reply = ask(port, "POST", "/login", {**FORM, "password": "secret"})
        bearer = {"Authorization": f"Bearer {json.loads(reply.body)['access_token']}"}
        assert ask(port, "GET", "/patients/456", **bearer).status == 200
        assert ask(port, "GET", "/reports/2026", **bearer).status == 200
        assert ask(port, "GET", "/reports/2026").status == 401
        assert ask(port, "GET", "/account").status == 307
    assert said(tmp_path) == [
        ("anonymous", "login", "login/*", "denied"),
        ("ann", "login", "login/*", "success"),
        ("ann", "read", "patients/456", "success"),
        ("ann", "read", "ledger/main", "success"),
        ("ann", "export", "annual_report/2026", "success"),
        ("anonymous", "export", "annual_report/2026", "denied"),
        ("anonymous", "read", "account/*", "denied"),
    ]
    assert accounts(tmp_path) == ["ann", None]


def test_flask(tmp_path: Path) -> None:
    port = free_port()
    command = ["gunicorn", "--chdir", str(EXAMPLES), "flask_app:app", "-w", "2", "--preload"]
    with running(tmp_path, *command, "-b", f"127.0.0.1:{port}") as output:
        await_health(port, output)
        assert ask(port, "POST", "/login", FORM).status == 200
        assert ask(port, "GET", "/patients/456").status == 302
        reply = ask(port, "POST", "/login", {**FORM, "password": "secret"})
        cookie = {"Cookie": reply.headers["set-cookie"].partition(";")[0]}
        assert ask(port, "GET", "/patients/456", **cookie).status == 200
        assert ask(port, "GET", "/reports/2026", **cookie).status == 200
        assert ask(port, "GET", "/reports/2026").status == 302
    assert said(tmp_path) == [
        ("anonymous", "login", "login/*", "failure"),
        ("anonymous", "read", "patients/456", "denied"),
        ("ann", "login", "login/*", "success"),
        ("ann", "read", "patients/456", "success"),
        ("ann", "read", "ledger/main", "success"),
        ("ann", "export", "annual_report/2026", "success"),
        ("anonymous", "export", "annual_report/2026", "denied"),
    ]
    assert accounts(tmp_path) == ["ann", None]


def test_django(tmp_path: Path) -> None:
    port = free_port()
    database = {"DATABASE": str(tmp_path / "clinic.sqlite3")}
    made = subprocess.run(
        [sys.executable, str(EXAMPLES / "django_app.py")],
        env=os.environ | database | {"AUDIT_LOG": str(tmp_path / "audit.jsonl")},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    token = {"Authorization": f"Token {made.stdout.strip()}"}
    command = ["gunicorn", "--chdir", str(EXAMPLES), "django_app:app", "-w", "2", "--preload"]
    with running(tmp_path, *command, "-b", f"127.0.0.1:{port}", **database) as output:
        await_health(port, output)
        assert ask(port, "GET", "/patients/456", **token).status == 200
        assert ask(port, "GET", "/patients/456").status == 401
        assert ask(port, "POST", "/token", FORM).status == 400
        assert ask(port, "GET", "/reports/2026").status == 302
        page = ask(port, "GET", "/login/")
        csrf = re.search(rb'csrfmiddlewaretoken" value="(\w+)"', page.body)
        assert csrf
        sent = {"Cookie": page.headers["set-cookie"].partition(";")[0]}
        form = {**FORM, "csrfmiddlewaretoken": csrf[1].decode()}
        assert ask(port, "POST", "/login/", form, **sent).status == 200
        reply = ask(port, "POST", "/login/", {**form, "password": "secret"}, **sent)
        cookie = re.search(r"sessionid=\w+", reply.headers["set-cookie"])
        assert cookie
        assert ask(port, "GET", "/reports/2026", Cookie=cookie[0]).status == 200
    found = said(tmp_path)
    assert found == [
        ("1", "read", "patients/456", "success"),
        ("anonymous", "read", "patients/456", "denied"),
        ("anonymous", "login", "token/*", "failure"),
        ("anonymous", "export", "annual_report/2026", "denied"),
        ("anonymous", "read", "login/*", "success"),
        ("anonymous", "login", "login/*", "failure"),
        ("1", "login", "login/*", "success"),
        ("1", "read", "ledger/main", "success"),
        ("1", "export", "annual_report/2026", "success"),
    ]
    assert accounts(tmp_path) == ["ann", "ann", None]
    names = {f["context"].get("actor_name") for f in entries(tmp_path / "audit.jsonl")}
    assert names == {"ann", None}


def test_celery(tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    queue.mkdir()
    options = {"data_folder_in": str(queue), "data_folder_out": str(queue)}
    broker = {
        "BROKER": "filesystem://",
        "BROKER_OPTIONS": json.dumps({**options, "control_folder": str(tmp_path / "control")}),
        "C_FORCE_ROOT": "1",
    }
    command = ["celery", "--workdir", str(EXAMPLES), "-A", "celery_app", "worker", "-l", "INFO"]
    few = ["--without-mingle", "--without-gossip", "--without-heartbeat"]
    with running(tmp_path, *command, "-P", "prefork", "-c", "2", *few, **broker) as output:
        until(lambda: b"ready." in output.read_bytes(), "the worker is ready")
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / "celery_app.py")],
            env=os.environ | broker | {"AUDIT_LOG": str(tmp_path / "audit.jsonl")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        until(lambda: len(entries(tmp_path / "audit.jsonl")) >= 4, "all runs are recorded")
    found = entries(tmp_path / "audit.jsonl")
    assert {(f["actor_id"], f["ip_address"]) for f in found} == {("ann", "192.0.2.1")}
    assert {(f["action"], f["resource_type"], f["result"]) for f in found} == {
        ("read", "ledger", "success"),
        ("report.export", "task", "success"),
        ("report.publish", "task", "denied"),
        ("report.print", "task", "failure"),
    }
    assert len(found) == 4


def test_express(tmp_path: Path) -> None:
    needed("node", "nodejs")
    npm = needed("npm", "npm")
    for name in ("package.json", "package-lock.json", "app.js", "audit.js"):
        (tmp_path / name).write_bytes((EXAMPLES / "express" / name).read_bytes())
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund"], cwd=tmp_path, capture_output=True, text=True
    )
    if done.returncode:
        missing(f"npm ci did not work: {done.stderr[-500:]}")
    socket = tmp_path / "collector.sock"
    collect = ["chained_logging", "collect", str(tmp_path / "audit.jsonl"), "--socket", str(socket)]
    with running(tmp_path, *collect):
        until(socket.exists, "the collector listens")
        node = subprocess.Popen(
            ["node", "app.js"],
            cwd=tmp_path,
            env=os.environ | {"AUDIT_SOCKET": str(socket), "PORT": "0"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert node.stdout is not None
            port = node.stdout.readline().removeprefix("listening on ").strip()
            ann = {"X-User": "ann"}
            wrong = json.dumps(FORM)
            json_sent = {"Content-Type": "application/json"}
            for body in (wrong, wrong.replace("hunter2hunter2", "secret")):
                connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
                connection.request("POST", "/login", body, json_sent)
                connection.getresponse().read()
                connection.close()
            assert ask(port, "GET", "/accounts/7").status == 302
            assert ask(port, "GET", "/accounts/7", **ann).status == 200
            assert ask(port, "GET", "/p/456", **ann).status == 204
        finally:
            node.kill()
            node.wait()
            node.stdout and node.stdout.close()
    assert said(tmp_path) == [
        ("anonymous", "login", "login/*", "failure"),
        ("ann", "login", "login/*", "success"),
        ("anonymous", "read", "accounts/7", "denied"),
        ("ann", "read", "accounts/7", "success"),
        ("ann", "lookup", "index/patients", "success"),
        ("ann", "export", "patient_record/456", "success"),
    ]
    assert accounts(tmp_path) == ["ann", None]
