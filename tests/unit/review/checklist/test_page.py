"""The checklist as HTML: what others wrote is text, and nothing is loaded or run."""

from __future__ import annotations

import base64
import re
from hashlib import sha256

from checklist_answers import checklist

from chained_logging.review.checklist.page import page, section


def test_a_page_shows_each_answer_with_its_evidence() -> None:
    html = page(checklist()).decode()
    assert "<title>Checklist for PCI DSS: audit.db</title>" in html
    assert "Ten points: 1 met" in html
    assert "Clauses of PCI DSS: 1 met, 1 not met, 2 not checkable from here" in html
    assert '<td class="bad">not met</td>' in html
    assert "To mend it: <code>start chrony</code>" in html
    assert "<li>Leap status: <b>Normal</b>" in html
    assert "from 2026-11-28 09:00:00 UTC to 2026-11-28 09:00:05 UTC" in html
    assert "Nobody can see from here: your people." in html


def test_what_others_wrote_is_text() -> None:
    html = page(checklist()).decode()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html
    assert "\\u202e" in html


def test_the_policy_admits_the_style_and_nothing_else() -> None:
    html = page(checklist()).decode()
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    assert f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;;" in html
    assert ".met {" in style


def test_a_section_has_no_page_around_it() -> None:
    html = str(section(checklist()))
    assert "<html" not in html
    assert html.count("<table") == 2
