"""The viewer as an ASGI application."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import resources
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from chained_logging.errors import ChainedLoggingError, NoCheckpoint
from chained_logging.review.reading import NotRecorded, Rules
from chained_logging.review.verdict import Evidence
from chained_logging.review.viewer.access import Access, Denied
from chained_logging.review.viewer.alerting import acknowledged, alerts_page
from chained_logging.review.viewer.files import (
    File,
    entries_file,
    entry_file,
    evidence_file,
    proof_file,
)
from chained_logging.review.viewer.front import overview_page
from chained_logging.review.viewer.guard import ASGI, Guard
from chained_logging.review.viewer.links import Asked, Links, Misasked, asked
from chained_logging.review.viewer.opened import InUse, OpenedLog
from chained_logging.review.viewer.pages import (
    Missing,
    Page,
    View,
    about_page,
    entries_page,
    entry_page,
)
from chained_logging.review.viewer.recorded import recorded
from chained_logging.review.viewer.render import environment
from chained_logging.review.viewer.reviewing import form_of, reviews_page, signed, started

Authorize = Callable[[Request], Access | Awaitable[Access | None] | None]
"""Says who sends a request, and what they may see; None refuses. It may be ``async``."""

_STATIC: Final = {"viewer.css": "text/css", "icon.svg": "image/svg+xml"}
_STATUS: Final[dict[type[Exception], int]] = {
    Misasked: 400,
    Denied: 403,
    NotRecorded: 403,
    Missing: 404,
    NoCheckpoint: 404,
    InUse: 503,
}
_MISTAKES: Final[tuple[type[Exception], ...]] = (
    *_STATUS,
    ChainedLoggingError,
    OSError,
    ValueError,
)


class _Viewer:
    """The pages of one log.

    :param authorize: as for :func:`app`.
    """

    def __init__(self, opened: OpenedLog, authorize: Authorize, rules: Rules) -> None:
        self._opened = opened
        self._authorize = authorize
        self._rules = rules
        self._templates = environment()

    def routes(self) -> list[Route]:
        """Return what is served."""
        return [
            self._page("/", overview_page),
            self._page("/entries", entries_page),
            self._page("/entries.csv", lambda view, found: entries_file(view, found, "csv")),
            self._page("/entries.jsonl", lambda view, found: entries_file(view, found, "jsonl")),
            self._page("/entries.zip", evidence_file),
            self._page("/actor", lambda view, found: about_page(view, found, "actor"), "id"),
            self._page("/resource", lambda view, found: about_page(view, found, "resource"), "id"),
            self._page("/reviews", reviews_page),
            self._form("/reviews/start", started, Links.reviews),
            self._form("/reviews/sign", signed, Links.reviews),
            self._page("/alerts", alerts_page),
            self._form("/alerts/acknowledge", acknowledged, Links.alerts),
            self._entry("/entry/{seq:int}", entry_page),
            self._entry("/entry/{seq:int}.json", entry_file),
            self._entry("/entry/{seq:int}/proof", proof_file),
            Route("/static/{name}", _static),
        ]

    def _page(self, path: str, make: Callable[[View, Asked], Page | File], *own: str) -> Route:
        """Return the route of a page about entries that a filter finds."""

        def answer(request: Request, view: View) -> Response:
            found = asked(request.scope["query_string"].decode("latin-1"), *own)
            view.access.check(found.wanted)
            if not found.exact and not own and path.startswith("/entries"):
                form = path.removeprefix("/entries")
                return RedirectResponse(view.links.entries(found.wanted, found.cursor, form), 303)
            return self._shown(request, view, make(view, found))

        return self._route(path, answer)

    def _entry(self, path: str, make: Callable[[View, int], Page | File]) -> Route:
        """Return the route of what is about one entry."""

        def answer(request: Request, view: View) -> Response:
            return self._shown(request, view, make(view, min(request.path_params["seq"], 1 << 53)))

        return self._route(path, answer)

    def _form(
        self,
        path: str,
        act: Callable[[View, Mapping[str, str]], None],
        page: Callable[[Links], str],
    ) -> Route:
        """Return the route of a form, which leads back to the page that it is on."""

        async def endpoint(request: Request) -> Response:
            access = await self._access(request)
            given: Mapping[str, str] | Misasked
            try:
                given = await form_of(request)
            except Misasked as problem:
                given = problem

            def answer(_: Request, view: View) -> Response:
                if isinstance(given, Misasked):
                    raise given
                act(view, given)
                return RedirectResponse(page(view.links), 303)

            return await run_in_threadpool(self._answer, request, access, answer)

        return Route(path, endpoint, methods=["POST"], name=path)

    def _route(self, path: str, answer: Callable[[Request, View], Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            access = await self._access(request)
            return await run_in_threadpool(self._answer, request, access, answer)

        return Route(path, endpoint, name=path)

    async def _access(self, request: Request) -> Access:
        """Return what the sender may see.

        :raises HTTPException: if that is nothing.
        """
        if inspect.iscoroutinefunction(self._authorize):
            found = await self._authorize(request)
        else:
            found = await run_in_threadpool(self._authorize, request)
            if inspect.isawaitable(found):
                found = await found
        if not isinstance(found, Access):
            raise HTTPException(403, "you may not see this log")
        return found

    def _answer(
        self, request: Request, access: Access, answer: Callable[[Request, View], Response]
    ) -> Response:
        checked = self._opened.verdicts.current()
        view = View(self._opened, access, Links(request.scope.get("root_path", "")), checked)
        try:
            return answer(request, view)
        except _MISTAKES as problem:
            status = _status(problem)
            said = str(problem) if status < 500 or access.whole else "the log cannot be read"
            return self._drawn(request, view, "problem.html", {"problem": said}, status, None)

    def _shown(self, request: Request, view: View, made: Page | File) -> Response:
        """Record that something is shown, and return it."""
        reading = replace(made.reading, reason=view.access.reason)
        try:
            notice = recorded(self._opened.where, view.access, reading, self._rules)
        except NotRecorded:
            if isinstance(made, File):
                made.discard()
            raise
        if isinstance(made, File):
            return _sent(made)
        return self._drawn(request, view, made.template, made.data, 200, notice)

    def _drawn(
        self,
        request: Request,
        view: View,
        template: str,
        data: Any,
        status: int,
        notice: str | None,
    ) -> Response:
        html = self._templates.get_template(template).render(
            data, view=view, links=view.links, notice=notice, path=request.url.path
        )
        return HTMLResponse(html, status)


def _status(problem: Exception) -> int:
    return next((code for kind, code in _STATUS.items() if isinstance(problem, kind)), 500)


def _sent(file: File) -> Response:
    headers = (
        {} if file.name is None else {"content-disposition": f'attachment; filename="{file.name}"'}
    )
    return StreamingResponse(file.chunks, media_type=file.media, headers=headers)


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise HTTPException(404)
    data = resources.files(__package__).joinpath("static", name).read_bytes()
    return Response(data, media_type=_STATIC[name])


def app(
    log: str,
    *,
    authorize: Authorize,
    origin: str | None = None,
    evidence: Evidence | None = None,
    rules: Rules | None = None,
) -> ASGI:
    """Return the viewer of a log, to mount into another application.

    :param log: the path of a log, or the URL of a central store.
    :param authorize: is called with each request (of Starlette). It returns who sends it and what
        they may see, an :class:`~chained_logging.review.viewer.access.Access`, or None to refuse.
        It may be ``async``, and may raise Starlette's ``HTTPException``.
    :param origin: the name of the log, where a store holds several.
    :param evidence: what to check the log with.
    :param rules: what has to hold before the log is read.
    """
    opened = OpenedLog(log, origin=origin, evidence=evidence)
    return Guard(application(opened, authorize, rules or Rules()))


def application(opened: OpenedLog, authorize: Authorize, rules: Rules) -> ASGI:
    """Return the pages of a log, without what guards them."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            opened.close()

    return Starlette(routes=_Viewer(opened, authorize, rules).routes(), lifespan=lifespan)
