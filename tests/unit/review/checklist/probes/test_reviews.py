"""Reviews: met while signed ones reach far enough; not met once one is missing, open or forged."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from checklists import configured, event, is_met, looked, recorded

from chained_logging.event.values import timestamp_text
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys import PrivateKey
from chained_logging.review.period import Period
from chained_logging.review.reviews.desk import sign, start


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def period(since: float, until: float = 0) -> Period:
    """Return a period in days before now."""
    now = dt.datetime.now(dt.UTC)
    return Period(*(timestamp_text(now - dt.timedelta(days=days)) for days in (since, until)))


def reviewed(path: Path, since: float = 31, until: float = 0, **options: Any) -> Path:
    """Have somebody review a period, and sign that."""
    if not path.exists():
        recorded(path)
    number = start(str(path), period(since, until), "officer").seq
    sign(str(path), number, "officer", "Nothing unusual.", name="Eve Meyer", **options)
    return path


def test_a_signed_review_of_the_last_month_is_met(path: Path) -> None:
    found = looked(reviewed(path), "reviewed 31")
    assert is_met(found)
    assert found.seen[1].value == "Eve Meyer (officer), without a key of their own"


def test_without_a_review_it_is_not_met(path: Path) -> None:
    found = looked(recorded(path), "reviewed 31")
    assert not is_met(found)
    assert found.sentence == "nobody signed a review"
    assert "review start" in (found.mend or "")


def test_a_review_that_was_only_begun_is_not_enough(path: Path) -> None:
    start(str(recorded(path)), period(31), "officer")
    assert not is_met(looked(path, "reviewed 31"))


def test_a_review_of_long_ago_is_not_enough(path: Path) -> None:
    reviewed(path, 100, 70)
    found = looked(path, "reviewed 31")
    assert not is_met(found)
    assert "nobody reviewed the last 70 days" in found.sentence


def test_daily_reviews_are_asked_more_often(path: Path) -> None:
    reviewed(path, 4, 3)
    assert is_met(looked(path, "reviewed 31"))
    assert not is_met(looked(path, "reviewed 1"))
    reviewed(path, 2, 1)
    assert is_met(looked(path, "reviewed 1"))


def test_a_review_cannot_reach_into_the_future(path: Path) -> None:
    reviewed(path, 31, -10_000)
    assert is_met(looked(path, "reviewed 31"))
    assert not is_met(looked(path, "reviewed 31", days_later=70))


def test_a_program_cannot_sign(path: Path) -> None:
    number = start(str(recorded(path)), period(31), "officer").seq
    recorded(path, event("review.sign", context={"review": number, "said": {}}))
    assert not is_met(looked(path, "reviewed 31"))


def test_a_key_of_ones_own_is_known_from_the_configuration(path: Path, folder: Path) -> None:
    key = PrivateKey.generate()
    reviewed(path, key=key)
    (found,) = (p.value for p in looked(path, "reviewed").seen if "signed by" in p.what)
    assert "with a key that only the log names" in found
    vkey = VerifierKey("officer", ED25519, key.public_key).format()
    configured(folder, f'log = "{path}"\nreviewer_keys = ["{vkey}"]\n')
    (found,) = (p.value for p in looked(path, "reviewed").seen if "signed by" in p.what)
    assert "with a key that you know" in found


def test_emergency_access_must_be_reviewed_by_itself(path: Path) -> None:
    recorded(path, event("break_glass", days_ago=70))
    reviewed(path, 100)
    found = looked(path, "reviewed 31")
    assert not is_met(found)
    assert "Emergency access" in found.sentence
    assert "--emergency 1" in (found.mend or "")
    number = start(str(path), period(100), "officer", about=[1]).seq
    sign(str(path), number, "officer", "A patient in need.")
    assert is_met(looked(path, "reviewed 31"))
