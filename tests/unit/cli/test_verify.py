"""The verifier's checks as commands: its options, all of them, and its verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import EVENT
from click.testing import CliRunner
from commands import ORIGIN, run

from chained_logging import AuditLog
from chained_logging.cli import cli
from chained_logging.verify import OPTIONS


@pytest.mark.parametrize("command", ["verify", "verify-proof"])
def test_the_options_are_those_of_the_verifiers_own_table(command: str) -> None:
    shown = {option.opts[0]: option.help for option in cli.commands[command].params}
    wanted = {one.flag: one.help for one in OPTIONS if command == "verify" or one.of_proof}
    assert wanted.items() <= shown.items()
    own = {"verify": {"logs", "--archive"}, "verify-proof": {"file"}}  # an archive may be in S3
    assert shown.keys() - wanted.keys() == own[command]


def test_the_verdict_is_the_exit_status(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    assert "INTACT" in run("verify", path)
    assert '"status": "intact"' in run("verify", path, "--json")
    copy = path.with_name("copy.jsonl")
    run("export", path, copy)
    copy.write_text(copy.read_text().replace("user-1", "user-2"))
    run("verify", copy, status=1)
    run("verify", path.with_name("none.db"), status=2)


def test_options_reach_the_verifier(signed: tuple[Path, Path, Path]) -> None:
    path, key, public = signed
    other = path.with_name("other.vkey")
    other.write_text(run("keygen", path.with_name("other.key"), "--origin", ORIGIN))
    note = path.with_name("kept.note")
    note.write_text(run("checkpoint", path, "--key", key))
    run("verify", path, "--public-key", public, "--checkpoint", note)
    run("verify", path, "--public-key", other, status=1)
    run("verify", path, "--checkpoint", path.with_name("none.note"), status=2)


def test_the_configured_log_is_checked_where_none_is_given(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    assert "give LOG, or name it in chained-logging.toml" in run("verify", status=2)
    AuditLog(path).close()
    Path("chained-logging.toml").write_text(f'log = "{path.name}"\n')
    assert "INTACT" in run("verify")


def test_a_file_that_is_no_proof_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("nothing")
    done = CliRunner().invoke(cli, ["verify-proof", str(tmp_path / "p")])
    assert done.exit_code == 1
    assert "REFUTED" in done.output
    assert CliRunner().invoke(cli, ["verify-proof", str(tmp_path / "none")]).exit_code == 2


def test_an_archive_needs_a_log() -> None:
    said = run("verify", "--proof", "p", "--archive", "a", status=2)
    assert "--archive needs one LOG" in said
