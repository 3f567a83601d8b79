"""``@audited`` for a view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from web_site import Site

from chained_logging.integrations.web.marks import audited


def test_a_view_is_marked_and_stays_what_it_was() -> None:
    def view(id: str) -> str:
        return id

    mark = audited("patient_record", id="id", action="export")
    assert mark(view) is view
    assert view.__audited__ is mark  # type: ignore[attr-defined]


def test_a_mark_names_resource_and_action_instead_of_the_route(tmp_path: Path) -> None:
    site = Site(tmp_path)

    @site.app.get("/p/{number}")
    @audited("patient_record", id="number", action="export")
    def one(number: str) -> str:
        return number

    @site.app.get("/all")
    @audited("patient_record")
    def every() -> str:
        return "x"

    client = site.client()
    client.get("/p/456")
    client.get("/all")
    said: list[Any] = [(f["resource_type"], f["resource_id"], f["action"]) for f in site.found()]
    assert said == [("patient_record", "456", "export"), ("patient_record", "*", "read")]
    site.log.close()


def test_a_dependency_marks_the_request_that_it_is_called_in(tmp_path: Path) -> None:
    from fastapi import Depends, HTTPException

    def refuse() -> None:
        raise HTTPException(403)

    site = Site(tmp_path)
    mark = Depends(audited("note", id="number").dependency)

    @site.app.get("/n/{number}", dependencies=[mark, Depends(refuse)])
    def show(number: str) -> str:
        return number

    site.client().get("/n/7")
    (fields,) = site.found()
    assert (fields["resource_type"], fields["resource_id"]) == ("note", "7")
    assert fields["result"] == "denied"  # it never reached the view
    site.log.close()
