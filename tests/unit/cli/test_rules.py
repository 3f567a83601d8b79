"""The rules that are run, and rules of one's own that are tried."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import ready
from chains import EVENT
from commands import run

from chained_logging import AuditLog
from chained_logging.review.detect.rule import shipped

RULE = """title: Ward closed
name: ward-closed
description: A ward was closed.
logsource: {product: chained_logging, service: audit}
detection:
  selection:
    action: ward.close
  condition: selection
level: high
"""


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    pytest.importorskip("sigma.backends.sqlite", reason="pySigma-backend-sqlite is not installed")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/ward.yml").write_text(RULE)
    return tmp_path / "rules"


def test_the_rules_of_the_package_are_listed() -> None:
    said = run("rules")
    assert len(said.splitlines()) == sum(rule.raises for rule in shipped())
    assert "high          aws-trail-stopped: A trail of CloudTrail was stopped" in said
    assert len(run("rules", "--json").splitlines()) == len(shipped())


def test_rules_of_ones_own_are_checked(rule: Path) -> None:
    assert run("rules", rule) == "high          ward-closed: A ward was closed.\n"
    (found,) = map(json.loads, run("rules", rule, "--json").splitlines())
    assert found["sql"] == "(`action` = 'ward.close')"
    (rule / "wrong.yml").write_text(RULE.replace("chained_logging", "windows"))
    said = run("rules", rule, status=2)
    assert "'Ward closed': its logsource must have one of the products" in said


def test_alerts_run_rules_of_ones_own(rule: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append("ward.close", **EVENT)
    assert "A ward was closed." not in alerts(path)
    assert "A ward was closed." in alerts(path, "--rules", rule)


def test_the_configuration_names_rules_of_ones_own(rule: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append("ward.close", **EVENT)
    settings = tmp_path / "chained-logging.toml"
    settings.write_text('alert_rules = "rules"\n')  # beside the file
    assert "A ward was closed." in alerts(path, CHAINED_LOGGING_CONFIG=str(settings))


def alerts(*arguments: object, **environment: str) -> str:
    """Return the alerts that are open."""
    done = ready.run(["alerts", *map(str, arguments)], "", {**os.environ, **environment})
    assert done.returncode in (0, 1), done.stderr
    return done.stdout
