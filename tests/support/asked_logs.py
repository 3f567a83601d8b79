"""A log in which a filter finds some entries and not all, opened to be asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine

EVENTS: list[dict[str, Any]] = [
    {
        **EVENT,
        "action": action,
        "actor": f"user-{number % 7}",
        "actor_type": ("user", "admin")[number % 2],
        "ip": f"10.0.0.{number % 5}",
        "resource": f"patient/{number % 11}",
        "resources": [f"note/{number % 3}", "https://x.example/2"] if number % 4 == 0 else None,
        "result": ("success", "denied", "failure")[number % 13 % 3],
        "tenant": f"t-{number % 2}",
        "on_behalf_of": "boss" if number % 9 == 0 else None,
        "session_id": f"s-{number // 10}",
        "user_agent": "curl/8" if number % 6 == 0 else "Mozilla/5.0 (X11)",
        "trace_id": f"{number // 5 + 1:032x}",
        "changed_fields": ["name", "ward/2"] if action == "write" else None,
        "old_values": {"name": "Müller-Lüdenscheidt\n4711"} if action == "write" else None,
        "reason": "Treatment, ward 5" if number % 8 == 0 else None,
        "route": "/wards/{ward_id}/beds/{bed}",
        "params": {"ward_id": str(number % 3), "bed": "b/1"},
    }
    for number in range(150)
    for action in ("read", "write")
]


FILTERS_OF_ANY = [
    "",
    "actor=user-3&actor=user-4&action=write",
    "actor=USER-3",
    "actor_type=admin&result=denied&result=failure",
    "on_behalf_of=boss",
    "session=s-3",
    "session=s",
    "user_agent=curl/8&action=read",
    "trace_id=0000000000000000000000000000000A",
    "changed=ward",
    "resource=patient&seq=-30",
    "resource=note/1&resource=note/2",
    "resource=https://x.example/2",
    "resource=wards/2&action=write",
    "resource=ward/2",
    "resource=beds/b/1&seq=4",
    "text=treatment",
    "text=WARD%205%20treatment",
    "text=treat*%20ward",
    "text=treat",
    "text=m%C3%BCller",
    "text=M%C3%9CLLER%204711",
    "incomplete=true",
    "seq=5-9",
    "since=2020-01-01",
    "until=2020-01-01",
    "since=1h&actor=user-0",
]
"""Filters that find the same in a local log and in a central one."""


@pytest.fixture(scope="module", params=["jsonl", "db"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("query") / f"audit.{request.param}"
    with AuditLog(path) as log:
        log.append_many(EVENTS)
        log.append("odd", actor="", resource="patient/1")  # incomplete
    with open_log(str(path)) as opened:
        yield opened
