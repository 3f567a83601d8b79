"""How a log is signed is read from its entries, of which only the log's own words count."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from chains import EVENT
from signed_logs import ORIGIN, Key, append_lines, own

from chained_logging import AuditLog
from chained_logging.format.line import stored_line
from chained_logging.format.record import Head
from chained_logging.keys.keyring import Keyring
from chained_logging.log.ways import names_key, own_checkpoints, signs_each
from chained_logging.sinks import Sink, open_sink


@pytest.fixture
def key() -> Key:
    return Key()


def make(path: Path, key: Key | None, **given: str) -> None:
    with AuditLog(path, origin=ORIGIN, key=key, **given) as log:  # type: ignore[arg-type]
        log.append("a", **EVENT)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Sink]:
    sink = open_sink(path)
    try:
        yield sink
    finally:
        sink.close()


def test_a_log_with_a_key_names_it(path: Path, key: Key) -> None:
    make(path, key)
    with reading(path) as sink:
        assert names_key(sink, ORIGIN, sink.head())


def test_a_log_without_a_key_names_none(path: Path) -> None:
    make(path, None)
    with reading(path) as sink:
        assert not names_key(sink, ORIGIN, sink.head())


def test_an_entry_in_another_name_names_no_key(path: Path) -> None:
    make(path, None)
    append_lines(path, [{"action": "key.add", **EVENT, "context": {"public_key": "x"}}])
    with reading(path) as sink:
        assert not names_key(sink, ORIGIN, sink.head())


@pytest.mark.parametrize("each", [True, False])
def test_whether_each_entry_is_signed(path: Path, key: Key, each: bool) -> None:
    make(path, key, sign="each" if each else "checkpoint")
    with reading(path) as sink:
        ring = Keyring(ORIGIN)
        for record in sink.records():
            ring.look(record)
        assert signs_each(sink, ring.known, ORIGIN, sink.head()) is each
        assert signs_each(sink, [], ORIGIN, sink.head()) is each  # the keys are looked for


def test_a_command_without_the_key_does_not_end_a_log_of_signed_entries(
    path: Path, key: Key
) -> None:
    make(path, key, sign="each")
    append_lines(path, [own("log.restore")], own=True)
    with reading(path) as sink:
        assert signs_each(sink, [], ORIGIN, sink.head())
    append_lines(path, [{"action": "a", **EVENT}])
    with reading(path) as sink:
        assert not signs_each(sink, [], ORIGIN, sink.head())


def test_an_entry_that_was_changed_counts_for_nothing(tmp_path: Path, key: Key) -> None:
    path = tmp_path / "audit.jsonl"
    make(path, key, sign="each")
    with reading(path) as sink:
        last = list(sink.records())[-1]
    edited = last.body.replace(b'"action":"a"', b'"action":"b"')
    with open(path, "ab") as file:
        file.write(stored_line(edited, last.hash, None) + b"\n")
    with reading(path) as sink:
        assert signs_each(sink, [], ORIGIN, Head(2, last.hash))


def test_checkpoints_of_others_are_left_out(tmp_path: Path, key: Key) -> None:
    path, other = tmp_path / "audit.jsonl", tmp_path / "other.jsonl"
    make(path, key)
    make(other, Key())
    with reading(path) as sink:
        ours = own_checkpoints(sink)
        assert ours
        with open(tmp_path / "audit.jsonl.checkpoints", "ab") as file:
            file.write((tmp_path / "other.jsonl.checkpoints").read_bytes())
        assert own_checkpoints(sink) == ours
