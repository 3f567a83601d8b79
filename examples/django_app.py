"""Django in one file: every request is an entry of audit.jsonl, with the user who made it.

pip install 'chained_logging' django gunicorn
gunicorn --chdir examples django_app:app -w 4
curl localhost:8000/patients/456
chained-logging show examples/audit.jsonl
"""

import os

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    SECRET_KEY=os.environ.get("SECRET_KEY", "for this example only"),
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    MIDDLEWARE=[
        "chained_logging.integrations.django.AuditMiddleware",  # the first
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    CHAINED_LOGGING={"log": os.environ.get("AUDIT_LOG", "audit.jsonl")},
)
django.setup()

from django.core.exceptions import PermissionDenied  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

from chained_logging.integrations.django import audited  # noqa: E402


def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse("well")  # left out of the log


def show(request: HttpRequest, id: str) -> HttpResponse:
    return JsonResponse({"id": id, "name": "Jane"})  # recorded as: read patients/456


@audited("annual_report", id="year", action="export")
def report(request: HttpRequest, year: int) -> HttpResponse:
    raise PermissionDenied  # recorded as: export annual_report/2026, denied


urlpatterns = [
    path("health", health),
    path("patients/<id>", show),
    path("reports/<int:year>", report),
]
app = get_wsgi_application()
