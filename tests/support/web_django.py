"""The Django application of the tests: settings, URLs and views in one module."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import django
from django.conf import settings
from web_apps import CHUNKS, WHOLE, configured, log_inside

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="for tests",
        ROOT_URLCONF="web_django",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
        ],
        MIDDLEWARE=[
            "chained_logging.integrations.django.AuditMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.environ["AUDIT_LOG"] + ".django",
            }
        },
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        CHAINED_LOGGING=configured(),
        USE_TZ=True,
    )
    django.setup()

from django.contrib.auth import authenticate, get_user_model, login, logout
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, re_path

from chained_logging.integrations.django import annotate, audited


def patients(request: Any) -> HttpResponse:
    return JsonResponse({"id": "new"}, status=201)


def patient(request: Any, id: str) -> HttpResponse:
    if request.method == "DELETE":
        return HttpResponse(status=204)
    if request.method == "PUT":
        annotate(changed_fields=["name"], old_values={"name": "A"})
    return JsonResponse({"id": id})


def stream(request: Any, n: str) -> HttpResponse:
    return StreamingHttpResponse(iter(CHUNKS))


def sized(request: Any, n: str) -> HttpResponse:
    return StreamingHttpResponse(iter(CHUNKS), headers={"content-length": str(len(WHOLE))})


def endless(request: Any) -> HttpResponse:
    def chunks() -> Iterator[bytes]:
        while True:
            yield b"tick\n"
            time.sleep(0.01)

    return StreamingHttpResponse(chunks())


def breaks(request: Any) -> HttpResponse:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("in the middle")

    return StreamingHttpResponse(chunks())


def raises(request: Any) -> HttpResponse:
    raise ValueError("on purpose")


def forbidden(request: Any) -> HttpResponse:
    raise PermissionDenied


@audited("patient_record", id="patient_id", action="export")
def named(request: Any, patient_id: str) -> HttpResponse:
    if not request.user.is_authenticated:
        raise PermissionDenied
    log_inside()
    return HttpResponse(request.user.username)


def sign_in(request: Any) -> HttpResponse:
    user = authenticate(request, username=request.GET["name"], password=request.GET["password"])
    if user is None:
        return HttpResponse("try again")
    login(request, user)
    return HttpResponse("welcome")


def sign_out(request: Any) -> HttpResponse:
    logout(request)
    return HttpResponse("bye")


async def async_view(request: Any, id: int) -> HttpResponse:
    user = await request.auser()
    log_inside()
    return HttpResponse(user.username)


async def async_stream(request: Any, n: str) -> HttpResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in CHUNKS:
            yield chunk

    return StreamingHttpResponse(chunks())


async def async_endless(request: Any) -> HttpResponse:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"tick\n"
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(chunks())


def file(request: Any) -> HttpResponse:
    return FileResponse(open(__file__, "rb"))


urlpatterns = [
    path("health", lambda request: HttpResponse("well")),
    path("patients", patients),
    path("patients/<str:id>", patient),
    path("stream/<str:n>", stream),
    path("sized/<str:n>", sized),
    path("endless", endless),
    path("breaks", breaks),
    path("raises", raises),
    path("forbidden", forbidden),
    path("p/<patient_id>", named),
    path("login", sign_in),
    path("logout", sign_out),
    path("async/<int:id>", async_view),
    path("async-stream/<str:n>", async_stream),
    path("async-endless", async_endless),
    path("not-modified", lambda request: HttpResponse(status=304)),
    path("file", file),
    re_path(
        r"^reports/(?P<year>[0-9]{4})/(?P<month>(0[1-9]|1[0-2]))/$",
        (lambda request, year, month: HttpResponse("report")),
    ),
]


def prepare() -> None:
    """Make the database and two users."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    users.create_user("ann", password="secret")
    users.create_user("root", password="secret", is_staff=True)


def __getattr__(name: str) -> Any:
    if name == "wsgi_app":
        from django.core.wsgi import get_wsgi_application

        return get_wsgi_application()
    if name == "asgi_app":
        from django.core.asgi import get_asgi_application

        return get_asgi_application()
    raise AttributeError(name)
