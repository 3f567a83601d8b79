"""A Django application that signs people in, out and elsewhere, and all that is asked of it.

``python web_django_people.py LOG`` makes the requests through Django's own test clients, the
synchronous and the asynchronous one, and prints what :func:`summary` keeps of each one's entries.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import django
from django.conf import settings

if not settings.configured:
    LOG = Path(sys.argv[1])
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="a key for tests that is long enough to sign a token",
        ROOT_URLCONF=__name__,
        LOGIN_URL="/enter/",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "rest_framework",
            "rest_framework.authtoken",
        ],
        MIDDLEWARE=[
            "chained_logging.integrations.django.AuditMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "web_django_people.bearer",
            "web_django_people.impersonate",
            "web_django_people.remote_user",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ],
                    "loaders": [
                        (
                            "django.template.loaders.locmem.Loader",
                            {"registration/login.html": "{{ form }}"},
                        ),
                        "django.template.loaders.app_directories.Loader",
                    ],
                },
            }
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{LOG}.django"}},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        USE_TZ=True,
        LOGGING_CONFIG=None,
        CHAINED_LOGGING={"log": LOG},
    )
    sys.modules["web_django_people"] = sys.modules[__name__]
    django.setup()

from django.contrib import admin
from django.contrib.auth import (
    aauthenticate,
    alogin,
    alogout,
    authenticate,
    get_user_model,
    login,
    logout,
)
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.views import LoginView
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse, HttpResponseRedirect
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response

from chained_logging import AuditHandler
from chained_logging.integrations.django import annotate

User = get_user_model()
logger = logging.getLogger("app")


def bearer(get_response: Any) -> Any:
    """Sign in whom a token names, as middlewares for JSON web tokens do: lazily."""

    def middleware(request: Any) -> Any:
        name = request.headers.get("x-bearer")
        if name:
            request.user = SimpleLazyObject(lambda: User.objects.get(username=name))
        return get_response(request)

    return middleware


def remote_user(get_response: Any) -> Any:
    """Sign in whom a proxy names, as RemoteUserMiddleware does."""

    def middleware(request: Any) -> Any:
        name = request.headers.get("x-remote-user")
        if name:
            user = authenticate(request, username=name, password=request.headers["x-password"])
            if user is not None:
                login(request, user)
        return get_response(request)

    return middleware


def impersonate(get_response: Any) -> Any:
    """Put another user in the request, as django-impersonate does."""

    def middleware(request: Any) -> Any:
        name = request.headers.get("x-impersonate")
        if name and request.user.is_authenticated:
            request.user = User.objects.get(username=name)
        return get_response(request)

    return middleware


def log_inside() -> None:
    logger.info("inside", extra={"audit": True, "resource": "report/7"})


def plain(request: Any) -> HttpResponse:
    log_inside()
    return HttpResponse("x")


def untouched(request: Any) -> HttpResponse:
    return HttpResponse("x")


@login_required
def private(request: Any) -> HttpResponse:
    log_inside()
    return HttpResponse(request.user.get_username())


@login_required(login_url="/accounts/login/")
def elsewhere(request: Any) -> HttpResponse:
    raise AssertionError


@permission_required("auth.delete_user")
def forbidden(request: Any) -> HttpResponse:
    raise AssertionError


def sign_in(request: Any) -> HttpResponse:
    user = authenticate(request, username=request.POST["name"], password=request.POST["password"])
    if user is None:
        return HttpResponse("try again")
    login(request, user)
    return HttpResponseRedirect("/")


def sign_out(request: Any) -> HttpResponse:
    logout(request)
    log_inside()
    return HttpResponseRedirect("/enter/")


def delete_me(request: Any) -> HttpResponse:
    request.user.delete()
    logout(request)
    return HttpResponse("gone")


def register(request: Any) -> HttpResponse:
    return HttpResponseRedirect("/enter/")


def stops(request: Any) -> HttpResponse:
    raise SystemExit(3)


def breaks(request: Any) -> HttpResponse:
    annotate(result="success")
    raise ValueError("after it was said")


def hijack(request: Any) -> HttpResponse:
    """Become another user, as django-hijack does."""
    before = str(request.user.pk)
    login(request, User.objects.get(username="bob"))
    request.session["hijack_history"] = [before]
    return HttpResponse("x")


async def async_private(request: Any) -> HttpResponse:
    user = await request.auser()
    log_inside()
    return HttpResponse(user.username)


async def async_sign_in(request: Any) -> HttpResponse:
    who = {"username": request.POST["name"], "password": request.POST["password"]}
    user = await aauthenticate(request, **who)
    if user is None:
        return HttpResponse("try again")
    await alogin(request, user)
    return HttpResponse("x")


async def async_sign_out(request: Any) -> HttpResponse:
    await alogout(request)
    return HttpResponse("x")


async def async_bearer(request: Any) -> HttpResponse:
    log_inside()
    return HttpResponse("x")


async def async_delete_me(request: Any) -> HttpResponse:
    user = await request.auser()
    await user.adelete()
    return HttpResponse("x")


async def async_stops(request: Any) -> HttpResponse:
    raise SystemExit(3)


@api_view(["GET", "DELETE"])
@authentication_classes([TokenAuthentication, BasicAuthentication])
@permission_classes([IsAuthenticated])
def api(request: Any) -> Response:
    if request.method == "DELETE":
        request.user.delete()  # nothing looked at them before
        return Response({})
    log_inside()
    return Response({"who": request.user.username})


urlpatterns = [
    path("", plain),
    path("untouched", untouched),
    path("private", private),
    path("elsewhere", elsewhere),
    path("forbidden", forbidden),
    path("sign-in", sign_in),
    path("sign-out", sign_out),
    path("delete-me", delete_me),
    path("register", register),
    path("stops", stops),
    path("breaks", breaks),
    path("hijack", hijack),
    path("enter/", LoginView.as_view()),
    path("admin/", admin.site.urls),
    path("async/private", async_private),
    path("async/sign-in", async_sign_in),
    path("async/sign-out", async_sign_out),
    path("async/bearer", async_bearer),
    path("async/delete-me", async_delete_me),
    path("async/stops", async_stops),
    path("api", api),
    path("api/token", obtain_auth_token),
]


def summary(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what the tests look at."""
    kept = {n: fields[n] for n in ("action", "actor_id", "actor_type", "result")}
    for name in ("actor_name", "account", "on_behalf_of", "invalid", "exception"):
        if name in fields["context"] or name in fields:
            kept[name] = fields.get(name, fields["context"].get(name))
    return kept


class Asked:
    """Makes requests, and keeps what each left in the log."""

    def __init__(self) -> None:
        self.seen = len(self.lines())
        self.found: dict[str, Any] = {}

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in LOG.read_bytes().splitlines()]

    def note(self, name: str, status: int | None) -> None:
        new = self.lines()[self.seen :]
        self.seen += len(new)
        (entry,) = [f for f in new if f["resource_type"] != "report"]
        self.found[name] = {
            "status": status,
            **summary(entry),
            "inside": [summary(f) for f in new if f["resource_type"] == "report"],
        }


def synchronous(asked: Asked) -> None:
    def ask(name: str, client: Client, url: str, method: str = "get", **about: Any) -> None:
        try:
            status = getattr(client, method)(url, **about).status_code
        except SystemExit:
            status = None
        asked.note(name, status)

    def signed(name: str) -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(User.objects.get(username=name))
        return client

    ask("nobody", Client(), "/")
    ask("nobody, sent to the login page", Client(), "/private")
    ask("nobody, sent to another login page", Client(), "/elsewhere")
    ask("nobody, admin", Client(), "/admin/auth/user/")
    ask("nobody, who posts", Client(), "/private", "post")
    ask("registered", Client(), "/register", "post")
    ask("ann", signed("ann"), "/private")
    ask("ann, whom the view did not ask for", signed("ann"), "/untouched")
    ask("ann, without permission", signed("ann"), "/forbidden")
    ask("ann, admin", signed("ann"), "/admin/auth/user/")
    ask("root, admin", signed("root"), "/admin/auth/user/")
    other = User.objects.create_user("other", id=99).pk
    ask("root, admin, one", signed("root"), f"/admin/auth/user/{other}/change/")
    ask("root, admin, deletes", signed("root"), f"/admin/auth/user/{other}/delete/", "post")
    ask("ann signs out", signed("ann"), "/sign-out")
    ask("ann deletes herself", signed("cid"), "/delete-me")
    ask("ann signs in", Client(), "/sign-in", "post", data={"name": "ann", "password": "secret"})
    wrong = {"name": "ann", "password": "hunter2hunter2"}
    ask("ann fails", Client(), "/sign-in", "post", data=wrong)
    form = {"username": "ann", "password": "hunter2hunter2"}
    ask("ann fails at the form", Client(), "/enter/", "post", data=form)
    ask("ann fails at the admin", Client(), "/admin/login/", "post", data=form)
    right = {**form, "password": "secret"}
    ask("ann is not an admin", Client(), "/admin/login/", "post", data=right)
    ask("ann at the form", Client(), "/enter/?next=/private", "post", data=right)
    ask("ann signs in as bob", signed("ann"), "/sign-in", "post", data={**wrong, "name": "bob"})
    ask("token", Client(), "/", headers={"x-bearer": "ann"})
    ask("root as ann", signed("root"), "/private", headers={"x-impersonate": "ann"})
    ask("root hijacks bob", signed("root"), "/hijack")
    ask("stops", signed("ann"), "/stops")
    ask("said too early", signed("ann"), "/breaks")
    for name in ("ann", "dee"):
        token = Token.objects.get(user__username=name).key
        about = {"headers": {"authorization": f"Token {token}"}}
        if name == "ann":
            ask("rest", Client(), "/api", **about)
            ask("rest, with another's session", signed("bob"), "/api", **about)
        else:
            ask("rest, deletes herself", Client(), "/api", "delete", **about)
    ask("rest, with a session that it does not read", signed("bob"), "/api")
    ask("rest, wrong token", Client(), "/api", headers={"authorization": "Token x"})
    for secret in ("secret", "hunter2hunter2"):
        basic = b64encode(f"ann:{secret}".encode()).decode()
        name = "rest, basic" if secret == "secret" else "rest, basic, wrong"
        ask(name, Client(), "/api", headers={"authorization": f"Basic {basic}"})
        remote = {"x-remote-user": "ann", "x-password": secret}
        name = "proxy" if secret == "secret" else "proxy, wrong"
        ask(name, Client(), "/private", headers=remote)
    ask("rest, login fails", Client(), "/api/token", "post", data=form)
    queries = {}
    for name, client in {"nobody": Client(), "ann": signed("ann")}.items():
        with CaptureQueriesContext(connection) as caught:
            client.get("/untouched")
        asked.note(f"queries of {name}", 200)
        queries[name] = len(caught)
    asked.found["queries"] = queries


async def asynchronous(asked: Asked) -> None:
    async def ask(name: str, client: Any, url: str, method: str = "get", **about: Any) -> None:
        try:
            status = (await getattr(client, method)(url, **about)).status_code
        except SystemExit:
            status = None
        asked.note(f"async {name}", status)

    async def signed(name: str) -> Any:
        client = AsyncClient()
        await client.aforce_login(await User.objects.aget(username=name))
        return client

    await ask("nobody", AsyncClient(), "/async/bearer")
    await ask("ann", await signed("ann"), "/async/private")
    await ask("ann, synchronous view", await signed("ann"), "/private")
    await ask("nobody, sent to the login page", AsyncClient(), "/private")
    await ask("ann signs out", await signed("ann"), "/async/sign-out")
    await ask("ann deletes herself", await signed("eve"), "/async/delete-me")
    data = {"name": "ann", "password": "secret"}
    await ask("ann signs in", AsyncClient(), "/async/sign-in", "post", data=data)
    wrong = {**data, "password": "hunter2hunter2"}
    await ask("ann fails", AsyncClient(), "/async/sign-in", "post", data=wrong)
    await ask("token", AsyncClient(), "/async/bearer", headers={"x-bearer": "ann"})
    await ask("root as ann", await signed("root"), "/private", headers={"x-impersonate": "ann"})
    await ask("root hijacks bob", await signed("root"), "/hijack")
    for name, method in (("ann", "get"), ("fay", "delete")):
        token = (await Token.objects.aget(user__username=name)).key
        about = {"headers": {"authorization": f"Token {token}"}}
        await ask(f"rest, {method}", AsyncClient(), "/api", method, **about)


def main() -> None:
    logger.addHandler(AuditHandler(LOG))
    logger.setLevel(logging.INFO)
    call_command("migrate", verbosity=0)
    for name in ("ann", "bob", "cid", "dee", "eve", "fay"):
        Token.objects.create(user=User.objects.create_user(name, password="secret"))
    User.objects.create_superuser("root", password="secret")
    asked = Asked()
    synchronous(asked)
    asyncio.run(asynchronous(asked))
    print(json.dumps(asked.found))


if __name__ == "__main__":
    main()
