"""Django with REST framework: every request is an entry of audit.jsonl, with its user.

    pip install chained_logging django djangorestframework gunicorn
    python examples/django_app.py                # makes the database, and ann with a token
    gunicorn --chdir examples django_app:app -w 4 --preload
    curl -H "Authorization: Token $TOKEN" localhost:8000/patients/456
    chained-logging query examples/audit.jsonl

The lines that audit are marked; the rest would be there without them.
"""

import logging
import os
from pathlib import Path

import django
from django.conf import settings

HERE = Path(__file__).parent
AUDIT_LOG = os.environ.get("AUDIT_LOG", "audit.jsonl")  # audit

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    SECRET_KEY=os.environ.get("SECRET_KEY", "for this example only"),
    ROOT_URLCONF=__name__,
    LOGIN_URL="/login/",
    LOGIN_REDIRECT_URL="/health",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "rest_framework",
        "rest_framework.authtoken",
    ],
    MIDDLEWARE=[
        "chained_logging.integrations.django.AuditMiddleware",  # audit: the first
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {"registration/login.html": "<form method=post>{% csrf_token %}{{ form }}"},
                    )
                ]
            },
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("DATABASE", HERE / "clinic.sqlite3"),
        }
    },
    CHAINED_LOGGING={"log": AUDIT_LOG},  # audit
    LOGGING={
        "version": 1,
        "handlers": {"audit": {"()": "chained_logging.AuditHandler", "path": AUDIT_LOG}},  # audit
        "loggers": {"clinic": {"level": "INFO", "handlers": ["audit"]}},  # audit
    },
)
django.setup()

from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.authentication import TokenAuthentication  # noqa: E402
from rest_framework.authtoken.views import obtain_auth_token  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from chained_logging.integrations.django import audited  # noqa: E402  # audit


def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse("well")  # left out of the log


class Patient(APIView):
    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request, id: str) -> Response:
        return Response({"id": id, "name": "Jane"})  # recorded as: read patients/456 by ann


@login_required  # without a login recorded as: export annual_report/2026 by anonymous, denied
@audited("annual_report", id="year", action="export")  # audit
def report(request: HttpRequest, year: int) -> HttpResponse:
    # One more entry, with the same actor, address and request id.
    extra = {"audit": True, "resource": "ledger/main"}  # audit
    logging.getLogger("clinic").info("read", extra=extra)  # audit
    return JsonResponse({"year": year})


urlpatterns = [
    path("health", health),
    path("login/", LoginView.as_view()),  # a failure names the account that was tried
    path("token", obtain_auth_token),
    path("patients/<id>", Patient.as_view()),
    path("reports/<int:year>", report),
]


def prepare() -> None:
    """Make the database, and a user; print the user's token."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    call_command("migrate", verbosity=0)
    user, new = User.objects.get_or_create(username="ann")
    if new:
        user.set_password("secret")
        user.save()
    print(Token.objects.get_or_create(user=user)[0].key)


if __name__ == "__main__":
    prepare()
else:
    app = get_wsgi_application()
