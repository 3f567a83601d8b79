"""The page of a report: the verdict first, the same bytes again, and hostile values as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from periods import event, write_log
from signed_logs import ORIGIN, Key

from chained_logging.review.opening import open_log
from chained_logging.review.period import Period
from chained_logging.review.report.contents import Asked, contents, size_of, unread
from chained_logging.review.report.page import _TITLES, command, page
from chained_logging.review.verdict import judge

NOVEMBER = Period("2024-11-01T00:00:00.000000Z", "2024-12-01T00:00:00.000000Z")
HOSTILE = {
    "actor": "<script>alert(1)</script>",
    "resource": ("\u202efdp.exe", "\x1b[2J"),
    "reason": "x" * 60_000,
    "context": {"a": "</script><img src=//evil.example/x onerror=alert(2)>"},
}
EVENTS = [
    event(5),
    event(33, "update", actor="root", actor_type="admin", changed_fields=["name", "<b>"]),
    event(34, '"><svg onload=alert(3)>' + "y" * 500, result="denied", **HOSTILE),
    event(35, "export", **HOSTILE),
]


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def ids(self) -> list[str | None]:
        return [given["id"] for _, given in self.tags if "id" in given]


def made(path: Path, standard: str = "soc2") -> bytes:
    verdict = judge(str(path))
    with open_log(str(path)) as engine:
        asked = Asked(str(path), standard, NOVEMBER, size_of(engine, verdict))
        return page(contents(engine, asked, verdict))


@pytest.fixture(params=["jsonl", "db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"audit.{request.param}"
    return write_log(path, EVENTS, key=Key(), origin=ORIGIN)


def test_the_sections_are_there_in_their_order(path: Path) -> None:
    ids = [id for id in Seen(made(path)).ids if id in _TITLES]
    assert ids == [id for id in _TITLES if id != "checklist"]  # that is added when asked for


@pytest.mark.parametrize("standard", ["soc2", "hipaa", "pci", "gdpr"])
def test_each_link_leads_somewhere(path: Path, standard: str) -> None:
    seen = Seen(made(path, standard))
    links = [given["href"] for tag, given in seen.tags if tag == "a"]
    inside = {str(link)[1:] for link in links if str(link).startswith("#")}
    assert inside <= set(seen.ids)
    outside = [str(link) for link in links if not str(link).startswith("#")]
    assert all(link.startswith("data:application/octet-stream;base64,") for link in outside)
    assert len(outside) == 3  # a proof for each entry of the period
    assert len(seen.ids) == len(set(seen.ids))


def test_the_same_log_makes_the_same_bytes(path: Path) -> None:
    assert made(path) == made(path)


def test_what_others_wrote_is_text(path: Path) -> None:
    html = made(path)
    seen = Seen(html)
    assert [tag for tag, _ in seen.tags].count("script") == 1
    assert not {"img", "iframe", "object", "form", "base"} & {tag for tag, _ in seen.tags}
    assert not any(name.startswith("on") for _, given in seen.tags for name in given)
    assert {given.get("src") for _, given in seen.tags} == {None}
    texts = "\n".join(seen.texts)
    assert "<script>alert(1)</script>" in texts
    assert r"\u202efdp.exe/\x1b[2J" in texts
    assert "name, <b>" in texts
    assert not re.search("[\u202a-\u202e\x1b]", html.decode())
    assert "(523 characters)" in texts


def test_a_log_that_was_tampered_with_says_so_first(path: Path) -> None:
    if path.suffix == ".jsonl":
        path.write_bytes(path.read_bytes().replace(b'"root"', b'"toor"'))
    else:
        import sqlite3

        with sqlite3.connect(path) as database:
            database.execute("DROP TRIGGER IF EXISTS entries_no_update")
            names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (name,) in names.fetchall():
                database.execute(f"DROP TRIGGER {name}")
            database.execute("UPDATE entries SET body = replace(body, '\"root\"', '\"toor\"')")
        database.close()
    seen = Seen(made(path))
    first = next(given for tag, given in seen.tags if tag == "section")
    assert first == {
        "id": "verdict",
        "class": "verdict tampered",
        "aria-labelledby": "verdict-title",
    }
    said = [text.strip() for text in seen.texts if text.strip()]
    assert said[0].startswith("TAMPERED: audit.")
    after = said[said.index("Audit report for SOC 2") + 1 :]
    assert after[0].startswith("Tampered with: ")
    assert after[1].startswith("Do not rely on what follows")
    assert made(path) == made(path)


def test_a_log_that_cannot_be_read_has_its_verdict(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text("no entry\n")
    asked = Asked(str(path), "gdpr", NOVEMBER, 0)
    texts = "".join(Seen(page(unread(asked, judge(str(path)), "<it> is not a log"))).texts)
    assert "Nothing else can be reported." in texts
    assert "The entries could not be read: <it> is not a log" in texts


def test_the_command_makes_the_report_again() -> None:
    asked = Asked("/var/log/an audit.db", "pci", NOVEMBER, 7, 20)
    assert command(asked) == (
        "chained-logging report 'an audit.db' --standard pci --from 2024-11-01T00:00:00Z --to "
        "2024-12-01T00:00:00Z --size 7 --sample 20 -o report.html"
    )
    store = asked._replace(log="postgresql://me:secret@db/audit?password=secret")
    assert store.name == "db/audit"
    assert command(store).startswith("chained-logging report postgresql://db/audit --standard")
    assert "secret" not in command(store)
