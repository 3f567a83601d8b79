"""What the library says reaches a person, and never breaks the program that it says it to."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from chained_logging import diagnostics
from chained_logging.diagnostics import (
    LOGGER,
    AuditWarning,
    count_unheard,
    report,
    report_once,
    unheard,
    warn,
)


class Kept(logging.Handler):
    """A handler that keeps what it is given."""

    shows_lines = True

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[int, str]] = []

    def handle(self, record: logging.LogRecord) -> Any:
        self.said.append((record.levelno, record.getMessage()))


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The library's logger by itself, with what was said so far forgotten."""
    logger = logging.getLogger(LOGGER)
    monkeypatch.setattr(diagnostics, "_told", set())
    monkeypatch.setattr(diagnostics, "_unheard", 0)
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "disabled", False)
    yield logger
    logging.disable(logging.NOTSET)


@pytest.fixture
def kept(logger: logging.Logger) -> Kept:
    logger.addHandler(handler := Kept())
    return handler


def test_a_sentence_is_logged_as_it_is(kept: Kept) -> None:
    report(logging.ERROR, "100% of it")
    assert kept.said == [(logging.ERROR, "100% of it")]


def test_a_configuration_that_disables_the_logger_does_not_silence_it(
    logger: logging.Logger, kept: Kept
) -> None:
    logger.disabled = True
    report(logging.ERROR, "heard")
    assert kept.said == [(logging.ERROR, "heard")]


def test_the_program_chooses_the_level(logger: logging.Logger, kept: Kept) -> None:
    report(logging.DEBUG, "not wanted")
    logging.disable(logging.ERROR)
    report(logging.ERROR, "not wanted")
    report(logging.ERROR, "about logging.disable", anyway=True)
    assert kept.said == [(logging.ERROR, "about logging.disable")]


def test_where_no_handler_shows_lines_the_last_resort_does(
    logger: logging.Logger, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger.handlers[:] = [kept]  # pytest adds one of its own
    monkeypatch.setattr(logging, "lastResort", last := Kept())
    last.setLevel(logging.WARNING)
    report(logging.ERROR, "shown already")
    assert last.said == []
    kept.shows_lines = False  # as an audit handler, whose lines nobody reads
    report(logging.INFO, "too low for it")
    report(logging.ERROR, "shown by it")
    assert last.said == [(logging.ERROR, "shown by it")]


def test_a_handler_that_fails_breaks_nobody(logger: logging.Logger) -> None:
    class Fails(logging.Handler):
        def handle(self, record: logging.LogRecord) -> Any:
            raise RuntimeError

    logger.addHandler(Fails())
    report(logging.ERROR, "x")
    logger.handlers[:] = [kept := Kept()]
    report(logging.ERROR, "and the next one is heard")
    assert len(kept.said) == 1


def test_a_handler_that_reports_does_not_go_round(logger: logging.Logger) -> None:
    class Reports(Kept):
        def handle(self, record: logging.LogRecord) -> Any:
            super().handle(record)
            report(logging.ERROR, "again")
            report_once("k", logging.ERROR, "again")

    logger.addHandler(handler := Reports())
    report(logging.ERROR, "once")
    assert handler.said == [(logging.ERROR, "once")]


def test_each_key_is_told_once_and_no_more_than_memory_has_room_for(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnostics, "_MAX_TOLD", 3)
    for _ in range(2):
        for key in "abcdef":
            report_once(key, logging.ERROR, key)
    assert [text for _, text in kept.said] == ["a", "b", "c", "d"]


def test_each_unheard_call_is_counted_and_told_once(kept: Kept) -> None:
    unheard("k", "no log listens")
    unheard("k", "no log listens")
    assert count_unheard() == 2
    assert kept.said == [(logging.ERROR, "no log listens")]


def test_a_warning_names_the_callers_line_and_never_raises() -> None:
    with pytest.warns(AuditWarning, match="kept") as caught:
        warn("kept", 1)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn("kept", 1)
