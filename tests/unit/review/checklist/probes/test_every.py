"""Probes by name. One that cannot look says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checklists import ORIGIN, event, looked, recorded

from chained_logging.format.canonical import canonical
from chained_logging.format.line import leaf_hash, stored_line
from chained_logging.format.record import Record
from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.probes.every import PROBES
from chained_logging.review.checklist.subject import Subject
from chained_logging.sinks import open_sink


@pytest.mark.parametrize("name", PROBES)
def test_no_probe_calls_met_what_is_not_there(name: str, tmp_path: Path) -> None:
    found = looked(Subject(str(tmp_path / "missing.db")), name)
    assert found.probe == name
    assert found.status is not Status.MET


@pytest.mark.parametrize("name", PROBES)
def test_each_probe_looks_without_a_number_of_days(name: str, tmp_path: Path) -> None:
    assert looked(recorded(tmp_path / "audit.db"), name).sentence


FORGED = [
    "alert.raise", "alert.deliver", "backup.make", "backup.test", "retention.apply",
    "log.recover", "watch.verify", "review.sign", "audit_log.read",
]  # fmt: skip


@pytest.mark.parametrize("context", ["[]", "null", "1", '{"days":"x","selector":7,"alert":[]}'])
def test_nothing_that_somebody_wrote_into_a_log_makes_a_probe_fail(
    context: str, tmp_path: Path
) -> None:
    path = recorded(tmp_path / "audit.jsonl", key=None)
    with path.open("ab") as file:
        for action in FORGED:
            (*_, last) = open_sink(path).records()
            body = own(action, context, last)
            file.write(stored_line(body, leaf_hash(body)) + b"\n")
            file.flush()
    for name in PROBES:
        found = looked(path, name)
        assert found.sentence
        assert (name, found.status) not in {("backed_up", Status.MET), ("delivery", Status.MET)}


def own(action: str, context: str, last: Record) -> bytes:
    """Return the body of an entry in the log's own name, whatever its context."""
    about = {
        "action": action, "actor_id": "chained_logging", "actor_type": "system",
        "context": json.loads(context), "id": f"01980000-0000-7000-8000-{last.seq:012d}",
        "ip_address": None, "prev_hash": last.hash, "resource_id": ORIGIN,
        "resource_type": "audit_log", "result": "success", "seq": last.seq + 1,
        "timestamp": event()["timestamp"].replace("+00:00", "Z"), "v": 1,
    }  # fmt: skip
    return canonical(about)


def test_a_broken_configuration_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = recorded(tmp_path / "audit.db")
    (tmp_path / "chained-logging.toml").write_text("wrong = true\n")
    found = looked(path, "key")
    assert found.status is Status.UNSEEN
    assert "wrong is not a setting" in found.sentence
