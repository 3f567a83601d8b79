"""What entries are about, in a few words."""

from __future__ import annotations

import datetime as dt

import pytest

from chained_logging import AuditEntry
from chained_logging.formats import meaning


@pytest.mark.parametrize(
    ("action", "verb"),
    [
        ("read", "read"),
        ("GetObject", "read"),
        ("patient.update", "update"),
        ("sign-in", "login"),
        ("user.logged out", "other"),
        ("ConsoleLogin", "login"),
        ("log_out", "logout"),
        ("DELETE", "delete"),
        ("create_login", "create"),
        ("export", "export"),
        ("approve", "other"),
        ("", "other"),
        ("léser", "other"),
    ],
)
def test_the_first_known_word_decides(action: str, verb: str) -> None:
    assert meaning.verb(action) == verb


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("genesis", "log"),
        ("login", "login"),
        ("group", "identity"),
        ("table", "store"),
        ("read", "other"),
    ],
)
def test_an_entry_has_its_kind(entries: dict[str, AuditEntry], name: str, kind: str) -> None:
    assert meaning.kind(entries[name]) == kind


def test_a_sentence_says_who_did_what(entries: dict[str, AuditEntry]) -> None:
    said = {name: meaning.sentence(entry) for name, entry in entries.items()}
    assert said["denied"] == "ann read patient_record/456 from 10.0.0.1: denied"
    assert said["for"] == "ann for carol delete note/1 from 10.0.0.1: success"
    assert said["many"] == "ann list patient/1 and 2 more from 10.0.0.1: success"
    assert said["service"] == "ann sync job/1: success"


def test_milliseconds_are_exact() -> None:
    moment = dt.datetime(2026, 1, 1, 0, 0, 0, 999_999, dt.UTC)
    assert meaning.milliseconds(moment) == 1_767_225_600_999
    assert meaning.milliseconds(dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=dt.UTC)) == -1000


def test_the_times_are_those_of_the_entry(entries: dict[str, AuditEntry]) -> None:
    moments = meaning.read(entries["read"])
    assert moments.occurred.isoformat().startswith(entries["read"].timestamp[:26])
    assert abs(moments.recorded - moments.occurred) < dt.timedelta(seconds=60)


def test_given_keeps_what_says_something() -> None:
    assert meaning.given(a=0, b=False, c="", d=None, e={}, f=[]) == {"a": 0, "b": False, "c": ""}
