"""Each snippet of README and docs/ works as a reader pastes it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from folders import SUPPORT
from programs import missing
from snippets import PAGES, ROOT, Snippet, absent, servers, snippets

BINARIES = Path(sys.executable).parent
SITE = SUPPORT / "snippet_site"


def environment(page: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the environment of a reader of this page, whose servers run."""
    env = {
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PATH": f"{BINARIES}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(SITE),
        "SNIPPET_ABSENT": " ".join(absent(page)),
    }
    needed, ports = servers(page), {}
    if "postgresql" in needed:
        postgres = request.getfixturevalue("documented_postgres")
        env |= {"PGHOSTADDR": "127.0.0.1", "PGPORT": str(postgres.port)}
        env["PGPASSFILE"] = str(postgres.folder / "pgpass")
        env["PATH"] += f":{postgres.binaries}"  # psql
    if "s3" in needed:
        env |= request.getfixturevalue("documented_s3")
    if "nats" in needed:
        nats = request.getfixturevalue("documented_nats")
        ports["nats.example"] = nats.port
        env["SSL_CERT_FILE"] = str(nats.certificate)
    return env | {"SNIPPET_SERVERS": json.dumps(ports)}


def run(snippet: Snippet, folder: Path, env: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    """Run a snippet until its shell ends; what it left in the background goes on."""
    if snippet.language == "python":
        command = [sys.executable, "-W", "error", "-c", snippet.code]
    else:
        command = ["bash", "-euo", "pipefail", "-c", snippet.code]
    with tempfile.TemporaryFile("w+") as output:  # a pipe would be held open in the background
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
        )
        process.wait(timeout=120)
        output.seek(0)
        return process, output.read()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_works_as_pasted(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    env = environment(page, request)
    with contextlib.ExitStack() as stack:
        for snippet in snippets(page):
            where = f"{page.relative_to(ROOT)}:{snippet.line}"
            if snippet.not_run is not None:
                assert snippet.not_run, f"{where}: say why it is not run"
            elif snippet.file is not None:
                file = tmp_path / snippet.file
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(snippet.code)
            else:
                process, output = run(snippet, tmp_path, env)
                stack.callback(end, process.pid)
                said = f"{where} exits with {process.returncode}\n{snippet.code}\n{output}"
                assert process.returncode == snippet.status, said


def end(group: int) -> None:
    """End what a snippet left in the background."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)


def test_the_files_for_systemd_and_kubernetes_are_well_formed(tmp_path: Path) -> None:
    files = {s.file: s.code for s in snippets(ROOT / "docs" / "guide" / "deploy.md") if s.file}
    (stateful,) = yaml.safe_load_all(files["clinic.yaml"])
    pod = stateful["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in pod["volumes"]} | {
        claim["metadata"]["name"] for claim in stateful["spec"]["volumeClaimTemplates"]
    }
    for container in pod["containers"] + pod["initContainers"]:
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze is not installed: apt-get install systemd")
    for name in ("clinic.service", "clinic-ship.service"):
        (tmp_path / name).write_text(re.sub("ExecStart=.*", "ExecStart=/bin/true", files[name]))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert name not in done.stderr, done.stderr
