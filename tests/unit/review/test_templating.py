"""Templates: what others wrote is text, whatever the template does with it."""

from __future__ import annotations

import sys

import pytest
from jinja2 import UndefinedError

from chained_logging.review.templating import environment, require_jinja


def drawn(template: str, **data: object) -> str:
    made = environment("chained_logging.review", filters={"twice": lambda text: text * 2})
    return made.from_string(template).render(data)


def test_a_value_is_text_and_all_of_it_is_seen() -> None:
    assert drawn("{{ v }}", v="<b>a\u202eb\x1b") == "&lt;b&gt;a\\u202eb\\x1b"
    assert drawn("{{ v|twice }}", v="&") == "&amp;&amp;"
    assert drawn("{{ v|e }}", v="a\n<b>") == "a\n&lt;b&gt;"  # lines of our own


def test_a_name_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(UndefinedError):
        drawn("{{ misspelled }}")


def test_jinja_is_asked_for_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for needs in (require_jinja, lambda: environment("chained_logging.review")):
        with pytest.raises(ImportError, match=r"pip install 'chained_logging\[report\]'"):
            needs()
