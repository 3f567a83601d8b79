"""A FastAPI application with a middleware, its log and a client."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from web_servers import entries

from chained_logging import AuditHandler, AuditLog
from chained_logging.integrations.asgi import AuditMiddleware


class Site:
    """A FastAPI application, its log and a client."""

    def __init__(self, folder: Path, app: Any = None, **options: Any) -> None:
        self.log = AuditLog(folder / "audit.jsonl", **options.pop("log_options", {}))
        self.logger = logging.Logger("shop")
        self.logger.addHandler(AuditHandler(log=self.log))
        self.app = FastAPI() if app is None else app
        self.audited = AuditMiddleware(self.app, log=self.log, **options)

    def client(self, **about: Any) -> TestClient:
        about = {"follow_redirects": False, "raise_server_exceptions": False, **about}
        return TestClient(self.audited, **about)

    def log_inside(self) -> None:
        self.logger.info("inside", extra={"audit": True, "resource": "report/7"})

    def found(self) -> list[dict[str, Any]]:
        return [f for f in entries(self.log.path) if f["resource_type"] != "report"]

    def inside(self) -> list[dict[str, Any]]:
        return [f for f in entries(self.log.path) if f["resource_type"] == "report"]


def said(fields: dict[str, Any]) -> tuple[str, str, str]:
    assert "invalid" not in fields["context"]
    return fields["actor_id"], fields["action"], fields["result"]
