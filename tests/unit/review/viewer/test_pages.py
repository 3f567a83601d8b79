"""The pages of entries: what is found, how many, what they have in common, and where to go on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from periods import event, write_log
from signed_logs import ORIGIN, Key, append_lines
from viewers import as_copy, client, links, text

EVENTS = [
    event(
        number / 4,
        ("read", "write")[number % 5 == 0],
        actor=f"user-{number % 3}",
        ip=f"10.0.0.{number % 2}",
        result=("success", "denied")[number % 10 == 0],
        resource=f"patient_record/{number % 4}",
    )
    for number in range(120)
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    path = write_log(folder / "audit.jsonl", EVENTS, key=Key(), origin=ORIGIN)
    append_lines(path, [event(40, "late", actor="ann")])
    return as_copy(path)


@pytest.fixture(scope="module")
def viewer(path: Path) -> Any:
    return client(path)


def seqs(html: str) -> list[int]:
    return [int(found) for found in re.findall(r'aria-label="Entry (\d+)', html)]


def test_pages_follow_each_other_and_hold_each_entry_once(viewer: Any) -> None:
    found, link, pages = [], "/entries?actor=user-1", 0
    while link:
        html = viewer.get(link).text
        found += seqs(html)
        pages += 1
        link = next((each for each in links(html) if "before=" in each), "")
    assert pages == 1
    assert found == sorted(found, reverse=True)
    assert len(found) == 40
    found, link = [], "/entries?seq=0-120"
    while link:
        html = viewer.get(link).text
        found += seqs(html)
        link = next((each for each in links(html) if "before=" in each), "")
    assert found == list(range(120, -1, -1))


def test_a_form_is_led_to_the_one_address_of_its_filter(viewer: Any) -> None:
    answer = viewer.get("/entries?result=denied&actor=user-1&action=&since=&text=")
    assert str(answer.url).endswith("/entries?actor=user-1&result=denied")
    assert len(answer.history) == 1
    assert "4 entries by user-1, with result denied" in text(answer.text)


def test_facets_count_and_lead_to_what_they_count(viewer: Any) -> None:
    html = viewer.get("/entries?actor=user-1").text
    facets = re.findall(r'<li><a href="([^"]*)"[^>]*><span class="value">.*?count">(\d+)<', html)
    assert len(facets) >= 8
    for link, count in facets:
        if "actor=user-1" in link:  # the chosen one leads to what is found without it
            said = text(viewer.get(link.replace("&amp;", "&")).text)
            assert re.search(rf"\b{count} (entry|entries)\b", said), (link, count)


def test_a_chosen_facet_and_a_chip_lead_back(viewer: Any) -> None:
    html = viewer.get("/entries?action=write&actor=user-1").text
    assert 'aria-current="true"' in html
    assert {"/entries?action=write", "/entries?actor=user-1"} <= set(links(html))


def test_each_row_says_whether_a_checkpoint_covers_it(viewer: Any) -> None:
    rows = viewer.get("/entries?seq=119-121").text.split('<tr><th scope="row" class="n">')[1:]
    assert len(rows) == 3
    assert "late" in rows[0]
    assert ["not signed yet" in row for row in rows] == [True, False, False]
    assert [">signed<" in row for row in rows] == [False, True, True]


def test_what_is_not_found_is_explained(viewer: Any) -> None:
    said = text(viewer.get("/entries?actor=usr-1").text)
    assert "0 entries by usr-1" in said
    assert "did you mean user-1" in said


def test_a_mistake_is_said_with_how_to_mend_it(viewer: Any) -> None:
    answer = viewer.get("/entries?since=never")
    assert answer.status_code == 400
    assert "Since must be a date" in text(answer.text)


def test_hostile_values_are_text(tmp_path: Path) -> None:
    events = [
        event(
            1,
            "<b>",
            actor="<script>alert(1)</script>",
            resource="x/\u202egnp.exe",
            reason="\x1b[31m'\"",
            blob="<img src=x onerror=alert(1)>" * 2000,
            user_agent="</td></table>",
        )
    ]
    viewer = client(write_log(tmp_path / "audit.db", events))
    for page in (
        *("/", "/entries", "/entry/1", "/entries?actor=%3Cscript%3Ealert(1)%3C/script%3E"),
        *("/actor?id=%3Cscript%3Ealert(1)%3C/script%3E", "/resource?id=%22%3E%3Cimg%3E"),
        *("/entries?actor=%22%3E%3Cscript%3E", "/entries?%3Cscript%3E=1"),
    ):
        html = viewer.get(page).text
        assert "<script" not in html, page
        assert "<img" not in html, page
        assert "\x1b" not in html, page
        assert "\u202e" not in html, page
    assert "x/\\u202egnp.exe" in viewer.get("/entry/1").text


def test_one_entry_with_all_its_fields(viewer: Any) -> None:
    html = viewer.get("/entry/7").text
    stored = viewer.get("/entry/7.json").json()
    for name in ("actor_id", "hash", "prev_hash", "id", "timestamp"):
        assert stored[name] in html
    assert viewer.get("/entry/122").status_code == 404
    assert viewer.get(f"/entry/{10**30}").status_code == 404


def test_a_time_line_of_one_actor_and_of_one_resource(viewer: Any) -> None:
    html = viewer.get("/actor?id=user-1").text
    assert len(seqs(html)) == 40
    assert "user-2" not in html
    assert re.findall(r'id="day-([\d-]+)"', html) == sorted(
        set(re.findall(r'id="day-([\d-]+)"', html)), reverse=True
    )
    assert len(seqs(viewer.get("/resource?id=patient_record/3").text)) == 30
    assert viewer.get("/actor").status_code == 400
    assert viewer.get("/actor?id=user-1&action=read").status_code == 400
    assert "o entry of the log is one by nobody" in viewer.get("/actor?id=nobody").text
