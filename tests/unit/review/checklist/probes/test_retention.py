"""Whether entries are kept as long as they must be. See test_s3.py for stores."""

from __future__ import annotations

from pathlib import Path

import pytest
from archived import archive, key, log, moved
from backed_up import ORIGIN
from checklists import configured, event, is_met, looked, recorded

from chained_logging.keys import PrivateKey
from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.subject import Subject

__all__ = ["archive", "key", "log"]  # fixtures


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cut(path: Path, first: int) -> Path:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[first:]))
    return path


def test_kept_is_not_met_where_no_store_keeps_anything_and_no_period_is_set(path: Path) -> None:
    found = looked(recorded(path), "kept 365")
    assert not is_met(found)
    assert found.sentence == "no period is set; no store keeps entries"
    assert "--retention 365d" in (found.mend or "")


@pytest.mark.parametrize(
    ("policies", "sentence"),
    [
        ('[retention.all]\nperiod = "90d"', "entries go after 90 days at the latest"),
        ('[retention.all]\nstandard = "pci"', None),
        ('[retention.all]\nperiod = "90d"\n[retention.more]\nperiod = "2y"', None),
    ],
)
def test_a_policy_for_all_entries_sets_the_period(
    path: Path, folder: Path, policies: str, sentence: str | None
) -> None:
    configured(folder, f'log = "{path}"\n{policies}\n')
    found = looked(recorded(path), "kept 365")
    assert not is_met(found)  # no store keeps them
    assert found.sentence == "; ".join(
        [*([f"{sentence}, and 365 are asked"] if sentence else []), "no store keeps entries"]
    )


def test_a_short_policy_for_some_entries_is_yours_to_judge(path: Path, folder: Path) -> None:
    short = '[retention.visits]\nperiod = "90d"\nresource_type = ["visit"]'
    configured(folder, f'log = "{path}"\n{short}\n')
    seen = [piece.value for piece in looked(recorded(path), "kept 365").seen]
    assert "90 days, resource_type visit" in seen


def test_what_was_removed_too_early_is_named(path: Path) -> None:
    recorded(path, notes=({"action": "retention.apply", "days": 90, "selector": {}},))
    found = looked(path, "kept 365")
    assert "removed entries after 90 days" in found.sentence
    assert "removed" not in looked(path, "kept 30").sentence


def test_kept_is_not_met_by_a_log_without_its_front(folder: Path) -> None:
    path = cut(recorded(folder / "audit.jsonl", event(), event()), 1)
    found = looked(path, "kept 365")
    assert not is_met(found)
    assert "does not reach back" in found.sentence


def test_at_hand_is_met_by_a_whole_log_and_not_by_one_with_a_hole(folder: Path) -> None:
    path = recorded(folder / "audit.jsonl", event(days_ago=100), *(event() for _ in range(5)))
    assert is_met(looked(path, "at_hand 92"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))
    assert not is_met(looked(path, "at_hand 92"))


def test_at_hand_is_not_met_where_the_last_months_are_missing(path: Path) -> None:
    assert not is_met(looked(recorded(path), "at_hand 92", days_later=100))


def test_ends_is_met_while_nothing_is_kept_longer_than_its_policy(path: Path, folder: Path) -> None:
    configured(folder, f'log = "{path}"\n[retention.all]\nperiod = "90d"\n')
    recorded(path, event())
    assert is_met(looked(path, "ends"))
    assert is_met(looked(path, "ends", days_later=100))  # it may go a month later
    late = looked(path, "ends", days_later=130)
    assert not is_met(late)
    assert late.sentence.endswith("ended more than 31 days ago: 1")
    assert late.mend == f"chained-logging retention apply {path}"


def test_ends_is_not_met_without_a_policy_or_by_entries_without_one(
    path: Path, folder: Path
) -> None:
    configured(folder, f'log = "{path}"\n')
    recorded(path, event(days_ago=200))
    assert looked(path, "ends").sentence == "no policy lets entries go, so they stay forever"
    other = '[retention.visits]\nperiod = "90d"\nresource_type = ["visit"]'
    configured(folder, f'log = "{path}"\n{other}\n')
    found = looked(path, "ends")
    assert not is_met(found)
    assert found.sentence == "old entries that no policy is about stay forever: 1"


def test_ends_of_a_log_that_is_not_configured_is_not_judged(path: Path) -> None:
    assert looked(recorded(path), "ends").status is Status.UNSEEN


def test_a_front_in_an_archive_is_not_missing_and_not_seen(
    log: Path, archive: Path, key: PrivateKey
) -> None:
    moved(log, archive, key=key, sign="checkpoint")
    subject = Subject(str(log))
    assert subject.log_origin == ORIGIN
    found = looked(subject, "beginnings")
    assert found.status is Status.UNSEEN
    assert found.mend == f"chained-logging verify {log} --archive {archive}"
    assert "does not reach back" not in looked(subject, "kept 365").sentence


def test_a_front_that_no_key_let_go_is_missing(log: Path, archive: Path) -> None:
    moved(log, archive)
    assert not is_met(looked(log, "beginnings"))
    assert "does not reach back" in looked(log, "kept 365").sentence
