"""WSGI."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import check_chain
from programs import run_to_end
from web_servers import entries

from chained_logging import AuditLog
from chained_logging.integrations.wsgi import AuditMiddleware


def test_no_warning_breaks_a_request_under_w_error(tmp_path: Path) -> None:
    """``python -W error`` makes exceptions of warnings: the request must not see them."""
    code = """
    import logging, sys
    from chained_logging.integrations.wsgi import AuditMiddleware

    def broken(exchange):
        raise KeyError("x")

    def application(environ, start_response):
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append((record.name, record.levelname))
    logging.getLogger().addHandler(handler)
    app = AuditMiddleware(application, log="audit.jsonl", actor=broken)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/p/1", "REMOTE_ADDR": "10.0.0.1"}
    for _ in range(2):
        assert b"".join(app(dict(environ), lambda status, headers: None)) == b"ok"
    assert said == [("chained_logging", "WARNING")], said
    """
    run_to_end(code, tmp_path)
    assert [e["actor_id"] for e in check_chain(tmp_path / "audit.jsonl")[1:]] == ["unknown"] * 2


def begin(app: Any, **more: str) -> Any:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "REMOTE_ADDR": "192.0.2.1", **more}
    return app(environ, lambda status, headers, exc_info=None: lambda data: None)


def test_user_whom_the_server_signed_in(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"a"]

    for user in ({"REMOTE_USER": "ann"}, {"REMOTE_USER": ""}, {"HTTP_REMOTE_USER": "eve"}):
        assert list(begin(AuditMiddleware(app, log=log), **user)) == [b"a"]
    assert [f["actor_id"] for f in entries(log.path)] == ["ann", "anonymous", "anonymous"]
    log.close()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_application_that_ends_the_process_has_an_entry(
    tmp_path: Path, error: type[BaseException]
) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")

    def app(environ: Any, start_response: Any) -> Any:
        raise error("x")

    with pytest.raises(error):
        begin(AuditMiddleware(app, log=log))
    (fields,) = entries(log.path)
    assert (fields["result"], fields["context"]["exception"]["type"]) == ("failure", error.__name__)
    log.close()


def test_iterable_that_nobody_closes_has_an_entry(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        yield b"b"

    for taken in (0, 1):
        iterable = begin(AuditMiddleware(app, log=log))
        for _ in range(taken):
            next(iterable)
        del iterable
        gc.collect()
    found = entries(log.path)
    assert [(f["result"], f["context"]["cause"]) for f in found] == [
        ("failure", "the answer was not finished")
    ] * 2
    log.close()
