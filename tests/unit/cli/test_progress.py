"""Before entries are removed, somebody is asked twice."""

from __future__ import annotations

import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner

from chained_logging.cli.progress import asked_twice, bar


@click.command()
@click.argument("count", type=int)
def ask(count: int) -> None:
    asked_twice(count, "somewhere")
    click.echo("removed")


class Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("given", "status"),
    [("y\n1234\n", 0), ("y\n1,234\n", 0), ("y\n123\n", 1), ("n\n", 1), ("\n", 1), ("y\n", 1)],
)
def test_both_answers_must_be_right(
    given: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sys.stdin.__class__
    assert real
    monkeypatch.setattr("chained_logging.cli.progress.sys", Fake())
    done = CliRunner().invoke(ask, ["1234"], input=given)
    assert done.exit_code == status
    assert ("removed" in done.output) is (status == 0)


class Fake:
    stdin = stderr = Terminal()


def test_where_nobody_can_answer_it_is_refused_and_nothing_is_asked_for_nothing() -> None:
    done = CliRunner().invoke(ask, ["1234"], input="y\n1234\n")
    assert "nobody is there to be asked: give --yes" in done.output
    assert CliRunner().invoke(ask, ["0"]).output == "removed\n"


def test_a_bar_is_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with bar(10) as on_progress:
        assert on_progress is None
    shown: list[Any] = []

    class Screen(Terminal):
        def write(self, text: str) -> None:
            shown.append(text)

        def flush(self) -> None:
            pass

    class System:
        stderr = Screen()

    monkeypatch.setattr("chained_logging.cli.progress.sys", System())
    with bar(10) as on_progress:
        assert on_progress is not None
        on_progress(4)
        on_progress(10)
    assert "100%" in "".join(shown)
    with bar(0) as on_progress:
        assert on_progress is None
