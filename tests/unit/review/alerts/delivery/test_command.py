"""Alerts to a program."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from alerts import ID, notification

from chained_logging.review.alerts.delivery import command
from chained_logging.review.alerts.delivery.command import Command
from chained_logging.review.alerts.delivery.target import Undelivered


def program(text: str, *arguments: object) -> Command:
    return Command(shlex.join([sys.executable, "-c", text, *map(str, arguments)]))


def test_the_program_gets_the_alert_on_its_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "it is; $(here)"
    copy = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    program(copy, file).deliver(notification(subject="$(touch /tmp/no)"))
    said = json.loads(file.read_text())
    assert (said["id"], said["subject"]) == (ID, "$(touch /tmp/no)")


def test_a_program_that_fails_has_not_taken_it() -> None:
    failing = program("import sys; sys.exit('no pager: \\x1b[2J')")
    with pytest.raises(Undelivered, match=r"exited with 1: no pager: \\x1b\[2J"):
        failing.deliver(notification())


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_SECONDS", 0.2)
    with pytest.raises(Undelivered, match="did not end"):
        program("import time; time.sleep(60)").deliver(notification())


def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(Undelivered, match="cannot be run: No such file"):
        Command("/nowhere/page").deliver(notification())


def test_its_name_holds_none_of_its_arguments() -> None:
    assert Command("/usr/bin/page --token hunter2").name == "command:/usr/bin/page"


@pytest.mark.parametrize("words", ["", "  ", "'"])
def test_no_program_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Command(words)
