"""Each page and each file that shows entries is recorded before it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import stored
from periods import event, write_log
from signed_logs import ORIGIN, Key
from viewers import Access, as_copy, client, text

from chained_logging.event.entry import AuditEntry
from chained_logging.review.reading import Rules


@pytest.fixture
def path(tmp_path: Path) -> Path:
    events = [event(number, tenant="t-1") for number in range(3)]
    return write_log(tmp_path / "audit.db", events, key=Key(), origin=ORIGIN)


PAGES = {
    "/": ("view overview", 0),
    "/entries?actor=user-1": ("view entries", 3),
    "/entries.csv?actor=user-1": ("view csv", 3),
    "/entries.jsonl?actor=user-1": ("view jsonl", 3),
    "/entries.zip?actor=user-1": ("view evidence", 3),
    "/entry/1": ("view entry", 1),
    "/entry/1.json": ("view entry", 1),
    "/entry/1/proof": ("view proof", 1),
    "/actor?id=user-1": ("view actor", 3),
    "/resource?id=patient_record/456": ("view resource", 3),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_reading_is_an_entry(path: Path, page: str) -> None:
    access = Access("eve", reason="complaint 7", about={"role": "dpo"})
    before = len(stored(path))
    assert client(path, access).get(page).status_code == 200
    ((_, body, hash),) = stored(path)[before:]
    entry = AuditEntry(body, hash)
    how, entries = PAGES[page]
    assert (entry.action, entry.on_behalf_of) == ("audit_log.read", "eve")
    assert entry.reason == "complaint 7"
    assert entry.context["how"] == how
    assert entry.context["entries"] == entries
    assert entry.context["role"] == "dpo"
    assert "filter" in entry.context


def test_what_is_refused_is_no_reading(path: Path) -> None:
    before = len(stored(path))
    viewer = client(path, Access("eve", tenants=["t-2"]))
    for page in ("/entries?tenant=t-1", "/entry/1", "/entry/1/proof", "/entries?foo=1", "/nope"):
        assert viewer.get(page).status_code >= 400
    assert len(stored(path)) == before


def test_a_copy_says_that_nothing_is_recorded_and_to_whom_it_matters_why(path: Path) -> None:
    as_copy(path)
    said = text(client(path).get("/entries").text)
    assert "This reading is not recorded" in said
    assert "is a copy" in said
    assert "The log records who reads it" not in said
    said = text(client(path, Access("ann", tenants=["t-1"])).get("/entries").text)
    assert "This reading is not recorded" in said
    assert str(path.parent) not in said


def test_where_readings_must_be_recorded_nothing_is_shown_without(path: Path) -> None:
    as_copy(path)
    viewer = client(path, rules=Rules(recorded=True))
    for page in PAGES:
        answer = viewer.get(page)
        assert answer.status_code == 403
        assert "patient_record/456" not in answer.text.replace("/resource?id=", "")


def test_where_a_reason_must_be_given_nothing_is_shown_without(path: Path) -> None:
    rules = Rules(reason=True)
    assert client(path, rules=rules).get("/entries").status_code == 403
    assert client(path, Access("eve", reason="why"), rules=rules).get("/entries").status_code == 200
