"""From the data of a page to its HTML. What others wrote cannot leave its place in it."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment
from markupsafe import Markup, escape

from chained_logging.review import templating
from chained_logging.review.moments import spoken_length

LONG: Final = 300
"""Characters of a value that are shown at once; the rest is folded."""
_IN_A_LINE: Final = 80


def short(text: str) -> str:
    """Return a text so short that it fits a sentence."""
    return text if len(text) <= _IN_A_LINE else f"{text[: _IN_A_LINE - 1]}…"


def when(timestamp: str | None) -> str:
    """Return a time as people read it: ``2026-10-01 09:30:00``, in UTC."""
    return "" if timestamp is None else timestamp[:19].replace("T", " ")


def written(timestamp: str | None) -> str:
    """Return a time for a field of a form, as short as it is exact: a date where it is midnight."""
    if timestamp is None:
        return ""
    return timestamp.removesuffix("T00:00:00.000000Z").replace(".000000Z", "Z")


def as_sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a full stop at its end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def number(value: int) -> str:
    """Return a number with commas between its thousands."""
    return f"{value:,}"


def exactly(value: str) -> Markup:
    """Return a value for a field of a form, which sends it back as it is."""
    return escape(value)


def environment() -> Environment:
    """Return what draws the templates."""
    filters = (as_sentence, short, when, written, spoken_length, number, exactly)
    made = templating.environment(
        __package__, filters={function.__name__: function for function in filters}
    )
    made.globals["LONG"] = LONG
    return made
