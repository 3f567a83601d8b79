"""What a middleware was configured with, and what it makes of each request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from chains import stored
from web_servers import REQUEST_ID

from chained_logging import AuditLog
from chained_logging.errors import LogClosed
from chained_logging.event.entry import InvalidEntry
from chained_logging.integrations.web.auditor import Auditor, action_of, result_of
from chained_logging.integrations.web.exchange import Exchange
from chained_logging.log import AuditWarning


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        yield log


def begun(
    auditor: Auditor,
    method: str = "GET",
    path: str = "/orders/7",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Exchange | None:
    given = {"native": None, "peer": "192.0.2.1", **more}
    header = (headers or {}).get
    return auditor.begin(method=method, path=path, header=header, **given)


def event(auditor: Auditor, status: int = 200, **about: Any) -> dict[str, Any]:
    exchange = begun(auditor, **about)
    assert exchange is not None
    exchange.status = status
    made = auditor.event(exchange)
    assert made is not None
    return made


def test_a_request_says_who_what_when_and_from_where(log: AuditLog) -> None:
    made = event(Auditor(log), method="DELETE", headers={"user-agent": "curl/8\0"})
    assert REQUEST_ID.fullmatch(made.pop("request_id"))
    assert made.pop("duration_ms") >= 0
    assert made == {
        "ip_address": "192.0.2.1",
        "user_agent": "curl/8\\x00",
        "actor_id": "anonymous",
        "actor_type": "user",
        "action": "delete",
        "resource_type": made["resource_type"],
        "resource_id": "/orders/7",
        "result": "success",
        "method": "DELETE",
        "http_status": 200,
    }


@pytest.mark.parametrize(
    ("status", "result"),
    [
        *((status, "success") for status in (200, 302, 399)),
        *((status, "failure") for status in (None, 400, 404, 500)),
        *((status, "denied") for status in (401, 403)),
    ],
)
def test_a_status_stands_for_a_result(status: int | None, result: str) -> None:
    assert result_of(status) == result


def test_a_method_stands_for_an_action() -> None:
    methods = ("GET", "POST", "PUT", "DELETE", "MOVE", "")
    actions = ["read", "create", "write", "delete", "move", "unknown"]
    assert list(map(action_of, methods)) == actions
    assert len(action_of("M" * 1000)) <= 128


def test_paths_are_left_out_alone_or_with_all_below(log: AuditLog) -> None:
    auditor = Auditor(log, exclude=["/health", "/static/"])
    for path in ("/health", "/static/a"):
        assert begun(auditor, path=path) is None
    for path in ("/healthy", "/static", "/static/../x", "/static//x"):
        assert begun(auditor, path=path) is not None


def test_headers_name_the_client_the_request_and_the_session(log: AuditLog) -> None:
    auditor = Auditor(log, trusted_proxies=["192.0.2.0/24"], session_cookie="sid")
    headers = {"x-forwarded-for": "198.51.100.7", "x-request-id": "r-1", "cookie": "sid=secret"}
    made = event(auditor, headers=headers)
    assert (made["ip_address"], made["request_id"]) == ("198.51.100.7", "r-1")
    assert made["session_id"].startswith("sha256:")
    assert event(Auditor(log), headers=headers)["ip_address"] == "192.0.2.1"


def test_a_query_is_recorded_without_its_secrets(log: AuditLog) -> None:
    assert event(Auditor(log), query="a=1&token=x")["query"] == "a=1&token=[redacted]"
    assert "query" not in event(Auditor(log, redact=dict), query="a=1")


def test_callables_name_actor_resource_and_result(log: AuditLog) -> None:
    auditor = Auditor(
        log,
        actor=lambda exchange: ("ann", "admin"),
        resource=lambda exchange: "order/7",
        result=lambda exchange: "denied",
    )
    made = event(auditor)
    assert (made["actor_id"], made["actor_type"]) == ("ann", "admin")
    assert (made["resource_type"], made["resource_id"], made["result"]) == ("order", "7", "denied")


@pytest.mark.parametrize("name", ["actor", "resource", "result", "rule", "redact"])
def test_a_callable_that_fails_loses_no_entry_and_is_said(log: AuditLog, name: str) -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("secret")

    with pytest.warns(AuditWarning, match=f"{name} raised RuntimeError"):
        made = event(Auditor(log, **{name: broken}))
    if name == "redact":
        assert made["redaction_failed"] is True
        assert "user_agent" not in made
    else:
        assert made[f"{name}_failed"] is True


def test_a_rule_leaves_out_and_a_redaction_changes(log: AuditLog) -> None:
    exchange = begun(Auditor(log))
    assert exchange is not None
    exchange.status = 200
    assert Auditor(log, rule=["-read *"]).event(exchange) is None
    changed = Auditor(log, redact=lambda event: {**event, "actor_id": "x"})
    assert event(changed)["actor_id"] == "x"


def test_an_attempt_to_sign_in_names_the_account(log: AuditLog) -> None:
    auditor = Auditor(log)
    headers = {"content-type": "application/json"}
    exchange = begun(auditor, "POST", "/login", headers)
    assert exchange is not None
    assert exchange.attempt is not None
    exchange.attempt.feed(b'{"username": "ann", "password": "x"}')
    exchange.status = 401
    made = auditor.event(exchange)
    assert made is not None
    assert (made["action"], made["result"], made["account"]) == ("login", "denied", "ann")


@pytest.mark.parametrize(
    "options", [{"mode": "never"}, {"exclude": "/health"}, {"rule": "-read x"}, {"login_url": "x"}]
)
def test_a_parameter_that_means_nothing_is_refused(log: AuditLog, options: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        Auditor(log, **options)


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_events_are_stored_from_a_thread_or_a_loop(tmp_path: Path, durability: Any) -> None:
    with AuditLog(tmp_path / "a.jsonl", durability=durability) as log:
        auditor = Auditor(log)
        assert auditor.quick is (durability == "os")
        auditor.store(event(auditor))

        async def main() -> None:
            await asyncio.gather(*(auditor.store_async(event(auditor)) for _ in range(3)))

        asyncio.run(main())
        auditor.drain()
        assert len(stored(log.path)) == 1 + 4


def test_of_a_strict_log_only_what_is_refused_is_not_stored(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl", strict=True) as log:
        auditor = Auditor(log)
        good, bad = event(auditor), {**event(auditor), "actor_id": ""}

        async def main() -> list[Any]:
            sent = [auditor.store_async(made) for made in (good, bad, good)]
            return await asyncio.gather(*sent, return_exceptions=True)

        outcomes = asyncio.run(main())
        assert [type(outcome) for outcome in outcomes] == [type(None), InvalidEntry, type(None)]
        assert len(stored(log.path)) == 1 + 2


def test_a_log_that_was_closed_is_an_error(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "a.jsonl")
    auditor = Auditor(log)
    made = event(auditor)
    log.close()
    with pytest.raises(LogClosed):
        auditor.store(made)
