"""A Django application with django-hijack and django-impersonate, and somebody who uses both.

``python web_django_impersonation.py LOG`` makes the requests, and prints who each entry names.
"""

from __future__ import annotations

import json
import sys
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
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "hijack",
            "impersonate",
        ],
        MIDDLEWARE=[
            "chained_logging.integrations.django.AuditMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "hijack.middleware.HijackUserMiddleware",
            "impersonate.middleware.ImpersonateMiddleware",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{LOG}.django"}},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        USE_TZ=True,
        LOGGING_CONFIG=None,
        HIJACK_INSERT_BEFORE=None,
        CHAINED_LOGGING={"log": LOG},
    )
    sys.modules["web_django_impersonation"] = sys.modules[__name__]
    django.setup()

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from chained_logging.integrations.django import annotate, shown

User = get_user_model()


@login_required
def private(request: Any) -> HttpResponse:
    return HttpResponse(request.user.get_username())


@login_required
def untouched(request: Any) -> HttpResponse:
    annotate(tenant="acme", resources=["a/1", ("b", 2)])
    return HttpResponse("x")


def people(request: Any) -> HttpResponse:
    everyone = shown(User.objects.order_by("pk"))
    return HttpResponse(", ".join(user.username for user in everyone))


urlpatterns = [
    path("private", private),
    path("untouched", untouched),
    path("people", people),
    path("hijack/", include("hijack.urls")),
    path("impersonate/", include("impersonate.urls")),
]


def main() -> None:
    call_command("migrate", verbosity=0)
    root = User.objects.create_superuser("root", password="secret")
    ann = User.objects.create_user("ann", password="secret")
    client = Client()
    client.force_login(root)
    assert client.get("/private").content == b"root"
    client.post("/hijack/acquire/", {"user_pk": ann.pk})
    assert client.get("/private").content == b"ann"
    client.get("/untouched")
    client.post("/hijack/release/")
    assert client.get("/private").content == b"root"
    client.get(f"/impersonate/{ann.pk}/")
    assert client.get("/private").content == b"ann"
    client.get("/impersonate/stop/")
    assert client.get("/private").content == b"root"
    client.get("/people")
    found = []
    for line in LOG.read_text().splitlines()[1:]:
        fields = json.loads(line)
        names = ("actor_id", "actor_type", "on_behalf_of", "tenant_id", "resources")
        found.append([fields["context"]["route"], *(fields.get(name) for name in names)])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
