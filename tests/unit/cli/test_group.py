"""The command as a whole: what belongs to it, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest
import ready
from chains import EVENT
from click.testing import CliRunner
from commands import run

from chained_logging import AuditLog, LogError
from chained_logging.cli import cli, main


def test_commands(tmp_path: Path) -> None:
    def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return ready.run(words, given)

    log, copy = str(tmp_path / "a.jsonl"), str(tmp_path / "b.db")
    lines = '{"action":"backup","actor":"cron","actor_type":"service","resource":"db/1"}\nno\n'
    done = run("append", log, given=lines * 2)
    assert done.returncode == 1
    assert "line 2: is not JSON" in done.stderr
    assert run("verify", log).returncode == 0
    assert run("export", log, copy).returncode == 0
    assert run("export", copy).stdout == Path(log).read_text()
    assert run("verify", copy).returncode == 0
    shown = run("query", log, "--action", "backup", "--json").stdout
    assert len(shown.splitlines()) == 2
    assert run("query", str(tmp_path / "none.db")).returncode == 2


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_each_command_explains_itself(name: str) -> None:
    shown = run(name, "-h")
    assert shown.startswith("Usage: ")
    assert shown == run(name, "--help")
    assert all(option.help for option in cli.commands[name].params if option.opts[0][0] == "-")


def test_only_the_command_that_is_asked_for_is_imported() -> None:
    code = (
        "import sys; from chained_logging.cli import cli; cli.get_command(None, 'collect'); "
        "print(*(name for name in sys.modules if name.startswith('chained_logging.cli.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = {name.rpartition(".")[2] for name in done.stdout.split()}
    assert names == {"group", "output", "collect", "options", "types"}


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the command in this process, and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["chained-logging", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("problem", "status", "said"),
    [
        (None, 0, ""),
        (OSError("no such disk"), 2, "chained-logging: no such disk\n"),
        (ValueError("no\x1b[2J"), 2, "chained-logging: no\\x1b[2J\n"),
        (LogError("not a log"), 2, "chained-logging: not a log\n"),
        (
            BrokenPipeError("of a server"),
            2,
            "chained-logging: a connection was closed: of a server\n",
        ),
        (ImportError("needs an extra"), 2, "chained-logging: needs an extra\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (click.Abort(), 130, ""),
    ],
)
def test_a_failure_is_one_sentence(
    problem: BaseException | None,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @click.command()
    def fails() -> None:
        if problem is not None:
            raise problem

    monkeypatch.setitem(cli.commands, "fails", fails)
    assert ended(monkeypatch, "fails") == status
    assert capsys.readouterr() == ("", said)


def test_a_wrong_word_is_told_with_the_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, "nonsense") == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


def test_a_reader_that_stops_reading_is_no_failure(tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    with AuditLog(log) as audit:
        audit.append_many([{"action": "x" * 1000, **EVENT}] * 500)
    command = [sys.executable, "-m", "chained_logging", "export", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_command_needs_no_standard_output(tmp_path: Path) -> None:
    command = f"{sys.executable} -m chained_logging append {tmp_path / 'a.jsonl'} >&-"
    done = subprocess.run(command, shell=True, input=b"", stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr[:10]) == (0, b"0 appended")


def test_the_version_is_the_packages() -> None:
    shown = CliRunner().invoke(cli, ["--version"])
    assert version("chained_logging") in shown.output
