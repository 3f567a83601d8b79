"""What others wrote cannot leave its place in a page, nor hide in it."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from chained_logging.review.viewer import render

MACROS = "{% import 'parts.html' as parts with context %}"


def drawn(template: str, **data: object) -> str:
    return render.environment().from_string(template).render(links=None, **data)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("'\"&", "&#39;&#34;&amp;"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("a\nb", "a\\nb"),
        ("مرحبا Ω", "مرحبا Ω"),
    ],
)
def test_a_value_is_text_and_all_of_it_is_seen(value: str, shown: str) -> None:
    assert drawn("{{ value }}", value=value) == shown
    assert drawn("<a title='{{ value }}'>", value=value) == f"<a title='{shown}'>"


def test_a_field_of_a_form_sends_back_what_it_had() -> None:
    assert drawn('"{{ v|exactly }}"', v='a\u202e"<') == '"a\u202e&#34;&lt;"'


def test_a_long_text_is_folded_and_complete() -> None:
    html = drawn(MACROS + "{{ parts.folded(text) }}", text="<b>" * 20_480)
    assert "all 61,440 characters" in html
    assert html.count("&lt;b&gt;") == 20_480 + render.LONG // 3
    assert "<details" not in drawn(MACROS + "{{ parts.folded(text) }}", text="a" * render.LONG)


def test_a_name_that_a_page_does_not_have_is_a_mistake() -> None:
    with pytest.raises(UndefinedError):
        drawn("{{ misspelled }}")


def test_words_for_people() -> None:
    assert render.when("2026-10-01T09:30:00.123456Z") == "2026-10-01 09:30:00"
    assert render.written("2026-10-01T00:00:00.000000Z") == "2026-10-01"
    assert render.written("2026-10-01T09:30:00.000000Z") == "2026-10-01T09:30:00Z"
    assert render.written("2026-10-01T09:30:00.100000Z") == "2026-10-01T09:30:00.100000Z"
    assert render.written(None) == render.when(None) == ""
    assert render.as_sentence("did you mean ann?") == "Did you mean ann?"
    assert render.as_sentence("there are none") == "There are none."
    assert render.short("a" * 81) == "a" * 79 + "…"
    assert render.number(1234567) == "1,234,567"
