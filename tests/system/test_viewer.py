"""The viewer in a real Chromium: its pages work, ask nobody else, and everybody can use them.

``SCREENSHOTS=folder pytest tests/system/test_viewer.py`` keeps a picture of each page.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oracles
import pytest
from browser import chromium, emulate, requests, serious, shoot, viewing
from findings import finding
from periods import event, write_log
from signed_logs import ORIGIN, Key, append_lines

from chained_logging.review.alerts.desk import Desk
from chained_logging.review.opening import stored

keys = oracles.module("selenium.webdriver.common.keys").Keys
by = oracles.module("selenium.webdriver.common.by").By

HOSTILE = {
    "actor": "<script>document.title='owned'</script>",
    "resource": "letter/\u202efdp.exe",
    "reason": "\x1b[2J\x1b[31mred",
    "user_agent": "'\"><img src=https://evil.example/x onerror=alert(1)>",
    "blob": "a long text " * 5000,
    "css": "</style><link rel=stylesheet href=https://evil.example/x>",
}


TYPES = ["patient_record", "invoice"]


def events() -> list[dict[str, Any]]:
    """Return two months of a ward: what a compliance officer sees."""
    chance = random.Random(17)
    made = []
    for day in range(60):
        for hour in range(0 if 40 < day < 44 else chance.randint(8, 20)):
            who = chance.choice(["ann", "bob", "carla.meyer@clinic.example"][: 2 + (day > 30)])
            action = chance.choices(["read", "write", "login", "export"], [70, 15, 10, 5])[0]
            more: dict[str, Any] = {}
            if action == "write":
                more = {
                    "changed_fields": ["diagnosis"],
                    "old_values": {"diagnosis": "J45"},
                    "reason": "Correction after the ward round",
                }
            made.append(
                event(
                    day + hour / 24,
                    action,
                    actor=who,
                    ip=f"10.0.0.{chance.randint(1, 9)}",
                    resource=f"{chance.choice(TYPES)}/{chance.randint(1, 40)}",
                    result=chance.choices(["success", "denied", "failure"], [90, 6, 4])[0],
                    **more,
                )
            )
    made.append(event(59.9, "read", actor="", resource="patient_record/3"))
    made.append(event(59.5, "note", **HOSTILE))
    return made


EVENTS = events()
HOSTILE_SEQ = len(EVENTS)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("viewer")
    path = write_log(folder / "audit.db", EVENTS, key=Key(), origin=ORIGIN)
    append_lines(path, [event(60, "late", actor="ann")])
    return path


def found(driver: Any, selector: str) -> Any:
    """Return an element once it is there: the first page loads again when the log is checked."""
    driver.implicitly_wait(30)
    try:
        return driver.find_element(by.CSS_SELECTOR, selector)
    finally:
        driver.implicitly_wait(0)


@pytest.fixture(scope="module")
def site(log: Path) -> Iterator[tuple[Any, str]]:
    """A browser that opened the log, and the origin of its pages."""
    with viewing(log, "--reason", "quarterly review") as address, chromium() as driver:
        base = address.partition("/open/")[0]
        driver.get(address)
        found(driver, "#verdict")
        assert driver.current_url == f"{base}/"
        requests(driver)  # those of the browser's first page
        yield driver, base


PAGES = {
    "overview": "/?since=2024-11-01&until=2024-12-01",
    "entries": "/entries?until=2025-01-01T00:00:00.000000Z",
    "filtered": "/entries?actor=ann&action=export&result=denied&result=failure",
    "nothing": "/entries?actor=an",
    "entry": f"/entry/{HOSTILE_SEQ}",
    "actor": "/actor?id=ann",
    "resource": "/resource?id=patient_record/3",
    "reviews": "/reviews",
    "missing": "/entry/999999",
}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, site: tuple[Any, str]) -> Iterator[tuple[str, Any]]:
    driver, base = site
    driver.get_log("browser")
    driver.get(base + PAGES[request.param])
    yield request.param, driver
    emulate(driver)


def test_a_page_has_no_error_and_asks_nobody_else(
    page: tuple[str, Any], site: tuple[Any, str]
) -> None:
    name, driver = page
    shoot(driver, name)
    messages = [one["message"] for one in driver.get_log("browser")]
    assert not [each for each in messages if name != "missing" or "404" not in each]
    asked = requests(driver)
    assert asked
    assert not [url for url in asked if not url.startswith(f"{site[1]}/")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(page: tuple[str, Any], scheme: str) -> None:
    name, driver = page
    emulate(driver, scheme=scheme)
    for details in driver.find_elements(by.TAG_NAME, "details"):
        driver.execute_script("arguments[0].open = true", details)
    if scheme == "dark":
        shoot(driver, f"{name}-dark")
    back = "return getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"
    colours = driver.execute_script(back)
    assert max(colours) < 60 if scheme == "dark" else min(colours) > 200
    assert serious(driver) == []


def test_it_fits_a_phone(page: tuple[str, Any]) -> None:
    name, driver = page
    emulate(driver, width=360)
    shoot(driver, f"{name}-phone")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 360
    assert serious(driver) == []


def test_it_is_printed_without_what_cannot_be_used_on_paper(page: tuple[str, Any]) -> None:
    name, driver = page
    emulate(driver, media="print")
    shoot(driver, f"{name}-print")
    assert not [form for form in driver.find_elements(by.TAG_NAME, "form") if form.is_displayed()]
    assert driver.find_element(by.TAG_NAME, "main").is_displayed()
    assert driver.execute_cdp_cmd("Page.printToPDF", {})["data"]


def test_a_review_is_begun_and_signed_with_the_keyboard(site: tuple[Any, str], log: Path) -> None:
    driver, base = site
    driver.get_log("browser")
    driver.get(f"{base}/reviews")
    driver.find_element(by.XPATH, "//button[text()='Begin a review']").send_keys(keys.ENTER)
    found(driver, "form[aria-label^='Sign review']")
    shoot(driver, "reviews-begun")
    assert serious(driver) == []
    driver.find_element(by.NAME, "name").send_keys("Eve <Meyer>")
    driver.find_element(by.NAME, "conclusion").send_keys("All in order, <b>but</b> see entry 3.")
    driver.find_element(by.XPATH, "//button[text()='Sign']").send_keys(keys.ENTER)
    said = found(driver, ".signature").text
    shoot(driver, "reviews-signed")
    assert "Eve <Meyer>" in said
    assert "All in order, <b>but</b> see entry 3." in said
    assert serious(driver) == []
    assert driver.current_url == f"{base}/reviews"
    assert [message for message in driver.get_log("browser")] == []
    signed = [entry for entry in stored(str(log)) if entry.action == "review.sign"]
    assert signed[-1].context["said"]["checkpoint"]["size"] > 0


def test_an_alert_is_acknowledged_with_the_keyboard(site: tuple[Any, str], log: Path) -> None:
    driver, base = site
    long = finding(severity="critical", sentence="ann " + "read a record. " * 40, count=30)
    with Desk(str(log)) as desk:
        desk.rounds([]).take([long, finding(rule="other", subject=HOSTILE["actor"], entries=(3,))])
    driver.get_log("browser")
    driver.get(f"{base}/alerts")
    for folded in driver.find_elements(by.CSS_SELECTOR, "details.decide summary"):
        folded.send_keys(keys.ENTER)
    looks: list[dict[str, Any]]
    looks = [{"scheme": "light"}, {"scheme": "dark"}, {"width": 360}, {"media": "print"}]
    for look in looks:
        emulate(driver, **look)
        shoot(driver, "alerts-" + "-".join(map(str, look.values())))
        assert "media" in look or serious(driver) == []
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= look.get("width", 2_000)
        on_paper = [one.is_displayed() for one in driver.find_elements(by.TAG_NAME, "form")]
        assert any(on_paper) == ("media" not in look)
    emulate(driver)
    first = driver.find_element(by.CSS_SELECTOR, "article")
    assert first.text.startswith("critical ann read a record.")
    first.find_element(by.NAME, "reason").send_keys("Her own record: <b>fine</b>.")
    first.find_element(by.TAG_NAME, "button").send_keys(keys.ENTER)
    said = found(driver, "section[aria-labelledby=acknowledged] article").text
    shoot(driver, "alerts-acknowledged")
    assert "Her own record: <b>fine</b>." in said
    assert len(driver.find_elements(by.CSS_SELECTOR, "section[aria-labelledby=open] article")) == 1
    assert driver.current_url == f"{base}/alerts"
    assert driver.get_log("browser") == []
    decided = [entry for entry in stored(str(log)) if entry.action == "alert.acknowledge"]
    assert [entry.reason for entry in decided] == ["Her own record: <b>fine</b>."]


def test_hostile_values_are_text(site: tuple[Any, str]) -> None:
    driver, base = site
    driver.get(f"{base}/entry/{HOSTILE_SEQ}")
    said = driver.find_element(by.TAG_NAME, "main").text
    assert HOSTILE["actor"] in said
    assert "letter/\\u202efdp.exe" in said
    assert "\\x1b[2J\\x1b[31mred" in said
    assert HOSTILE["user_agent"] in said
    assert driver.title.startswith("Entry")
    assert not driver.find_elements(by.CSS_SELECTOR, "img, script, link[href*=evil]")
    fold = driver.find_element(by.CSS_SELECTOR, "details.fold")
    assert not fold.find_element(by.CSS_SELECTOR, ".long").is_displayed()
    fold.find_element(by.TAG_NAME, "summary").click()
    assert len(fold.find_element(by.CSS_SELECTOR, ".long").text) >= 59_000


def test_filters_facets_and_the_cursor_by_hand(site: tuple[Any, str]) -> None:
    driver, base = site
    driver.get(f"{base}/entries")
    driver.find_element(by.NAME, "actor").send_keys("ann")
    driver.find_element(by.NAME, "since").send_keys("2024-10-01", keys.ENTER)
    assert driver.current_url.endswith("/entries?actor=ann&since=2024-10-01T00:00:00.000000Z")
    total = driver.find_element(by.CSS_SELECTOR, ".total strong").text
    link = driver.find_element(by.XPATH, "//section[h3='Action']//a[.//bdi='export']")
    count = link.find_element(by.CSS_SELECTOR, ".count").text
    link.click()
    assert "action=export" in driver.current_url
    assert driver.find_element(by.CSS_SELECTOR, ".total strong").text == count
    rows = driver.find_elements(by.CSS_SELECTOR, "table.entries tbody tr")
    assert len(rows) == int(count)
    assert all("ann export" in row.text for row in rows)
    driver.find_element(by.CSS_SELECTOR, "[aria-label='Remove action export']").click()
    assert driver.find_element(by.CSS_SELECTOR, ".total strong").text == total
    seen: list[str] = []
    while True:
        seen += [one.text for one in driver.find_elements(by.CSS_SELECTOR, "tbody th.n a")]
        further = driver.find_elements(by.CSS_SELECTOR, "a[rel=next]")
        if not further:
            break
        further[0].click()
    assert len(seen) == len(set(seen)) == int(total.replace(",", ""))


def test_the_keyboard_is_enough(site: tuple[Any, str]) -> None:
    driver, base = site
    driver.get(f"{base}/entries")
    body = driver.find_element(by.TAG_NAME, "body")
    body.send_keys(keys.TAB)
    focused = driver.switch_to.active_element
    assert focused.text == "Skip to the content"
    assert focused.is_displayed()
    focused.send_keys(keys.ENTER)
    assert driver.switch_to.active_element.get_attribute("id") == "main"
    driver.switch_to.active_element.send_keys(keys.TAB)
    assert driver.switch_to.active_element.get_attribute("name") == "actor"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert driver.execute_script(outline) == "solid"


def test_a_chart_shows_each_result_and_its_table_has_the_numbers(site: tuple[Any, str]) -> None:
    driver, base = site
    driver.get(base + PAGES["overview"])
    drawn = driver.find_elements(by.CSS_SELECTOR, "figure svg.bars rect.bar")
    assert len(drawn) > 30
    assert {one.get_attribute("class") for one in drawn} == {
        *("bar success", "bar denied", "bar failure")
    }
    assert all(one.size["height"] >= 1 for one in drawn)
    driver.find_element(by.XPATH, "//figure//summary").click()
    cells = driver.find_elements(by.CSS_SELECTOR, "figure tbody tr td:nth-child(2)")
    total = driver.find_element(by.CSS_SELECTOR, ".tile .big").text
    assert sum(int(cell.text) for cell in cells) == int(total.replace(",", ""))


def test_a_tampered_log_says_so_first_and_in_red(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", EVENTS[:50], key=Key(), origin=ORIGIN)
    path.write_bytes(path.read_bytes().replace(b'"denied"', b'"success"', 1))
    with viewing(path) as address, chromium() as driver:
        driver.get(address)
        verdict = found(driver, "section.tampered h2")
        assert verdict.text.startswith("Tampered with")
        red, green, blue = driver.execute_script(
            "return getComputedStyle(arguments[0]).color.match(/[0-9]+/g).map(Number)", verdict
        )
        assert red > 2 * max(green, blue)
        first = driver.find_element(by.CSS_SELECTOR, "main section")
        assert first.get_attribute("class") == "verdict tampered"
        assert serious(driver) == []
        shoot(driver, "tampered")
        driver.get(address.partition("/open/")[0] + "/entries")
        assert driver.find_element(by.CSS_SELECTOR, "[role=alert]").text.startswith("Tampered with")
        shoot(driver, "tampered-entries")


def test_another_browser_is_not_let_in(site: tuple[Any, str]) -> None:
    _, base = site
    with chromium() as driver:
        driver.get(f"{base}/entries")
        assert "open the address" in driver.find_element(by.TAG_NAME, "body").text
