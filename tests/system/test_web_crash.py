"""Real servers under load, with workers killed: what was received is in the log, once."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from web_crash import ENOUGH, KINDS, run_round

ROUNDS = int(os.environ.get("WEB_CRASH_ROUNDS", "1"))
FEW = ("fastapi", "flask")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds workers in /proc")
@pytest.mark.parametrize("name", KINDS if ROUNDS > 1 else FEW)
def test_every_answer_that_was_received_is_recorded_once(name: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(1_000_000))
    for number in range(ROUNDS):
        print(f"CRASH_SEED={seed + number}")
        folder = tmp_path / str(number)
        folder.mkdir()
        outcome = run_round(folder, name, seed + number)
        print(outcome)
        assert outcome.received > ENOUGH
        assert outcome.killed


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds workers in /proc")
def test_harness_finds_entries_that_are_stored_too_late(tmp_path: Path) -> None:
    def rounds() -> None:
        for number in range(3):  # the first has found some each time that this was tried
            folder = tmp_path / str(number)
            folder.mkdir()
            run_round(folder, "fastapi-fsync", number, mode="after")

    with pytest.raises(AssertionError, match="that the log does not have"):
        rounds()
