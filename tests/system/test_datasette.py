"""Datasette over a log: the second way to look at one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from chained_logging import AuditLog
from chained_logging.review.filter import Filter
from chained_logging.review.opening import open_log
from chained_logging.review.questions import NAMES
from chained_logging.verify import verify

ROOT = Path(__file__).parents[2]
METADATA = ROOT / "chained_logging/review/questions/datasette.json"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        for number in range(20):
            log.append(
                ("read", "login", "export", "update")[number % 4],
                actor=f"u-{number % 3}",
                actor_type="admin" if number % 5 == 0 else "user",
                resource=f"patient/{number % 6}",
                resources=["patient/9"] if number == 7 else [],
                result="denied" if number % 7 == 0 else "success",
                ip="10.0.0.1",
            )
    return path


def asked(log: Path, name: str, **values: str) -> list[dict[str, Any]]:
    app = pytest.importorskip("datasette.app")
    address = f"/audit/{name}.json?{urlencode({**values, '_shape': 'array'})}"

    async def get() -> Any:
        return await app.Datasette(
            [str(log)], metadata=json.loads(METADATA.read_text())
        ).client.get(address)

    answer = asyncio.run(get())
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


GIVEN: dict[str, tuple[Filter, dict[str, str]]] = {
    "actor-activity": (Filter(actor=("u-1",)), {"actor": "u-1"}),
    "resource-access": (
        Filter(resource=("patient/9",)),
        {"resource_type": "patient", "resource_id": "9"},
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_datasette_answers_each_question_as_query_does(log: Path, name: str) -> None:
    wanted, values = GIVEN.get(name, (Filter(), {}))
    with open_log(str(log)) as engine:
        columns, rows = engine.ask(name, wanted)
    assert rows
    assert asked(log, name, **values) == [dict(zip(columns, row, strict=True)) for row in rows]
    assert verify(log).intact  # nothing was written to it


def test_the_canned_queries_are_those_of_the_package() -> None:
    command = [sys.executable, str(ROOT / "tools/build_datasette.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
