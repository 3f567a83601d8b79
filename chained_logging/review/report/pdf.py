"""A page as PDF, by a browser or WeasyPrint, whichever is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chained_logging.errors import ChainedLoggingError

_BROWSERS: Final = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
)
_PATIENCE: Final = 120.0
"""Seconds that a browser has."""
_DATE: Final = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)[0-9]{14}")
_NODE: Final = re.compile(rb"\(node([0-9]{8})\)")  # by which cells of tables name their heads

Printer = Callable[[bytes], bytes]


def printer() -> Printer:
    """Return what makes a PDF of a page.

    :raises ChainedLoggingError: if nothing can.
    """
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is not None:
        return lambda html: _browser_pdf(browser, html)
    weasyprint = shutil.which("weasyprint")
    if weasyprint is not None:
        return lambda html: _weasyprint_pdf(weasyprint, html)
    raise ChainedLoggingError(
        "a PDF needs Chromium or WeasyPrint: install one, or write a file that ends with .html, "
        "which any browser prints"
    )


def _browser_pdf(browser: str, html: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_bytes(html)
        command = [
            *(browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", "--no-first-run"),
            *("--disable-background-networking", f"--user-data-dir={folder}/profile"),
            f"--print-to-pdf={target}",
            *(["--no-sandbox"] if _is_root() else []),  # which root cannot have
            source.as_uri(),
        ]
        return _alike(_made(command, target))


def _weasyprint_pdf(weasyprint: str, html: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_bytes(html)
        return _alike(_made([weasyprint, str(source), str(target)], target))


def _made(command: list[str], target: Path) -> bytes:
    """Return the file that a program made.

    :raises ChainedLoggingError: if it made none.
    """
    try:
        done = subprocess.run(  # noqa: S603 -- a program from PATH, and files of ours
            command, capture_output=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise ChainedLoggingError(f"{command[0]} made no PDF in {_PATIENCE:.0f} s") from None
    if not target.exists():
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ChainedLoggingError(
            f"{command[0]} made no PDF: {said[-1] if said else f'status {done.returncode}'}"
        )
    return target.read_bytes()


def _alike(pdf: bytes) -> bytes:
    """Return a PDF without what differs each time: when it was made, how the browser counted.

    No byte moves, and the nodes stay in their order.
    """
    rank = {node: b"(node%08d)" % at for at, node in enumerate(sorted({*_NODE.findall(pdf)}))}
    pdf = _NODE.sub(lambda found: rank[found[1]], pdf)
    return _DATE.sub(rb"\g<1>19800101000000", pdf)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
