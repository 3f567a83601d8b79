"""FastAPI: every request is an entry of audit.jsonl.

pip install 'chained_logging' fastapi 'uvicorn[standard]'
uvicorn --app-dir examples fastapi_app:app --workers 4
curl -H 'Authorization: Bearer ann' localhost:8000/patients/456
chained-logging show audit.jsonl
"""

import logging
import os
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException

from chained_logging import AuditHandler, AuditLog
from chained_logging.integrations.asgi import AuditMiddleware, audited, set_actor

log = AuditLog(os.environ.get("AUDIT_LOG", "audit.jsonl"))
logging.getLogger("app").addHandler(AuditHandler(log=log))
logging.getLogger("app").setLevel(logging.INFO)

app = FastAPI()
app.add_middleware(AuditMiddleware, log=log)


def signed_in(authorization: Annotated[str, Header()] = "") -> str:
    """Stand in for your own authentication: it names the actor."""
    scheme, _, name = authorization.partition(" ")
    if scheme != "Bearer" or not name:
        raise HTTPException(401)
    set_actor(name)
    return name


@app.get("/health")
async def health() -> str:
    return "well"  # left out of the log


@app.get("/patients/{id}")
async def show(id: str, user: Annotated[str, Depends(signed_in)]) -> dict[str, str]:
    return {"id": id, "name": "Jane"}  # recorded as: read patients/456


@app.get("/reports/{year}")
@audited("annual_report", id="year", action="export")
async def report(year: int, user: Annotated[str, Depends(signed_in)]) -> dict[str, int]:
    # One more entry, with the same actor, address and request id.
    logging.getLogger("app").info("read", extra={"audit": True, "resource": "ledger/main"})
    return {"year": year}
