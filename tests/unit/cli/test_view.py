"""``view``: a server for one browser, until it is interrupted."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from browser import viewing
from chains import stored
from commands import events, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    run("append", tmp_path / "audit.db", stdin=events(9))
    return tmp_path / "audit.db"


def test_the_printed_address_opens_the_log_once_and_readings_have_a_reason(path: Path) -> None:
    jar = urllib.request.HTTPCookieProcessor(CookieJar())
    opener = urllib.request.build_opener(jar)
    with viewing(path, "--reason", "complaint 7") as address:
        assert address.startswith("http://127.0.0.1:")
        base = address.partition("/open/")[0]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            opener.open(f"{base}/entries")
        opener.open(address)
        assert b"patient_record/456" in opener.open(f"{base}/entries").read()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            opener.open(address)
    entry = json.loads(stored(path)[-1][1])
    assert (entry["action"], entry["reason"]) == ("audit_log.read", "complaint 7")


def test_what_cannot_be_viewed_is_said(path: Path) -> None:
    assert "does not exist" in run("view", path.with_name("none.db"), status=2)
    assert "--origin is for the URL" in run("view", path, "--origin", "x", status=2)
    demanding = {"CHAINED_LOGGING_REQUIRE_REASON": "true"}
    assert "a reason must be given" in run("view", path, status=2, **demanding)
