"""A report as one HTML file: nothing is loaded, and what others wrote is text.

The same contents make the same bytes. A reader's browser runs one script, which filters and sorts
tables; a policy in the file admits no other, by its hash.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from chained_logging.net.urls import shown
from chained_logging.review.charts import chart
from chained_logging.review.checklist.asked import Checklist
from chained_logging.review.checklist.page import section
from chained_logging.review.moments import spoken, spoken_length
from chained_logging.review.opening import is_url
from chained_logging.review.period import Period, instant
from chained_logging.review.report.contents import Asked, Contents
from chained_logging.review.rows import HEADS, cells, more
from chained_logging.review.templating import environment
from chained_logging.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment

    from chained_logging.event.entry import AuditEntry

_LONG: Final = 120
"""Characters of a value that are shown at once. The rest is folded."""
_WIDE: Final = 30
"""A longer value may be broken anywhere, as it may be one word."""
_TITLES: Final[Mapping[str, str]] = {
    "verdict": "Verdict",
    "coverage": "What is not covered",
    "overview": "Overview",
    "actors": "By actor",
    "actions": "By action",
    "resources": "By resource",
    "failures": "Failed and denied attempts",
    "changes": "Changes",
    "exports": "Exports",
    "administrators": "Administrators",
    "readings": "Who read this log",
    "keys": "Keys and their rotation",
    "recoveries": "Recoveries",
    "shipping": "Copies elsewhere",
    "sample": "Sample",
    "checklist": "Checklist",
    "clauses": "Clauses",
}
"""The sections, in their order."""


def page(contents: Contents, checklist: Checklist | None = None) -> bytes:
    """Return a report as HTML.

    :param checklist: a section with it. It says what was seen at its time, so that the same report
        is not made again.
    :raises ImportError: if Jinja2 is not installed; the message names the extra that brings it.
    """
    style, script = _file("report.css"), _file("report.js")
    html = (
        _environment()
        .get_template("report.html")
        .render(
            c=contents,
            asked=contents.asked,
            standard=contents.standard,
            body=contents.body,
            chart=None if contents.body is None else chart(contents.body.overview.days),
            command=command(contents.asked) + (" --checklist" if checklist else ""),
            titles=_TITLES,
            heads=HEADS,
            style=style,
            script=script,
            policy=_policy(style, script),
            checklist=None if checklist is None else section(checklist),
        )
    )
    return html.encode()


def command(asked: Asked) -> str:
    """Return the command that makes a report with the same bytes."""
    period = asked.period
    log = shown(asked.log) if is_url(asked.log) else asked.name
    words = ["chained-logging", "report", log, "--standard", asked.standard]
    words += ["--from", spoken(period.since), "--to", spoken(period.until)]
    words += [] if asked.origin is None else ["--origin", asked.origin]
    words += ["--size", str(asked.size), "--sample", str(asked.sample), "-o", "report.html"]
    return shlex.join(words)


def _policy(style: str, script: str) -> str:
    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {hashed(style)}; script-src {hashed(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _file(name: str) -> str:
    return resources.files(__package__).joinpath("files", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    filters: dict[str, Callable[..., Any]] = {
        "shown": _shown,
        "names": _names,
        "number": _number,
        "moment": _moment,
        "days": _days,
        "base64": _base64,
        "printable": printable,
        "cells": _cells,
        "ago": spoken_length,
        "share": _share,
    }
    return environment(__package__, "files", filters)


def _shown(value: Any, long: int = _LONG) -> Any:
    """Return what others wrote, as text that hides and reorders nothing. The end may be folded."""
    from markupsafe import Markup

    if value is None or value == "":
        return Markup('<span class="none">none</span>')
    text = printable(str(value))
    if len(text) <= _WIDE:
        return Markup("<bdi>{}</bdi>").format(text)
    if len(text) <= long:
        return Markup("<bdi class=wide>{}</bdi>").format(text)
    return Markup(
        "<details class=long><summary><bdi>{}</bdi>… <small>({:,} characters)</small></summary>"
        "<bdi>{}</bdi></details>"
    ).format(text[:long], len(text), text)


def _names(value: Any) -> Any:
    """Return names that the database has as JSON."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return _shown(value)
    return _shown(", ".join(map(str, found)) if isinstance(found, list) else value)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _moment(timestamp: Any) -> Any:
    """Return a time to the second, in UTC as all are."""
    from markupsafe import Markup

    try:
        at = instant(str(timestamp)).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return _shown(timestamp)
    return Markup('<time datetime="{}">{}</time>').format(spoken(str(timestamp)), at)


def _days(period: Period) -> str:
    since, until = spoken(period.since), spoken(period.until)
    midnight = "T00:00:00Z"
    if since.endswith(midnight) and until.endswith(midnight):
        *_, last = period.days()
        return f"{since.removesuffix(midnight)} to {last}, whole days in UTC"
    return f"{since} up to, not including, {until}"


def _cells(entry: AuditEntry) -> tuple[str, ...]:
    """Return an entry as a row, with how many further resources it has."""
    *first, resource, result, address = cells(entry)
    return (*first, resource + more(entry), result, address)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _share(now: int, before: int | None) -> str:
    """Return how a number differs from the one before."""
    if before is None:
        return ""
    if before == now:
        return f"as in the period before ({before:,})"
    return f"{'+' if now > before else '−'}{abs(now - before):,} from {before:,} before"
