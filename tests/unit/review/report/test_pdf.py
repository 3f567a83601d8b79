"""A page becomes a PDF where a browser or WeasyPrint is there."""

from __future__ import annotations

import re
import shutil
import sys
import zlib
from pathlib import Path

import pytest

from chained_logging.errors import ChainedLoggingError
from chained_logging.review.report import page, pdf
from chained_logging.review.report.pdf import printer

PAGE = b"<!doctype html><title>t</title><p>words"


def table(rows: int) -> bytes:
    """Return a table as a report has it. Only its head is in #444."""
    style, script = page._file("report.css"), page._file("report.js")
    return (
        f"<!doctype html><title>t</title><style>{style}</style><div class=scroll>"
        "<table class=list><thead><tr><th>name</th></tr></thead><tbody>"
        f"{'<tr><td>words</td></tr>' * rows}</tbody></table></div><script>{script}</script>"
    ).encode()


def test_a_browser_makes_the_same_pdf_again_with_a_head_on_each_page() -> None:
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    made = printer()(table(100))
    assert made.startswith(b"%PDF-")
    assert b"(D:19800101000000" in made
    assert printer()(table(100)) == made
    pages = [text for text in streams(made) if b"\nBT\n" in text]
    assert len(pages) > 1
    assert all(b".2667 .2667 .2667 rg" in text for text in pages)


def streams(made: bytes) -> list[bytes]:
    """Return what a PDF holds compressed."""
    found = re.findall(rb"/FlateDecode.*?stream\r?\n(.*?)\nendstream", made, re.DOTALL)
    return [zlib.decompress(one) for one in found]


def program(folder: Path, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program on the path, alone."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys\n{code}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_weasyprint_is_the_second_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "open(sys.argv[2], 'wb').write(b'%PDF ' + open(sys.argv[1], 'rb').read())"
    program(tmp_path, "weasyprint", code, monkeypatch)
    assert printer()(PAGE) == b"%PDF " + PAGE


def test_without_either_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ChainedLoggingError, match="needs Chromium or WeasyPrint: install one"):
        printer()


def test_what_a_program_says_of_its_failure_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "chromium", "sys.exit('it cannot start')", monkeypatch)
    with pytest.raises(ChainedLoggingError, match="chromium made no PDF: it cannot start"):
        printer()(PAGE)


def test_a_browser_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "chromium", "import time; time.sleep(60)", monkeypatch)
    monkeypatch.setattr(pdf, "_PATIENCE", 0.5)
    with pytest.raises(ChainedLoggingError, match="chromium made no PDF in"):
        printer()(PAGE)
