"""What was removed where a filter looks is said, by policy: never a silent zero."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import command
from stubbed import OLD, Chain, stamp

from chained_logging.review.filter import Filter
from chained_logging.review.opening import open_log
from chained_logging.review.period import Period
from chained_logging.review.purged import purged
from chained_logging.review.report.contents import Asked, contents, size_of
from chained_logging.review.report.page import page
from chained_logging.review.verdict import judge

STORES = ["log.jsonl", "log.db"]


def usual() -> Chain:
    chain = Chain()
    chain.grow(40)
    chain.purge([*range(5, 12), 14, 16], policy="hipaa")
    chain.purge([*range(20, 30)], policy="pci", clause=None, selector={"tenant_id": ["acme"]})
    chain.grow(3)
    return chain


def second(number: int) -> str:
    return stamp(OLD + timedelta(seconds=number))


def said(path: Path, **fields: Any) -> dict[str, int]:
    with open_log(str(path)) as engine:
        return {each.policy: each.entries for each in purged(engine, Filter(**fields))}


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"hipaa": 9, "pci": 10}),
        ({"first_seq": 6, "last_seq": 15}, {"hipaa": 7}),
        ({"first_seq": 30}, {}),
        ({"first_seq": 12, "last_seq": 13}, {}),
        ({"since": second(7), "until": second(10)}, {"hipaa": 7}),
        ({"since": second(13), "until": second(25)}, {"hipaa": 2, "pci": 10}),
        ({"since": second(33)}, {}),
        ({"until": second(4)}, {}),
        ({"until": second(6)}, {"hipaa": 7}),
        ({"since": "2099-01-01T00:00:00.000000Z"}, {}),
        ({"tenant": ("acme",)}, {"hipaa": 9, "pci": 10}),
        ({"tenant": ("other",)}, {"hipaa": 9}),
    ],
)
def test_what_was_removed_in_a_period_is_counted_by_policy(
    tmp_path: Path, name: str, fields: dict[str, Any], expected: dict[str, int]
) -> None:
    assert said(usual().write(tmp_path / name), **fields) == expected


def test_what_is_named_and_still_there_was_not_removed(tmp_path: Path) -> None:
    chain = usual()
    chain.stubs = set()
    assert said(chain.write(tmp_path / "log.jsonl")) == {}


def test_an_entry_of_another_actor_says_nothing(tmp_path: Path) -> None:
    chain = usual()
    chain.purge([33], policy="mine", fields={"actor_id": "eve", "ip_address": "::1"}, stub=False)
    assert said(chain.write(tmp_path / "log.jsonl")) == {"hipaa": 9, "pci": 10}


@pytest.mark.parametrize("name", STORES)
def test_query_says_it_whatever_it_finds(tmp_path: Path, name: str) -> None:
    path = usual().write(tmp_path / name)
    for options in (["--seq", "6-9"], ["--seq", "3-9", "--json"], ["--actor", "ann"]):
        done = command("query", path, *options)
        assert done.returncode == 0, done.stderr
        assert "entries of this period were purged under policy hipaa" in done.stderr
        assert "45 CFR 164.316(b)(2)(i)" in done.stderr
    assert "purged" not in command("query", path, "--seq", "33-35").stderr


def test_a_policy_cannot_steer_the_terminal(tmp_path: Path) -> None:
    chain = Chain()
    chain.grow(9)
    chain.purge([3], policy="x\x1b[2J")
    done = command("query", chain.write(tmp_path / "log.jsonl"))
    assert "1 entry of this period was purged" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("address", ["/entries", "/entries?seq=6-9", "/actor?id=ann", "/"])
def test_the_viewer_says_it_to_who_sees_all_and_hints_at_it_to_others(
    tmp_path: Path, address: str
) -> None:
    viewers = pytest.importorskip("viewers")
    path = usual().write(tmp_path / "log.db")
    since = f"{'&' if '?' in address else '?'}since={second(0)}&until={second(60)}"
    address += since if address == "/" else ""
    with viewers.client(path) as client:
        shown = viewers.text(client.get(address).text)
    assert "purged under policy hipaa" in shown
    with viewers.client(path, viewers.Access("tom", tenants=("acme",))) as client:
        shown = viewers.text(client.get(address).text)
    assert "hipaa" not in shown
    if address != "/actor?id=ann":
        assert "entries of this period were purged" in shown.lower()


def test_a_report_says_it_among_what_is_not_covered(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    path = usual().write(tmp_path / "log.db")
    verdict = judge(str(path))
    with open_log(str(path)) as engine:
        asked = Asked(str(path), "soc2", Period(second(0), second(60)), size_of(engine, verdict))
        html = page(contents(engine, asked, verdict)).decode()
    assert "9 entries of this period were purged under policy hipaa" in html
    assert "purged since" in html
