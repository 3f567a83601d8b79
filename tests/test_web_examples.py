"""The examples of the web, under the servers that they name, with real requests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from web_servers import Server, entries, free_port, get

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("name", ["fastapi_app", "flask_app", "django_app"])
def test_example_records_what_it_says(name: str, tmp_path: Path) -> None:
    port = free_port()
    folder, app = str(EXAMPLES), f"{name}:app"
    if name == "fastapi_app":
        command = ["uvicorn", "--app-dir", folder, app, "--workers", "2", "--port", port]
    else:
        command = ["gunicorn", "--chdir", folder, app, "-w", "2", "-b", f"127.0.0.1:{port}"]
    log = tmp_path / "audit.jsonl"
    errors = tmp_path / "errors"
    with errors.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, "AUDIT_LOG": str(log)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(process, port, errors)
    try:
        deadline = time.monotonic() + 30
        while True:
            assert time.monotonic() < deadline, errors.read_text()
            with suppress(OSError):
                if get(server, "/health", Host="localhost").status == 200:
                    break
            time.sleep(0.05)
        bearer = {"Authorization": "Bearer ann"}
        assert get(server, "/patients/456", **bearer).status == 200
        report = get(server, "/reports/2026", **bearer)
        unsigned = get(server, "/reports/2026")
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    found = [
        (f["actor_id"], f["action"], f["resource_type"], f["resource_id"], f["result"])
        for f in entries(log)
    ]
    who = "anonymous" if name == "django_app" else "ann"
    assert found[0] == (who, "read", "patients", "456", "success")
    if name == "django_app":
        assert (report.status, unsigned.status) == (403, 403)
        assert found[1] == ("anonymous", "export", "annual_report", "2026", "denied")
    else:
        assert (report.status, unsigned.status) == (200, 401)
        assert ("ann", "export", "annual_report", "2026", "success") in found
        assert found[-1] == ("anonymous", "export", "annual_report", "2026", "denied")
    assert (("ann", "read", "ledger", "main", "success") in found) == (name == "fastapi_app")
