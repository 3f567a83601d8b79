"""Options that several commands share, and those that exclude each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from chains import check_chain
from commands import run

from chained_logging import AuditLog
from chained_logging.cli import cli
from chained_logging.cli.options import (
    evidence_of,
    existing,
    load_key,
    log_argument,
    open_writer,
    writer_options,
)
from chained_logging.keys import PrivateKey
from chained_logging.review.verdict import Evidence


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["append", "LOG", "--sign-each"], "--sign-each"),
        (["append", "LOG", "--passphrase-file", "x"], "--passphrase-file"),
        (["collect", "LOG", "--socket", "s", "--token-file", "x"], "--token-file"),
        (["collect", "LOG", "--socket", "s", "--passphrase-file", "x"], "--passphrase-file"),
        (["checkpoint", "LOG", "--key", "KEY", "--witness-key", "x"], "--witness-key"),
        (["init", "postgresql://h/d", "--mode", "GOVERNANCE"], "--mode"),
        (["init", "s3://b/p", "--partitions", "4"], "--partitions"),
        (["init", "postgresql://h/d", "--print", "--retention", "6y"], "--retention"),
        (["ship", "LOG", "--to", "postgresql://h/d", "--key", "KEY"], "--key"),
        (["ship", "LOG", "--to", "s3://b/p", "--interval", "4"], "--interval"),
        (["ship", "LOG", "--status", "--follow"], "--follow"),
        (["land", "nats://h/S", "--to", "postgresql://h/d", "--status", "--once"], "--once"),
    ],
)
def test_an_option_that_cannot_be_honoured_is_refused(
    tmp_path: Path, command: list[str], option: str
) -> None:
    path, key = tmp_path / "a.jsonl", tmp_path / "a.key"
    AuditLog(path).close()
    PrivateKey.generate().save(key)
    before = path.read_bytes()
    names = {"LOG": str(path), "KEY": str(key)}
    with pytest.raises(click.UsageError, match=f"{option} (needs|applies to|cannot)"):
        cli([names.get(word, word) for word in command], standalone_mode=False)
    assert path.read_bytes() == before


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration in which a log and its name are set."""
    monkeypatch.chdir(tmp_path)
    text = 'log = "audit.jsonl"\norigin = "example.com/set"\nstrict = true\n'
    (tmp_path / "chained-logging.toml").write_text(text)
    return tmp_path


def origin(log: Path) -> str:
    return str(check_chain(log)[0]["context"]["origin"])


def test_the_configured_log_and_its_settings_are_the_default(settings: Path) -> None:
    run("append")
    assert origin(settings / "audit.jsonl") == "example.com/set"
    assert "actor_id" in run("append", stdin='{"action":"x"}\n', status=1)  # it is strict


def test_the_settings_are_the_configured_logs_alone(settings: Path) -> None:
    run("append", "other.jsonl", stdin='{"action":"x"}\n')
    assert origin(settings / "other.jsonl") != "example.com/set"
    run("append", "./audit.jsonl")  # the same log, by another name
    assert origin(settings / "audit.jsonl") == "example.com/set"


def test_an_option_is_more_than_a_setting(settings: Path) -> None:
    run("append", "--origin", "example.com/given")
    assert origin(settings / "audit.jsonl") == "example.com/given"


def test_a_log_must_be_named_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["append"], ["export"], ["checkpoint", "--key", "k"]):
        assert "give LOG, or name it in chained-logging.toml" in run(*command, status=2)


def test_a_log_that_must_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.db does not exist$"):
        existing(str(tmp_path / "none.db"))
    (tmp_path / "a.db").touch()
    assert existing(str(tmp_path / "a.db")) == str(tmp_path / "a.db")


def test_a_log_exists_while_a_segment_is_sealed(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    (tmp_path / f"audit.{0:020}.jsonl").touch()  # and the log itself is not there yet
    assert existing(str(log)) == str(log)
    with pytest.raises(FileNotFoundError):
        existing(str(tmp_path / "other.jsonl"))
    with pytest.raises(FileNotFoundError, match=r"none.a\.jsonl does not exist"):
        existing(str(tmp_path / "none" / "a.jsonl"))


def test_a_key_is_opened_with_the_passphrase_in_a_file(tmp_path: Path) -> None:
    key, secret = tmp_path / "a.key", tmp_path / "secret"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    made = PrivateKey.generate()
    made.save(key, "correct horse")
    assert load_key(str(key), str(secret)).public_key == made.public_key
    with pytest.raises(ValueError, match="needs a passphrase"):
        load_key(str(key), None)


def test_writer_options_open_a_log_as_they_say(tmp_path: Path) -> None:
    key = tmp_path / "a.key"
    PrivateKey.generate().save(key)
    seen: list[tuple[str, bool]] = []

    @click.command()
    @log_argument()
    @writer_options
    def opens(log: str, **writer: Any) -> None:
        with open_writer(log, **writer) as audit:
            seen.append((audit.origin, audit.append("x").signature is not None))

    words = [str(tmp_path / "a.jsonl"), "--origin", "example.com/a", "--fsync"]
    opens([*words, "--key", str(key), "--sign-each"], standalone_mode=False)
    assert seen == [("example.com/a", True)]


def test_a_key_to_check_with_is_a_text_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "log.pub").write_text("in a file\n")
    (tmp_path / "roots.pem").write_bytes(b"roots")
    found = evidence_of(
        public_key=str(tmp_path / "log.pub"),
        checkpoints=("kept.note",),
        witness_keys=("w+01234567+as/text", str(tmp_path / "log.pub")),
        timestamp_root=str(tmp_path / "roots.pem"),
    )
    assert (found.public_key, found.timestamp_roots) == ("in a file", b"roots")
    assert found.witness_keys == ["w+01234567+as/text", "in a file"]
    assert found.checkpoints == ("kept.note",)
    assert evidence_of(
        public_key=None, checkpoints=(), witness_keys=(), timestamp_root=None
    ) == Evidence(witness_keys=[])
