"""FastAPI: every request is an entry of audit.jsonl, with who made it and how it went.

    pip install chained_logging fastapi python-multipart 'uvicorn[standard]'
    uvicorn --app-dir examples fastapi_app:app --workers 4
    curl -d username=ann -d password=secret localhost:8000/login
    curl -H 'Authorization: Bearer ann' localhost:8000/patients/456
    chained-logging query audit.jsonl

The lines that audit are marked; the rest would be there without them.
"""

import logging
import os
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm

from chained_logging import AuditHandler, AuditLog, get_logger  # audit
from chained_logging.integrations.asgi import AuditMiddleware, audited, set_actor  # audit

log = AuditLog(os.environ.get("AUDIT_LOG", "audit.jsonl"))  # audit
logging.getLogger("clinic").addHandler(AuditHandler(log=log))  # audit
logger = get_logger("clinic")
logger.logger.setLevel(logging.INFO)

app = FastAPI()
app.add_middleware(AuditMiddleware, log=log)  # audit

bearer = OAuth2PasswordBearer(tokenUrl="login")


def signed_in(token: Annotated[str, Depends(bearer)]) -> str:
    """Stand in for your own check of a token."""
    set_actor(token)  # audit
    return token


@app.get("/health")
async def health() -> str:
    return "well"  # left out of the log


@app.post("/login")
async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    if form.password != "secret":
        raise HTTPException(401)  # recorded as: login, denied, with the account that was tried
    set_actor(form.username)  # audit
    return {"access_token": form.username, "token_type": "bearer"}


@app.get("/patients/{id}")
async def show(id: str, user: Annotated[str, Depends(signed_in)]) -> dict[str, str]:
    return {"id": id, "name": "Jane"}  # recorded as: read patients/456


@app.get("/reports/{year}")
@audited("annual_report", id="year", action="export")  # audit
async def report(year: int, user: Annotated[str, Depends(signed_in)]) -> dict[str, int]:
    # One more entry, with the same actor, address and request id.
    logger.info("read", audit=True, resource="ledger/main")  # audit
    return {"year": year}


@app.get("/account")
async def account(request: Request) -> RedirectResponse:
    return RedirectResponse("/login?next=/account")  # recorded as: read account/*, denied
