"""What holds for each answer, and what no page takes."""

from __future__ import annotations

from typing import Any

import pytest
from periods import event, write_log
from viewers import as_copy, client

from chained_logging.review.viewer.guard import HEADERS, LONGEST


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("guard")
    return client(as_copy(write_log(folder / "audit.jsonl", [event(1)])))


@pytest.mark.parametrize(
    "page", ["/", "/entries", "/entries.csv", "/static/viewer.css", "/nope", "/entry/99", "/?a=1"]
)
def test_every_answer_has_the_headers(viewer: Any, page: str) -> None:
    headers = viewer.get(page).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy  # so that none runs


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_shows(viewer: Any, method: str) -> None:
    answer = viewer.request(method, "/entries")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_an_address_has_a_longest_length(viewer: Any) -> None:
    assert viewer.get("/entries?actor=" + "a" * (LONGEST - 50)).status_code == 200
    answer = viewer.get("/entries?actor=" + "a" * LONGEST)
    assert answer.status_code == 414
    assert set(HEADERS) <= set(answer.headers)


def test_pages_have_no_script_and_no_style_of_their_own(viewer: Any) -> None:
    for page in ("/", "/entries", "/entry/1", "/actor?id=user-1"):
        html = viewer.get(page).text
        assert "<script" not in html
        assert "style=" not in html
        assert "<style" not in html
        assert " on" not in html.replace(" on behalf", "").split("<main")[0]
