"""Flask: every request is an entry of audit.jsonl.

pip install 'chained_logging' flask gunicorn
gunicorn --chdir examples flask_app:app -w 4
curl -H 'Authorization: Bearer ann' localhost:8000/patients/456
chained-logging show examples/audit.jsonl
"""

import os

from flask import Flask, abort, request

from chained_logging.integrations.wsgi import AuditMiddleware, audited, set_actor

app = Flask(__name__)
app.wsgi_app = AuditMiddleware(  # type: ignore[method-assign]
    app.wsgi_app, log=os.environ.get("AUDIT_LOG", "audit.jsonl")
)


@app.before_request
def signed_in() -> None:
    """Stand in for your own authentication: it names the actor."""
    if request.path == "/health":
        return
    scheme, _, name = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not name:
        abort(401)
    set_actor(name)


@app.get("/health")
def health() -> str:
    return "well"  # left out of the log


@app.get("/patients/<id>")
def show(id: str) -> dict[str, str]:
    return {"id": id, "name": "Jane"}  # recorded as: read patients/456


@app.get("/reports/<int:year>")
@audited("annual_report", id="year", action="export")
def report(year: int) -> dict[str, int]:
    return {"year": year}
