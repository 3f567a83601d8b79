"""Flask with Flask-Login: every request is an entry of audit.jsonl, with the user who made it.

    pip install chained_logging flask flask-login gunicorn
    gunicorn --chdir examples flask_app:app -w 4 --preload
    curl -c jar -d username=ann -d password=secret localhost:8000/login
    curl -b jar localhost:8000/patients/456
    chained-logging query examples/audit.jsonl

The lines that audit are marked; the rest would be there without them.
"""

import logging
import os

from flask import Flask, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from werkzeug.wrappers import Response

from chained_logging import AuditHandler, AuditLog  # audit
from chained_logging.integrations.wsgi import AuditMiddleware, audited  # audit

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY", "for this example only")
log = AuditLog(os.environ.get("AUDIT_LOG", "audit.jsonl"))  # audit
app.wsgi_app = AuditMiddleware(app.wsgi_app, log=log)  # type: ignore[method-assign]  # audit
logging.getLogger("clinic").addHandler(AuditHandler(log=log))  # audit
logging.getLogger("clinic").setLevel(logging.INFO)

manager = LoginManager(app)
manager.login_view = "login"


class User(UserMixin):
    """Stand in for your own users."""

    def __init__(self, id: str) -> None:
        self.id = id


manager.user_loader(User)


@app.get("/health")
def health() -> str:
    return "well"  # left out of the log


@app.route("/login", methods=["GET", "POST"])
def login() -> str | Response:
    if request.form.get("password") == "secret":
        login_user(User(request.form["username"]))
        return redirect(url_for("show", id="456"))  # recorded as: login by ann
    return "Who are you?"  # recorded as: login, failure, with the account that was tried


@app.get("/patients/<id>")
@login_required  # without a login recorded as: read patients/456 by anonymous, denied
def show(id: str) -> dict[str, str]:
    return {"id": id, "name": "Jane"}  # recorded as: read patients/456 by ann


@app.get("/reports/<int:year>")
@login_required
@audited("annual_report", id="year", action="export")  # audit
def report(year: int) -> dict[str, str]:
    # One more entry, with the same actor, address and request id.
    extra = {"audit": True, "resource": "ledger/main"}  # audit
    logging.getLogger("clinic").info("read", extra=extra)  # audit
    return {"by": current_user.id}
