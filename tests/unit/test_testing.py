"""The fixture and the assertions that users write their own tests with."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import unittest
import warnings
from pathlib import Path
from typing import Any

import pytest
import structlog
from freezegun import freeze_time

from chained_logging import AuditHandler, AuditLog, AuditProcessor, audited, context, get_logger
from chained_logging.integrations.wsgi import AuditMiddleware
from chained_logging.testing import recorded

W: dict[str, Any] = {"actor": "user-1", "resource": "patient/456", "ip": "10.0.0.1"}


def test_every_way_is_seen_once(tmp_path: Path) -> None:
    own = AuditLog(tmp_path / "own.jsonl")
    handled = logging.getLogger("handled")
    handler = AuditHandler(log=own)
    handled.addHandler(handler)
    structlog.configure(
        processors=[AuditProcessor(own), structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(io.StringIO()),
    )

    @audited("thing", actor="user-1", ip="10.0.0.1")
    def touch() -> None: ...

    with recorded() as audit_log, context(tenant="t"):
        logging.getLogger("plain").error("plain", extra={"audit": True, **W})
        get_logger("nobody").info("keywords", audit=True, **W)
        get_logger("handled").info("handled", audit=True, **W)
        structlog.get_logger().info("structured", audit=True, **W)
        touch()
        own.append("direct", **W)
        audit_log.log.append("given", **W)
        logging.getLogger("plain").error("not audited")
    handled.removeHandler(handler)
    structlog.reset_defaults()
    own.append("after", **W)
    own.close()
    assert [entry.action for entry in audit_log.entries] == [
        *("plain", "keywords", "handled", "structured", "touch", "direct", "given")
    ]
    assert {entry.tenant_id for entry in audit_log.entries} == {"t"}


def test_assertions_say_what_differs() -> None:
    with recorded() as audit_log:
        with pytest.raises(AssertionError, match="nothing was recorded"):
            audit_log.assert_recorded(action="read")
        audit_log.log.append("read", **W, ward=7)
        audit_log.log.append("write", **{**W, "actor": "user-2"})
        entry = audit_log.assert_recorded(
            action="read", actor="user-1", resource="patient/456", ip=..., ward=lambda n: n > 5
        )
        assert entry.resource_type == "patient"
        audit_log.assert_recorded_once(resource=("patient", 456), actor_id="user-2")
        audit_log.assert_not_recorded(action="delete")
        with pytest.raises(AssertionError) as failed:
            audit_log.assert_recorded(action="read", actor="user-3", resource="patient/456")
        assert str(failed.value).splitlines() == [
            "no entry with action='read', actor_id='user-3', resource_type='patient', "
            "resource_id='456'; the closest of 2 differs in",
            "  actor_id: expected 'user-3', was 'user-1'",
            "recorded:",
            "  read by user-1 on patient/456 from 10.0.0.1: success {'ward': 7}",
            "  write by user-2 on patient/456 from 10.0.0.1: success",
        ]
        with pytest.raises(AssertionError, match="2 entries have resource='patient/456', not one"):
            audit_log.assert_recorded_once(resource="patient/456")
        with pytest.raises(AssertionError, match="1 entries with action='write' were recorded"):
            audit_log.assert_not_recorded(action="write")
        audit_log.clear()
        audit_log.assert_not_recorded()
        audit_log.log.append("list", **W, resources=["patient/1", ("patient", 2)], tenant="t")
        audit_log.assert_recorded(resources=["patient/1", "patient/2"], tenant="t")
        audit_log.assert_not_recorded(resources=["patient/1"])


class TestWithUnittest(unittest.TestCase):
    def setUp(self) -> None:
        self.audit_log = self.enterContext(recorded())

    def test_assert_logs_beside_it(self) -> None:
        with self.assertLogs("shop", "INFO") as shown:
            get_logger("shop").info("keywords", audit=True, **W)
            logging.getLogger("shop").info("plain", extra={"audit": True, **W})
        assert len(shown.records) == 2
        self.audit_log.assert_recorded_once(action="keywords")
        self.audit_log.assert_recorded_once(action="plain")


def test_a_frozen_clock_and_warnings_that_are_errors() -> None:
    with recorded() as audit_log, warnings.catch_warnings():
        warnings.simplefilter("error")
        with freeze_time("2020-02-29 12:00:00"):
            for _ in range(3):
                get_logger("shop").info("read", audit=True, **W)
    moments = {entry.timestamp for entry in audit_log.entries}
    assert moments == {"2020-02-29T12:00:00.000000Z"}
    assert len({entry.id for entry in audit_log.entries}) == 3


@freeze_time("2020-02-29 12:00:00")
def test_the_level_of_the_root_logger_stops_no_plain_logger(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    shop, quiet = logging.getLogger("shop.plain"), logging.getLogger("shop.quiet")
    handler = AuditHandler(tmp_path / "a.jsonl")
    shop.addHandler(handler)
    quiet.setLevel(logging.WARNING)
    with recorded() as audit_log:
        for logger in (shop, quiet, logging.getLogger("shop.other")):
            logger.info("read", extra={"audit": True, **W, "by": logger.name})
            logger.info("not audited")
        caplog.set_level(logging.INFO)
        shop.info("shown", extra={"audit": True, **W})
    shop.removeHandler(handler)
    found = [entry.context.get("by") for entry in audit_log.entries]
    assert found == ["shop.plain", "shop.other", None]
    assert [r.getMessage() for r in caplog.records if r.name.startswith("shop")] == ["shown"]
    assert handler.log.stats()["appended"] == 2
    handler.close()
    quiet.setLevel(logging.NOTSET)


def test_a_middleware_that_is_given_a_log() -> None:
    flask = pytest.importorskip("flask")
    app = flask.Flask("shop")
    app.add_url_rule("/patients/<id>", view_func=lambda id: "ok", endpoint="patient")
    with recorded() as audit_log:
        app.wsgi_app = AuditMiddleware(app.wsgi_app, log=audit_log.log)
        app.test_client().get("/patients/456")
        audit_log.assert_recorded_once(action="read", resource_id="456", http_status=200)


def test_the_fixture_is_there_once_the_package_is_installed(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(
        "from chained_logging import get_logger\n"
        "def test_read(audit_log):\n"
        "    get_logger('shop').info('read', audit=True, actor='user-1')\n"
        "    audit_log.assert_recorded(action='read', actor='user-1')\n"
        "    assert len(audit_log.entries) == 1\n"
        "def test_again(audit_log):\n"
        "    assert audit_log.entries == []\n"
    )
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
