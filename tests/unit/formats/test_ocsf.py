"""OCSF events, against the schema."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from chains import read_json
from format_entries import EVENTS, ORIGIN, vectors
from ocsf_schema import SCHEMA, faults

from chained_logging import AuditEntry
from chained_logging.formats import ocsf


@pytest.mark.parametrize("name", ["genesis", *EVENTS])
def test_each_event_fits_the_schema(entries: dict[str, AuditEntry], name: str) -> None:
    assert faults(ocsf.event(entries[name], ORIGIN)) == []


def test_the_vectors_fit_the_schema() -> None:
    for entry in vectors():
        assert faults(ocsf.event(entry, "")) == []


def test_the_checker_of_the_schema_finds_faults(entries: dict[str, AuditEntry]) -> None:
    event = ocsf.event(entries["read"], ORIGIN)

    def broken(**changes: Any) -> list[str]:
        return faults({**event, **changes})

    assert broken(time="now")
    assert broken(odd=1)
    assert broken(activity_id=7)
    assert broken(activity_name="Delete")
    assert broken(src_endpoint={"ip": "10.0.0.1"})
    assert broken(src_endpoint={"ip": "here", "name": "x"})
    assert broken(metadata={**event["metadata"], "profiles": []})
    assert faults({name: value for name, value in event.items() if name != "actor"})


@pytest.mark.parametrize(
    ("name", "class_uid", "activity"),
    [
        ("genesis", 1008, "Start"),
        ("log", 1008, "audit_log.read"),
        ("login", 3002, "Logon"),
        ("failed login", 3002, "Logon"),
        ("logout", 3002, "Logoff"),
        ("user", 3004, "Create"),
        ("group", 3004, "Update"),
        ("role", 3004, "grant"),
        ("table", 6005, "Delete"),
        ("bucket", 6005, "Read"),
        ("database", 6005, "export"),
        ("read", 6003, "Read"),
        ("failed", 6003, "Update"),
        ("for", 6003, "Delete"),
        ("export", 6003, "export"),
        ("other", 6003, "approve"),
    ],
)
def test_an_entry_has_its_class(
    entries: dict[str, AuditEntry], name: str, class_uid: int, activity: str
) -> None:
    event = ocsf.event(entries[name], ORIGIN)
    assert (event["class_uid"], event["activity_name"]) == (class_uid, activity)


def test_the_five_classes_are_those_of_the_vectors() -> None:
    assert {str(each.uid) for each in ocsf._CLASSES.values()} == set(SCHEMA["classes"]) - {
        "2003"  # of the checklist
    }


def test_the_fields_are_where_a_reader_of_ocsf_looks(entries: dict[str, AuditEntry]) -> None:
    entry = entries["many"]
    event = ocsf.event(entry, ORIGIN)
    assert event["actor"] == {"user": {"uid": "ann", "type_id": 1, "type": "User"}}
    assert event["src_endpoint"] == {"ip": "10.0.0.1", "name": "10.0.0.1"}
    assert [(each["uid"], each["role"]) for each in event["resources"]] == [
        *(("1", "Target"), ("2", "Affected"), ("3", "Affected"))
    ]
    metadata = event["metadata"]
    assert (metadata["uid"], metadata["sequence"]) == (entry.id, entry.seq)
    assert (metadata["log_name"], metadata["tenant_uid"]) == (ORIGIN, "acme")
    assert event["trace"] == {"uid": "ab" * 16}
    assert event["status"] == "Success"
    denied = ocsf.event(entries["denied"], ORIGIN)
    assert (denied["status"], denied["status_code"]) == ("Failure", "denied")
    assert (denied["action"], denied["disposition"]) == ("Denied", "Blocked")


def test_the_time_is_that_of_the_event_in_milliseconds() -> None:
    (entry,) = (each for each in vectors() if each.seq == 1)
    event = ocsf.event(entry, "")
    assert event["time_dt"] == entry.timestamp
    seconds = entry.timestamp[:19]
    import datetime as dt

    since = dt.datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=dt.UTC).timestamp()
    assert event["time"] == int(since) * 1000 + int(entry.timestamp[20:23])


def test_the_raw_data_is_the_stored_line_and_has_both_hashes(
    entries: dict[str, AuditEntry],
) -> None:
    for entry in entries.values():
        event = read_json(ocsf.encode(entry, ORIGIN))
        line = event["raw_data"].encode()
        assert line == entry.line
        assert event["raw_data_size"] == len(line)
        assert event["raw_data_hash"]["value"] == hashlib.sha256(line).hexdigest()
        (attested,) = event["attestation_list"]
        assert attested["chain_uid"] == ORIGIN
        body = line[: line.rindex(b',"hash":"')] + b"}"
        assert attested["fingerprint"]["value"] == hashlib.sha256(b"\0" + body).hexdigest()
        assert ocsf.raw(event).encode() == line


def test_each_event_is_one_line(entries: dict[str, AuditEntry]) -> None:
    for entry in entries.values():
        assert ocsf.encode(entry, ORIGIN).count(b"\n") == 1
