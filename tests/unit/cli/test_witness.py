"""The command that cosigns other logs' checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Running, command, run

NAME = "witness.example/w1"


@pytest.fixture
def witness(signed: tuple[Path, Path, Path], tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "w1", NAME, signed[2])
    yield running
    running.stop()


def test_it_cosigns_the_checkpoints_of_the_logs_that_it_knows(
    signed: tuple[Path, Path, Path], witness: Running
) -> None:
    path, key, public = signed
    note = run("checkpoint", path, "--key", key, *witness.options)
    assert f"\n— {NAME} " in note
    checked = run("verify", path, "--public-key", public, "--witness-key", witness.vkey)
    assert "INTACT" in checked


def test_it_knows_no_other_logs(witness: Running, tmp_path: Path) -> None:
    key, other = tmp_path / "other.key", tmp_path / "other.jsonl"
    run("keygen", key)
    run("append", other, "--key", key, "--origin", "example.com/other")
    said = run("checkpoint", other, "--key", key, *witness.options, status=1)
    assert witness.url in said


def test_it_remembers_over_a_restart(
    signed: tuple[Path, Path, Path], witness: Running, tmp_path: Path
) -> None:
    path, key, _ = signed
    run("checkpoint", path, "--key", key, *witness.options)
    witness.stop()
    witness.start()
    assert f"\n— {NAME} " in run("checkpoint", path, "--key", key, *witness.options)
    assert any((tmp_path / "w1" / "state").iterdir())


def test_a_key_a_name_and_a_log_are_needed(signed: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, key, public = signed
    options = {"--name": NAME, "--key": key, "--log": public}
    for missing in options:
        given = [word for name in options if name != missing for word in (name, options[name])]
        said = command("witness", tmp_path / "w", *given)
        assert said.returncode == 2
        assert f"Missing option '{missing}'" in said.stderr
    given = [word for pair in options.items() for word in pair]
    assert "--port" in run("witness", tmp_path / "w", *given, "--port", 70_000, status=2)
    assert not (tmp_path / "w").exists()
