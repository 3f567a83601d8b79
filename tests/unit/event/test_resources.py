"""What code calls a record becomes a type and an id, the same in every way in."""

from __future__ import annotations

import enum
import io
import json
import logging
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import structlog
from commands import run
from hypothesis import given
from hypothesis import strategies as st

from chained_logging import AuditHandler, AuditLog, AuditProcessor
from chained_logging.event.resources import resource, split

WHOLE = None
ARN = "arn:aws:iam::123456789012:user/ann"


class Kind(enum.Enum):
    PATIENT = "patient"
    ONE = "patient/1"


class PatientRecord:
    id = 7


@pytest.mark.parametrize(
    ("given", "kind", "id"),
    [
        ("patient_record/456", "patient_record", "456"),
        ("patient-record/456", "patient-record", "456"),
        ("clinic.patient/456", "clinic.patient", "456"),
        ("patient / 45 ", "patient", "45"),
        ("пациент/45", "пациент", "45"),
        ("patient/456/notes/7", "patient", "456/notes/7"),
        ("patient:456", "patient", "456"),
        ("patients", "patients", "*"),
        ("patients/*", "patients", "*"),
        ("https://api.example.com/v1/patients/456?page=1", "url", WHOLE),
        ("HTTP://EXAMPLE.COM", "url", WHOLE),
        ("s3://records/a/b", "s3", WHOLE),
        ("gs://records/a", "gs", WHOLE),
        ("gid://app/Patient/1", "Patient", "1"),
        ("gid://app/Clinic::Patient/1?expires_in", "Clinic::Patient", "1"),
        ("arn:aws:s3:::records/2024/ann.pdf", "aws.s3", WHOLE),
        ("arn:aws:s3:::records", "aws.s3", WHOLE),
        (ARN, "aws.iam.user", WHOLE),
        ("arn:aws-cn:rds:eu-west-1:1:db:main", "aws.rds.db", WHOLE),
        ("arn:aws:lambda:eu-west-1:1:function:f", "aws.lambda.function", WHOLE),
        ("urn:uuid:1-2", "urn", WHOLE),
        ("/v1/patients/456", "path", WHOLE),
        ("/", "path", WHOLE),
        ("./a/b", "path", WHOLE),
        ("C:\\records\\ann.txt", "path", WHOLE),
        ("\\\\server\\share", "path", WHOLE),
        ("/api/v1/namespaces/default/pods/web-1", "pods", WHOLE),
        ("/apis/apps/v1/namespaces/default/deployments/web", "deployments", WHOLE),
        ("/api/v1/nodes/n1", "nodes", WHOLE),
        ("/api/v1/pods", "pods", WHOLE),
        ("/api/v1/pods/456", "path", WHOLE),
        (("patient", 456), "patient", "456"),
        (["patient", "a/b"], "patient", "a/b"),
        (("line", (1, 2)), "line", "1,2"),
        ((Kind.PATIENT, 7), "patient", "7"),
        ((PatientRecord, 7), "patient_record", "7"),
        (("patient", PatientRecord()), "patient", "7"),
        (Kind.ONE, "patient", "1"),
        ({"type": "patient", "id": 7}, "patient", "7"),
        (PurePosixPath("/srv/ann.pdf"), "path", "/srv/ann.pdf"),
        (PatientRecord(), "patient_record", "7"),
        (b"patient/7", "patient", "7"),
        (7, None, "7"),
        ("456", None, "456"),
        ("patients/", "patients", ""),
        ("", None, None),
    ],
)
def test_forms(given: Any, kind: str | None, id: str | None) -> None:
    expected = id if id is not WHOLE or kind is None else given
    assert tuple(resource(given)) == (kind, expected)


def test_what_is_too_long_keeps_its_beginning_and_a_digest() -> None:
    kind, id = split("s3://records/" + "x" * 3000)
    assert kind == "s3"
    assert id is not None
    assert len(id.encode()) <= 1024
    assert "sha256:" in id


@given(st.text())
def test_any_text_has_an_outcome(text: str) -> None:
    kind, id = split(text)
    assert kind is None or isinstance(kind, str)
    assert id is None or isinstance(id, str)


@given(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), st.from_regex(r"\w{1,9}", fullmatch=True))
def test_all_forms_of_a_pair_are_one(kind: str, id: str) -> None:
    assert split(f"{kind}/{id}") == split(f" {kind} / {id} ") == (kind, id)
    assert tuple(resource((kind, id))) == tuple(resource({"type": kind, "id": id})) == (kind, id)


NAMES = {"patients": "patient_record", "clinic.patient": "patient_record"}


def test_one_record_has_one_name_in_every_way_in(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with AuditLog(path, resources=NAMES) as log:
        logger = logging.Logger("ways")
        logger.addHandler(AuditHandler(log=log))
        struct = structlog.wrap_logger(
            structlog.PrintLogger(io.StringIO()),
            processors=[AuditProcessor(log), lambda *_: ""],
        )
        who = {"actor": "u", "ip": "10.0.0.1"}
        log.append("read", resource="patient_record/456", **who)
        log.append("read", resource_type="patients", resource_id=456, **who)
        log.append_many([{"action": "read", "resource": ("clinic.patient", 456), **who}])
        log.append("read", resource="patients/456", ip="x", actor="u")  # incomplete
        logger.info("read", extra={"audit": True, "resource": "patients/456", **who})
        struct.info("read", audit=True, resource="patients/456", **who)
        log.append("read", resource="patients/457", **who)
    read = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert {e["resource_type"] for e in read} == {"patient_record"}
    assert len(shown(path, "patient_record/456")) == 6
    assert len(shown(path, "patient_record")) == 7


@pytest.mark.parametrize(
    "names", [{"": "a"}, {"a": ""}, {1: "a"}, {"a": None}, {"a": "\0"}, {"a": "x" * 1025}]
)
def test_names_that_cannot_be(tmp_path: Path, names: Any) -> None:
    with pytest.raises(ValueError, match="resources"):
        AuditLog(tmp_path / "a.jsonl", resources=names)
    assert not (tmp_path / "a.jsonl").exists()


def shown(path: Path, wanted: str) -> list[dict[str, Any]]:
    done = run("query", path, "--json", "--resource", wanted)
    return [json.loads(line) for line in done.splitlines()]


def test_a_record_is_shown_by_each_of_its_names(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with AuditLog(path) as log:
        who = {"actor": "u", "ip": "10.0.0.1"}
        log.append("read", resource=ARN, **who)
        log.append("read", resource="/srv/a", **who)
        log.append(
            "read",
            resource=("notes", "7"),
            route="/patients/{patient_id}/notes/{id}",
            params={"patient_id": "456", "id": "7"},
            **who,
        )
        log.append("read", resource="notes/8", route=5, params=[{"patient_id": "456"}], **who)
    for name, count in {
        ARN: 1, "aws.iam.user": 1, f"aws.iam.user/{ARN}": 1, "/srv/a": 1, "path": 1,
        "patients/456": 1, "patient/456": 1, "patient:456": 1, "notes/7": 1, "notes": 2,
        "patients/7": 0, "456": 0, "patients": 0,
    }.items():  # fmt: skip
        assert len(shown(path, name)) == count, name
