"""The overview as a page: the verdict first, and in red where the log is not intact."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from periods import event, write_log
from signed_logs import ORIGIN, Key
from viewers import Access, as_copy, client, links, text

EVENTS = [event(number, tenant="t-1") for number in range(40)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return as_copy(write_log(tmp_path / "audit.jsonl", EVENTS, key=Key(), origin=ORIGIN))


def sections(html: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)", html)


def test_the_sections_have_their_order(path: Path) -> None:
    html = client(path).get("/?since=2024-10-20&until=2024-11-05").text
    assert sections(html) == [
        "Intact: no entry was changed, removed or inserted",
        "2024-10-20 to 2024-11-04",
        "Not covered",
        "In numbers",
        "New in this period",
        "Who read this log, and why",
    ]
    assert "16 entries 16 in the period before" in text(html)


@pytest.mark.parametrize("page", ["/", "/entries", "/entry/3", "/actor?id=user-1"])
def test_a_tampered_log_says_so_first(path: Path, page: str) -> None:
    path.write_bytes(path.read_bytes().replace(b'"user-1"', b'"user-2"', 1))
    html = client(path).get(page).text
    said = text(html.partition("</header>")[2])
    said = said.removeprefix("Overview of audit.jsonl ")  # a heading for screen readers
    assert said.startswith("Tampered with: 2 faults in the chain")
    assert 'role="alert"' in html.partition("</header>")[2][:250]
    assert 'class="badge tampered"' in html
    assert "Nothing is signed" not in said  # a checkpoint is there, and it contradicts
    assert ">signed<" not in html
    assert ("in doubt" in said) is (page != "/")


def test_a_log_that_cannot_be_read_still_has_its_verdict(path: Path) -> None:
    lines = path.read_bytes().splitlines(True)
    path.write_bytes(b"".join(lines[:5]) + b"not an entry\n" + b"".join(lines[5:]))
    answer = client(path).get("/")
    assert answer.status_code == 200
    assert sections(answer.text)[0].startswith("Tampered with")
    assert "The entries cannot be shown" in sections(answer.text)
    assert client(path).get("/entries").status_code == 500
    assert "not an entry" not in client(path, Access("ann", tenants=["t-1"])).get("/").text


def test_who_sees_one_tenant_sees_the_verdict_and_no_number_of_the_whole(path: Path) -> None:
    html = client(path, Access("ann", tenants=["t-1"])).get("/").text
    assert sections(html)[0] == "Intact: no entry was changed, removed or inserted"
    assert "entries were checked" not in html
    assert "Who read this log" not in html


def test_periods_can_be_chosen_and_lead_to_their_entries(path: Path) -> None:
    viewer = client(path)
    html = viewer.get("/").text
    choices = [link for link in links(html) if link.startswith("/?since=")]
    assert len(choices) == 4
    for link in choices:
        assert viewer.get(link).status_code == 200


@pytest.mark.parametrize(
    "query", ["since=2024-11-05&until=2024-10-20", "actor=ann", "since=never", "until=0001-01-01"]
)
def test_what_is_not_a_period_is_a_mistake(path: Path, query: str) -> None:
    assert client(path).get(f"/?{query}").status_code == 400
