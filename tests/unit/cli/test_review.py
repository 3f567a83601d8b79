"""``review start``, ``sign``, ``list`` and ``calendar``, as people run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chains import EVENT
from commands import ORIGIN, command, run

from chained_logging import AuditLog


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    with AuditLog(path) as opened:
        opened.append("read", **(EVENT | {"timestamp": "2026-02-03T10:00:00Z"}))
    return path


def test_a_month_is_reviewed_and_signed_with_a_key(log: Path, tmp_path: Path) -> None:
    key = tmp_path / "eve.key"
    vkey = run("keygen", key, "--origin", ORIGIN).strip().splitlines()[-1]
    late = command("review", "list", log, "--every", "year")
    begun = run("review", "start", log, "--since", "2026-01-01Z", "--until", "2027-01-01Z")
    number = begun.split("Review ")[1].split()[0]
    assert "entries" in begun
    said = run("review", "sign", log, number, "--conclusion", "In\n\x1b[2Jorder.",
               "--name", "Eve", "--reviewer-key", key)  # fmt: skip
    assert "signed with a key that only the log names" in said
    listed = run("review", "list", log, CHAINED_LOGGING_REVIEWER_KEYS=vkey)
    assert "signed with their own key, which you know" in listed
    assert "\x1b" not in listed
    assert late.returncode in (0, 1)  # as the year has ended or not


def test_what_is_overdue_is_listed(log: Path) -> None:
    done = command("review", "list", log, "--every", "week", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["overdue"][0]["title"] == (
        "Nobody has reviewed 2026-02-02 to 2026-02-08"
    )


def test_the_calendar_is_a_new_file(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "reviews.ics"
    run("review", "calendar", log, "--every", "quarter", "-o", file)
    assert file.read_text().startswith("BEGIN:VCALENDAR")
    assert command("review", "calendar", log, "-o", file).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["start", "LOG", "--since", "2026-01-01"], "give either"),
        (["start", "LOG", "--emergency", "1"], "must be about emergency access"),
        (["sign", "LOG", "7", "--conclusion", "x"], "there is no review 7"),
        (["list", "LOG", "--every", "decade"], "--every"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    log: Path, arguments: list[str], said: str
) -> None:
    done = command("review", *[str(log) if word == "LOG" else word for word in arguments])
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
