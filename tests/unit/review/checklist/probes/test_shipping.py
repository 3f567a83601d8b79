"""Shipped to a store that is asked itself; on the way encrypted."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import configured, is_met, looked, recorded

from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.probes.shipping import is_here
from chained_logging.review.checklist.subject import Subject
from chained_logging.ship.progress import Progress, write_progress


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return tmp_path


def test_shipped_nowhere_is_not_met(path: Path) -> None:
    found = looked(recorded(path), "shipped")
    assert not is_met(found)
    assert "chained-logging ship" in (found.mend or "")


def test_a_store_that_does_not_answer_is_not_met_and_not_called_not_met(path: Path) -> None:
    subject = Subject(str(recorded(path)), stores=("postgresql://u:hush@127.0.0.1:1/audit",))
    found = looked(subject, "shipped")
    assert found.status is Status.UNSEEN
    assert "could not be asked" in found.sentence
    assert "hush" not in str(found)


def test_what_only_the_shipper_says_is_not_enough(path: Path) -> None:
    recorded(path)
    write_progress(path, Progress("postgresql://db/audit", seq=99))
    found = looked(path, "shipped")
    assert found.status is Status.UNSEEN
    assert found.mend == "give it: --store postgresql://db/audit"


def test_a_feed_cannot_be_asked(path: Path, folder: Path) -> None:
    configured(folder, f'log = "{path}"\nship = ["https://siem.example/in"]\n')
    found = looked(recorded(path), "shipped")
    assert found.status is Status.UNSEEN
    assert "cannot be asked" in found.sentence


def test_a_store_cannot_say_what_its_writer_holds() -> None:
    assert looked(Subject("postgresql://db/audit"), "shipped").status is Status.UNSEEN


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://siem.example/in", True),
        ("http://siem.example/in", False),
        ("http://127.0.0.1:8080/in", True),
        ("syslog+tls://siem.example", True),
        ("tls://nats.example/AUDIT", True),
        ("nats://nats.example/AUDIT", False),
    ],
)
def test_transport_is_met_over_tls_or_on_this_machine(
    path: Path, folder: Path, url: str, good: bool
) -> None:
    configured(folder, f'log = "{path}"\nship = ["{url}"]\n')
    assert is_met(looked(recorded(path), "transport")) is good


@pytest.mark.parametrize(
    ("endpoint", "good"), [("https://s3.example", True), ("http://s3.example", False)]
)
def test_transport_to_s3_is_that_of_its_endpoint(
    path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str, good: bool
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    subject = Subject(str(recorded(path)), stores=("s3://bucket/logs",))
    assert is_met(looked(subject, "transport")) is good


def test_without_a_destination_nothing_is_seen_on_the_way(path: Path) -> None:
    assert looked(recorded(path), "transport").status is Status.UNSEEN


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("db", False), (None, False)],
)
def test_which_hosts_are_this_machine(host: str | None, here: bool) -> None:
    assert is_here(host) is here
