"""The checklist as HTML: a page of its own, or a section of a report."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.asked import Checklist
from chained_logging.review.checklist.table import counted
from chained_logging.review.templating import environment

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_KINDS: Final = {Status.MET: "met", Status.NOT_MET: "bad", Status.UNSEEN: "none"}
"""The class of each status in the report's style sheet."""


def section(checklist: Checklist) -> Markup:
    """Return the checklist as a part of a page, without a heading.

    :raises ImportError: if Jinja2 is not installed; the message names the extra that brings it.
    """
    from markupsafe import Markup

    html = _environment().get_template("section.html").render(c=checklist)
    return Markup(html)  # noqa: S704 -- the template has escaped it


def page(checklist: Checklist) -> bytes:
    """Return the checklist as a page that loads nothing and runs nothing.

    :raises ImportError: as :func:`section`.
    """
    style = _style()
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    template = _environment().get_template("page.html")
    html = template.render(c=checklist, section=section(checklist), style=style, policy=policy)
    return html.encode()


def _moment(timestamp: str) -> str:
    """Return a time to the second: ``2026-10-01 09:30:00 UTC``."""
    return f"{timestamp[:10]} {timestamp[11:19]} UTC"


@cache
def _style() -> str:
    """Return the style sheet of reports."""
    return (
        resources.files("chained_logging.review.report")
        .joinpath("files", "report.css")
        .read_text(encoding="utf-8")
    )


@cache
def _environment() -> Environment:
    filters: dict[str, Callable[..., Any]] = {
        "counted": counted,
        "kind": _KINDS.__getitem__,
        "moment": _moment,
    }
    return environment(__package__, "files", filters)
