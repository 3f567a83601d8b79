"""A page becomes a PDF where a browser or WeasyPrint is there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from chained_logging.errors import ChainedLoggingError
from chained_logging.review.report import pdf
from chained_logging.review.report.pdf import printer

PAGE = b"<!doctype html><title>t</title><p>words"


def test_a_browser_makes_the_same_pdf_again() -> None:
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    made = printer()(PAGE)
    assert made.startswith(b"%PDF-")
    assert b"(D:19800101000000" in made
    assert printer()(PAGE) == made


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
