"""Django: whom an entry names, and what it says of logins and of pages that ask for one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from folders import SUPPORT
from web_servers import entries


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("rest_framework")
    log = tmp_path_factory.mktemp("people") / "audit.jsonl"
    done = subprocess.run(
        [sys.executable, str(SUPPORT / "web_django_people.py"), str(log)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert entries(log)  # it verifies
    assert "hunter2" not in log.read_text()
    return json.loads(done.stdout)


# Who each request's entry names, its action and its result; ids are in the order of making.
EXPECTED = {
    "nobody": ("anonymous", "read", "success"),
    "nobody, sent to the login page": ("anonymous", "read", "denied"),
    "nobody, sent to another login page": ("anonymous", "read", "denied"),
    "nobody, admin": ("anonymous", "read", "denied"),
    "nobody, who posts": ("anonymous", "create", "denied"),
    "registered": ("anonymous", "create", "success"),
    "ann": ("1", "read", "success"),
    "ann, whom the view did not ask for": ("1", "read", "success"),
    "ann, without permission": ("1", "read", "denied"),
    "ann, admin": ("1", "read", "denied"),
    "root, admin": ("7", "read", "success"),
    "root, admin, one": ("7", "read", "success"),
    "root, admin, deletes": ("7", "delete", "success"),
    "ann signs out": ("1", "logout", "success"),
    "ann deletes herself": ("3", "logout", "success"),
    "ann signs in": ("1", "login", "success"),
    "ann fails": ("anonymous", "login", "failure"),
    "ann fails at the form": ("anonymous", "login", "failure"),
    "ann fails at the admin": ("anonymous", "login", "failure"),
    "ann is not an admin": ("anonymous", "login", "failure"),
    "ann at the form": ("1", "login", "success"),
    "ann signs in as bob": ("1", "login", "failure"),
    "token": ("1", "read", "success"),
    "root as ann": ("7", "read", "success"),
    "root hijacks bob": ("7", "login", "success"),
    "stops": ("1", "read", "failure"),
    "said too early": ("1", "read", "failure"),
    "rest": ("1", "read", "success"),
    "rest, with another's session": ("1", "read", "success"),
    "rest, deletes herself": ("4", "delete", "success"),
    "rest, with a session that it does not read": ("anonymous", "read", "denied"),
    "rest, wrong token": ("anonymous", "read", "denied"),
    "rest, basic": ("1", "read", "success"),
    "rest, basic, wrong": ("anonymous", "read", "denied"),
    "proxy": ("1", "read", "success"),
    "proxy, wrong": ("anonymous", "read", "denied"),
    "rest, login fails": ("anonymous", "login", "failure"),
    "async nobody": ("anonymous", "read", "success"),
    "async ann": ("1", "read", "success"),
    "async ann, synchronous view": ("1", "read", "success"),
    "async nobody, sent to the login page": ("anonymous", "read", "denied"),
    "async ann signs out": ("1", "logout", "success"),
    "async ann deletes herself": ("5", "read", "success"),
    "async ann signs in": ("1", "login", "success"),
    "async ann fails": ("anonymous", "login", "failure"),
    "async token": ("1", "read", "success"),
    "async root as ann": ("7", "read", "success"),
    "async root hijacks bob": ("7", "login", "success"),
    "async rest, get": ("1", "read", "success"),
    "async rest, delete": ("6", "delete", "success"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_entry_names_whom_the_view_saw(asked: Any, name: str) -> None:
    found = asked[name]
    assert (found["actor_id"], found["action"], found["result"]) == EXPECTED[name]
    assert "invalid" not in found
    for inside in found["inside"]:  # what the view logged itself
        assert inside["actor_id"] == found["actor_id"]
        assert inside.get("on_behalf_of") == found.get("on_behalf_of")
        assert "invalid" not in inside


def test_all_that_was_asked_is_expected(asked: Any) -> None:
    assert set(asked) - {"queries", "queries of nobody", "queries of ann"} == set(EXPECTED)


@pytest.mark.parametrize(
    "name", [*(name for name in EXPECTED if "fails" in name), "rest, basic, wrong", "proxy, wrong"]
)
def test_login_that_fails_names_the_account(asked: Any, name: str) -> None:
    assert asked[name]["account"] == "ann"


def test_person_has_a_name_beside_the_primary_key(asked: Any) -> None:
    assert (asked["ann"]["actor_name"], asked["ann"]["actor_type"]) == ("ann", "user")
    assert (asked["root, admin"]["actor_name"], asked["root, admin"]["actor_type"]) == (
        "root",
        "admin",
    )
    assert asked["rest"]["inside"][0]["actor_name"] == "ann"
    assert asked["ann signs in as bob"]["account"] == "bob"


@pytest.mark.parametrize("kind", ["", "async "])
def test_impersonated_user_is_not_the_actor(asked: Any, kind: str) -> None:
    for name, other in (("root as ann", "1"), ("root hijacks bob", "2")):
        found = asked[f"{kind}{name}"]
        assert (found["actor_id"], found["actor_type"]) == ("7", "admin")
        assert found["on_behalf_of"] == other


def test_view_that_ends_the_process_has_an_entry(asked: Any) -> None:
    assert asked["stops"]["exception"] == {"message": "3", "type": "SystemExit"}


def test_nobody_costs_no_query(asked: Any) -> None:
    assert asked["queries"]["nobody"] == 0
    assert asked["queries"]["ann"] <= 2  # the session and the user, as for any view that asks
