"""Central storage, prepared and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from backed_up import backed_up, folder, key, log
from chains import EVENT, stored
from click.testing import CliRunner, Result
from folder_store import FolderStore

from chained_logging import AuditLog, verify
from chained_logging.cli import cli
from chained_logging.ship import postgres
from chained_logging.sinks import open_sink

__all__ = ["folder", "key", "log"]  # fixtures


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, words)))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with the logs ``one`` and ``two`` of a lost host."""
    path = tmp_path / "store"
    for name in ("one", "two"):
        with AuditLog(tmp_path / f"{name}.jsonl", origin=name) as log:
            log.append(f"read-{name}", **EVENT)
            FolderStore(path).write(name, list(log.records()), [])
    monkeypatch.setattr("chained_logging.cli.stores.open_destination", lambda _: FolderStore(path))
    return path


def test_a_log_is_restored_byte_for_byte(store: Path, path: Path, tmp_path: Path) -> None:
    done = run("restore", "nats://h/S", path, "--origin", "two")
    assert done.exit_code == 0, done.output
    assert "2 entries, the last hash " in done.output
    assert stored(path)[:2] == stored(tmp_path / "two.jsonl")
    assert verify(path).intact


def test_one_of_several_logs_is_named(store: Path, path: Path) -> None:
    done = run("restore", "nats://h/S", path)
    assert done.exit_code == 2
    assert "give the log's name with --origin; the destination holds one, two" in done.output
    assert not path.exists()


def test_a_log_that_is_here_is_not_written_over(store: Path, path: Path) -> None:
    path.write_bytes(b"mine")
    done = run("restore", "nats://h/S", path, "--origin", "one")
    assert done.exit_code != 0
    assert path.read_bytes() == b"mine"


def test_what_is_wrong_in_the_store_is_told(
    store: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "chained_logging.review.restore._problems", lambda *_: (["entry 1 was edited"], 1)
    )
    done = run("restore", "nats://h/S", path, "--origin", "one")
    assert done.exit_code == 1
    assert "entry 1 was edited" in done.output


def test_the_sql_is_printed_and_nothing_is_asked_of_a_server() -> None:
    done = run("init", "postgresql://nowhere.invalid/d", "--print")
    assert (done.exit_code, done.output) == (0, postgres.statements())
    assert "--print works for postgresql:// only" in run("init", "s3://b/p", "--print").output


def test_a_store_is_prepared_as_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def prepare(url: str, **options: Any) -> list[str]:
        calls.append((url, options))
        return ["it is prepared\x1b[2J"]

    monkeypatch.setattr("chained_logging.cli.stores.init_destination", prepare)
    done = run("init", "nats://h/S", "--retention", "6y", "--partitions", 4, "--max-bytes", 9)
    assert (done.exit_code, done.output) == (0, "it is prepared\\x1b[2J\n")
    ((url, options),) = calls
    assert url == "nats://h/S"
    wanted = {"retention": "6y", "partitions": 4, "replicas": 1, "max_bytes": 9, "signer": None}
    assert wanted.items() <= options.items()


def test_what_is_no_store_is_refused() -> None:
    done = run("init", "audit.db")
    assert isinstance(done.exception, ValueError)
    assert "a destination is postgresql://" in str(done.exception)


def test_a_backup_in_a_folder_is_restored(log: Path, folder: Path, tmp_path: Path) -> None:
    backed_up(log, folder)
    target = tmp_path / "rebuilt" / "audit.db"
    target.parent.mkdir()
    done = run("restore", folder, target)
    assert done.exit_code == 0, done.output
    there = list(open_sink(folder / log.name).records())
    assert list(open_sink(target).records())[:-1] == there
    assert verify(target).intact
    assert run("restore", tmp_path / "missing", tmp_path / "b.db").exit_code != 0


def test_the_furthest_of_several_is_restored(
    log: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(log, folder)
    further = tmp_path / "further"
    further.mkdir()
    done = backed_up(log, further)
    result = run("restore", folder, tmp_path / "a.db", "--or-from", further)
    assert result.exit_code == 0, result.output
    assert f"restored from {further}, which is furthest" in result.output
    assert f"{done.entries} entries, the last hash {done.head_hash}" in result.output
    result = run("restore", further, tmp_path / "b.db", "--or-from", tmp_path / "missing")
    assert result.exit_code != 0


def test_the_destinations_of_the_configuration_are_asked_too(
    store: Path, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chained-logging.toml").write_text(
        f'log = "{path}"\nship = ["nats://other/S", "syslog+tls://siem"]\n'
    )
    monkeypatch.chdir(tmp_path)

    def opened(url: str) -> Any:
        found = FolderStore(store if url == "nats://h/S" else tmp_path / "other")
        return found

    with AuditLog(tmp_path / "two.jsonl") as log:
        log.append("later", **EVENT)
        FolderStore(tmp_path / "other").write("two", list(log.records()), [])
    monkeypatch.setattr("chained_logging.cli.stores.open_destination", opened)
    done = run("restore", "nats://h/S", path, "--origin", "two")
    assert done.exit_code == 0, done.output
    assert f"restored from folder://{tmp_path / 'other'}, which is furthest" in done.output
    assert stored(path)[:3] == stored(tmp_path / "two.jsonl")
