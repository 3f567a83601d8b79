"""The page of reviews, and its two forms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from chained_logging.config import reviewing
from chained_logging.format.vkey import VerifierKey
from chained_logging.review.filter import Filter
from chained_logging.review.reading import Reading
from chained_logging.review.reviews.desk import register_of, sign, start
from chained_logging.review.reviews.review import ACTIONS
from chained_logging.review.reviews.schedule import EVERY, last_whole
from chained_logging.review.reviews.summary import lines
from chained_logging.review.viewer.access import Denied
from chained_logging.review.viewer.links import Asked, Misasked
from chained_logging.review.viewer.pages import Page, View

LONGEST: Final = 64_000
"""Bytes of a form."""
OWN: Final = {
    "known": "Signed with their own key, which is known here.",
    "unknown": "Signed with a key that only the log names.",
    "none": "No key of their own.",
    "broken": "This signature does not hold: what is said was changed or forged.",
}
"""What is said of a reviewer's own signature."""


def reviews_page(view: View, asked: Asked) -> Page:
    """Return the reviews of the log, and what is overdue.

    :raises Denied: if somebody asks who does not see all of the log.
    """
    if not view.access.whole:
        raise Denied("reviews are of all of the log, and you see a part of it")
    settings = reviewing()
    keys = [VerifierKey.parse(key) for key in settings.get("keys", ())]
    with view.opened.engine(view.access) as engine:
        register, _ = register_of(view.opened.where, engine, keys)
        late = register.overdue(engine, settings.get("every"), dt.datetime.now(dt.UTC))
    data = {
        "reviews": [(one, lines(one.drawn)) for one in reversed(register.reviews.values())],
        "overdue": late,
        "own": OWN,
        "every": EVERY,
        "may": view.access.reviews and not view.opened.is_remote,
    }
    return Page(Reading("view reviews", Filter(action=ACTIONS)), "reviews.html", data)


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form.

    :raises Misasked: if it is too long, or is not a form.
    """
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > LONGEST:
            raise Misasked(f"a form must have at most {LONGEST:,} bytes")
    try:
        return dict(parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise Misasked("this is not a form") from None


def started(view: View, given: Mapping[str, str]) -> None:
    """Begin a review, as the form says.

    :raises Denied: if the sender may not review.
    :raises Misasked: if a field is missing or not valid.
    """
    _require(view)
    period, about = given.get("period"), given.get("about", "")
    if period not in EVERY:
        raise Misasked(f"period must be one of {', '.join(EVERY)}")
    if not all(seq.isascii() and seq.isdigit() and len(seq) < 17 for seq in about.split()):
        raise Misasked("about must be numbers of entries")
    try:
        start(
            view.opened.where,
            last_whole(period, dt.datetime.now(dt.UTC)),
            view.access.user,
            about=[int(seq) for seq in about.split()],
            verdict=None if view.checked is None else view.checked.verdict,
        )
    except ValueError as problem:
        raise Misasked(str(problem)) from None


def signed(view: View, given: Mapping[str, str]) -> None:
    """Sign a review, as the form says.

    :raises Denied: if the sender may not review.
    :raises Misasked: if a field is missing or not valid.
    """
    _require(view)
    number = given.get("review", "")
    if not (number.isascii() and number.isdigit() and len(number) < 17):
        raise Misasked("review must be the number of a review")
    try:
        sign(
            view.opened.where,
            int(number),
            view.access.user,
            given.get("conclusion", ""),
            name=given.get("name", "").strip() or None,
            meaning=given.get("meaning", "").strip() or "review",
        )
    except ValueError as problem:
        raise Misasked(str(problem)) from None


def _require(view: View) -> None:
    if not (view.access.reviews and view.access.whole):
        raise Denied("you may not review this log")
    if view.opened.is_remote:
        raise Denied("a central store takes no entries from the viewer: review the log itself")
