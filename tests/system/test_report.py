"""A report in a real Chromium: it works, asks nobody, and everybody can use it.

``SCREENSHOTS=folder pytest tests/system/test_report.py`` keeps a picture of each view.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oracles
import pytest
from browser import chromium, emulate, requests, serious, shoot
from commands import command
from periods import event, write_log
from signed_logs import ORIGIN, Key, append_lines, own
from thorough import some

by = oracles.module("selenium.webdriver.common.by").By

HOSTILE = {
    "actor": "<script>document.title='owned'</script>",
    "resource": "letter/\u202efdp.exe",
    "reason": "x" * 60_000,
    "user_agent": "'\"><img src=https://evil.example/x onerror=alert(1)>",
}
LOST = {"cause": "the machine was restarted, and the entries after 7 were not on disk", "lost": 3}


def events() -> list[dict[str, Any]]:
    """Return a month, with a value in it that nobody should write."""
    actions = ["read", "read", "update", "export", "login"]
    made = [
        event(
            30 + n / 12,
            actions[n % 5],
            actor=f"user-{n % 9}" if n % 7 else "admin-1",
            actor_type="user" if n % 7 else "admin",
            resource=f"patient_record/{n % 40}",
            result="denied" if n % 11 == 0 else "success",
            **({"changed_fields": ["name", "street"]} if n % 5 == 2 else {}),
        )
        for n in range(300)
    ]
    return [event(5), *made, event(55, **HOSTILE), event(55.1, "y" * 300)]


def written(folder: Path, *, intact: bool = True) -> Path:
    log = folder / "audit.jsonl"
    write_log(log, events()[:50], origin=ORIGIN)
    append_lines(log, [own("log.recover", **LOST)], own=True)
    if intact:
        write_log(log, events()[50:], key=Key())
    else:
        log.write_bytes(log.read_bytes().replace(b"user-3", b"user-4", 1))
    page = folder / "report.html"
    period = ("--from", "2024-10-20Z", "--to", "2024-12-01Z")
    done = command("report", log, "--standard", "hipaa", *period, "-o", page)
    assert done.returncode == (0 if intact else 1), done.stderr
    return page


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(tmp_path: Path, driver: Any) -> str:
    """The address of a report, which is open."""
    emulate(driver)
    address = written(tmp_path).as_uri()
    requests(driver)
    driver.get_log("browser")
    driver.get(address)
    return address


def test_it_asks_nobody_and_what_others_wrote_is_text(page: str, driver: Any) -> None:
    for each in driver.find_elements(by.TAG_NAME, "summary"):
        driver.execute_script("arguments[0].parentElement.open = true", each)
    assert {one for one in requests(driver) if not one.startswith("data:")} == {page}
    assert driver.get_log("browser") == []
    assert driver.title.startswith("Audit report: audit.jsonl")
    text = driver.find_element(by.TAG_NAME, "body").text
    assert "<script>document.title='owned'</script>" in text
    assert r"letter/\u202efdp.exe" in text
    assert "\u202e" not in driver.page_source
    shoot(driver, "report")


def test_a_table_is_filtered_and_sorted(page: str, driver: Any) -> None:
    def column(number: int) -> list[str]:
        rows = driver.find_elements(by.CSS_SELECTOR, "#actors tbody tr")
        cells = [row.find_elements(by.TAG_NAME, "td")[number] for row in rows]
        return [cell.text for cell in cells if cell.is_displayed()]

    head = driver.find_element(by.CSS_SELECTOR, "#actors th:nth-child(3)")
    counts = list(map(int, column(2)))
    assert counts == sorted(counts, reverse=True)
    head.find_element(by.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert list(map(int, column(2))) == sorted(counts)
    head.find_element(by.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert list(map(int, column(2))) == counts
    field = driver.find_element(by.CSS_SELECTOR, "#actors input")
    field.send_keys("ADMIN-1")
    assert column(0) == ["admin-1"]
    assert driver.find_element(by.CSS_SELECTOR, "#actors output").text.startswith("1 of ")


def test_a_link_to_a_sampled_entry_opens_it(page: str, driver: Any) -> None:
    link = driver.find_element(by.CSS_SELECTOR, "#sample tbody a")
    link.click()
    entry = driver.find_element(by.ID, link.get_attribute("href").rpartition("#")[2])
    assert "c2sp.org/tlog-proof@v1" in entry.text


@pytest.mark.parametrize("view", some(["dark", "plain", "phone", "print"], 4))
def test_everybody_can_use_it(page: str, driver: Any, view: str) -> None:
    emulate(
        driver,
        width=390 if view == "phone" else 0,
        scheme="dark" if view == "dark" else "",
        media="print" if view == "print" else "",
    )
    driver.get(page)
    assert serious(driver) == []
    wide = driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    field = driver.find_element(by.CSS_SELECTOR, "#actors .filter input")
    assert field.is_displayed() == (view != "print")
    shoot(driver, f"report-{view}")


def test_a_log_that_was_tampered_with_is_red_at_first_sight(tmp_path: Path, driver: Any) -> None:
    emulate(driver)
    driver.get(written(tmp_path, intact=False).as_uri())
    verdict = driver.find_element(by.CSS_SELECTOR, "main > *")
    assert verdict.text.startswith("Tampered with: ")
    red, green, blue = (
        int(part)
        for part in driver.execute_script(
            "return getComputedStyle(arguments[0]).backgroundColor.match(/\\d+/g)", verdict
        )[:3]
    )
    assert red > green + 15
    assert red > blue + 15
    assert verdict.location["y"] < 150
    assert serious(driver) == []
    shoot(driver, "report-tampered")


def test_a_policy_stops_any_other_script(page: str, driver: Any, tmp_path: Path) -> None:
    html = (tmp_path / "report.html").read_text()
    changed = tmp_path / "changed.html"
    changed.write_text(html.replace("<main>", "<main><script>document.title = 'owned'</script>"))
    driver.get(changed.as_uri())
    assert driver.title != "owned"
    assert "Content Security Policy" in str(driver.get_log("browser"))


@pytest.mark.parametrize("view", some(["plain", "dark", "phone", "print"], 4))
def test_everybody_can_use_a_checklist(tmp_path: Path, driver: Any, view: str) -> None:
    log, page = tmp_path / "audit.jsonl", tmp_path / "checklist.html"
    write_log(log, [event(30, **HOSTILE)], origin=ORIGIN)
    command("checklist", log, "--standard", "pci", "-o", page)
    emulate(
        driver,
        width=390 if view == "phone" else 0,
        scheme="dark" if view == "dark" else "",
        media="print" if view == "print" else "",
    )
    requests(driver)
    driver.get_log("browser")
    driver.get(page.as_uri())
    assert serious(driver) == []
    wide = driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    assert {one for one in requests(driver) if not one.startswith("data:")} == {page.as_uri()}
    assert driver.get_log("browser") == []
    shoot(driver, f"checklist-{view}")
