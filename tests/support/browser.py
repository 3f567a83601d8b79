"""A real Chromium, and the viewer that it looks at."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oracles
from folders import ROOT


@contextlib.contextmanager
def chromium(width: int = 1280, height: int = 900) -> Iterator[Any]:
    """Yield a driver of Debian's Chromium, without a window. The test is skipped without one."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        oracles.absent("chromium and chromedriver are not installed")
    webdriver = oracles.module("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    with tempfile.TemporaryDirectory() as home:
        for switch in (
            *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--force-device-scale-factor=1", f"--window-size={width},{height}"),
            f"--user-data-dir={home}",
        ):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(driver, log_output=subprocess.DEVNULL)
        opened = webdriver.Chrome(options=options, service=service)
        try:
            yield opened
        finally:
            opened.quit()


def requests(driver: Any) -> list[str]:
    """Return the addresses that the browser asked for since it was last asked."""
    messages = (json.loads(one["message"])["message"] for one in driver.get_log("performance"))
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def serious(driver: Any) -> list[str]:
    """Return what axe-core finds of the page that makes it hard or impossible to use."""
    # In a world of its own: the page's policy lets no script in.
    found = driver.execute_async_script(
        (ROOT / "tests" / "vectors" / "axe" / "axe.min.js").read_text()
        + ";axe.run().then(arguments[arguments.length - 1]);"
    )
    return [
        f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:5]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def emulate(driver: Any, *, width: int = 0, scheme: str = "", media: str = "") -> None:
    """Show pages as a phone of some width does, dark, or as they are printed."""
    features = [{"name": "prefers-color-scheme", "value": scheme}] if scheme else []
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    if width:
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    else:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def shoot(driver: Any, name: str) -> None:
    """Keep a picture of the whole page, if ``SCREENSHOTS`` names a folder for it."""
    folder = os.environ.get("SCREENSHOTS")
    if folder is None:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    width, height = driver.execute_script(
        "return [innerWidth, Math.min(document.documentElement.scrollHeight, 3000)]"
    )
    clip = {"x": 0, "y": 0, "width": width, "height": max(height, 400), "scale": 1}
    options = {"captureBeyondViewport": True, "clip": clip}
    made = driver.execute_cdp_cmd("Page.captureScreenshot", options)
    Path(folder, f"{name}.png").write_bytes(base64.b64decode(made["data"]))


@contextlib.contextmanager
def viewing(log: Path, *options: str) -> Iterator[str]:
    """Run ``chained-logging view``, and yield the address that it prints."""
    command = [sys.executable, "-m", "chained_logging", "view", str(log), "--no-browser", *options]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=log.parent
    )
    assert running.stdout is not None
    try:
        yield running.stdout.readline().strip()
    finally:
        running.terminate()
        running.communicate()
