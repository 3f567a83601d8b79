"""What code inside a request imports, whatever the framework."""

from __future__ import annotations

from pathlib import Path

import pytest
from asgi_server import serve
from web_servers import entries

from chained_logging import AuditLog
from chained_logging.integrations import asgi, django, http, wsgi


@pytest.mark.parametrize("name", http.__all__)
def test_each_framework_has_the_same_function(name: str) -> None:
    for module in (asgi, wsgi, django):
        if name != "Auditor":
            assert getattr(module, name) is getattr(http, name)


def test_it_holds_for_the_request_that_the_code_serves(tmp_path: Path) -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        assert http.set_actor("ann", type="admin")
        assert http.annotate(reason="break glass")

    assert not http.set_actor("nobody's")  # outside of a request nothing happens
    assert not http.annotate(reason="no request")
    with AuditLog(tmp_path / "audit.jsonl") as log:
        serve(asgi.AuditMiddleware(app, log=log))
        (entry,) = entries(log.path)
    assert (entry["actor_id"], entry["actor_type"]) == ("ann", "admin")
    assert entry["reason"] == "break glass"
