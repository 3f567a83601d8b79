"""Settings from a file and the environment: where they come from, and what is refused."""

from __future__ import annotations

import inspect
import os
import subprocess
from pathlib import Path

import pytest
import ready

from chained_logging import AuditLog, config
from chained_logging.config import ConfigError
from chained_logging.keys.passphrase import PASSPHRASE_VARIABLE
from chained_logging.ship.feeds import otlp, webhook


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("CHAINED_LOGGING_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_each_keyword_of_a_log_is_a_setting_but_those_that_are_objects() -> None:
    keywords = set(inspect.signature(AuditLog).parameters) - {"path", "redact"}
    assert set(config.SETTINGS) == keywords | {"log"}


def test_a_log_is_opened_as_the_file_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(
        folder / "chained-logging.toml",
        'log = "logs/audit.db"\norigin = "example.com/audit"\nstrict = true\n'
        '[resources]\npatients = "patient_record"\n',
    )
    (folder / "logs").mkdir()
    (folder / "deeper").mkdir()
    monkeypatch.chdir(folder / "deeper")  # a relative path starts at the file's folder
    with AuditLog.from_config() as log:
        assert log.path == folder / "logs" / "audit.db"
        assert (log.origin, log.strict) == ("example.com/audit", True)
        entry = log.append("read", actor="user-1", resource="patients/4", ip="10.0.0.1")
    assert entry.fields["resource_type"] == "patient_record"


def test_arguments_win_over_the_environment_and_that_over_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(folder / "chained-logging.toml", 'log = "a.db"\norigin = "file"\ntimeout = 2\n')
    monkeypatch.setenv("CHAINED_LOGGING_ORIGIN", "environment")
    monkeypatch.setenv("CHAINED_LOGGING_LOG", "b.jsonl")
    with AuditLog.from_config(origin="argument") as log:
        assert (log.path.name, log.origin) == ("b.jsonl", "argument")
    assert config.load() == {"log": str(folder / "b.jsonl"), "origin": "environment", "timeout": 2}


def test_the_nearest_file_counts_and_a_project_without_a_table_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(folder / "pyproject.toml", '[tool.chained_logging]\norigin = "project"\n')
    written(folder / "a/pyproject.toml", "[tool.other]\n")
    written(folder / "a/b/chained-logging.toml", 'origin = "nearest"\n')
    for where, origin in ((".", "project"), ("a", "project"), ("a/b", "nearest")):
        monkeypatch.chdir(folder / where)
        assert config.load() == {"origin": origin}
    other = written(folder / "other.toml", 'origin = "named"\n')
    monkeypatch.setenv("CHAINED_LOGGING_CONFIG", str(other))
    assert config.load() == {"origin": "named"}
    assert config.load(folder / "a/b/chained-logging.toml") == {"origin": "nearest"}


def test_the_environment_writes_every_kind_of_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "STRICT": "yes",
        "MAX_BYTES": "1000",
        "SYNC_INTERVAL": "0.5",
        "SHIP": "s3://a postgresql://b/c",
        "RESOURCES": "patients=patient_record clinic.patient=patient_record",
    }.items():
        monkeypatch.setenv(f"CHAINED_LOGGING_{name}", text)
    assert config.load() == {
        "strict": True,
        "max_bytes": 1000,
        "sync_interval": 0.5,
        "ship": ["s3://a", "postgresql://b/c"],
        "resources": {"patients": "patient_record", "clinic.patient": "patient_record"},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("orgin = 'a'", "orgin is not a setting; did you mean origin?"),
        ("log = 1", "log must be a path"),
        ("strict = 'yes'", "strict must be true or false"),
        ("max_bytes = true", "max_bytes must be a whole number"),
        ("ship = 'postgresql://u:S3cret@h/d'", "ship must be a list of strings"),
        ("resources = {a = 1}", "resources must be a table of names"),
        ("review_every = 'fortnight'", "review_every must be week, month, quarter or year"),
        ("origin = ", "is not TOML"),
        ("a = " + "[" * 100_000, "is not TOML"),
        ("#" * (1 << 20) + "\n", "must not be larger than"),
    ],
)
def test_a_wrong_file_is_refused(folder: Path, text: str, words: str) -> None:
    path = written(folder / "chained-logging.toml", text)
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")) as refused:
        config.load()
    assert str(refused.value).startswith(str(path))
    assert "S3cret" not in str(refused.value)


def test_a_wrong_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINED_LOGGING_MAX_AGE", "1 day")
    with pytest.raises(ConfigError, match="CHAINED_LOGGING_MAX_AGE must be a number"):
        config.load()
    monkeypatch.delenv("CHAINED_LOGGING_MAX_AGE")
    monkeypatch.setenv("CHAINED_LOGGING_REVIEW_EVERY", "day")
    with pytest.raises(ConfigError, match="REVIEW_EVERY must be week, month, quarter or year"):
        config.load()
    monkeypatch.delenv("CHAINED_LOGGING_REVIEW_EVERY")
    monkeypatch.setenv("CHAINED_LOGGING_MAXAGE", "1")
    with pytest.raises(ConfigError, match="MAXAGE is not a setting; did you mean max_age"):
        config.load()


def test_a_file_that_is_missing_or_names_no_log_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration file"):
        config.load(folder / "nowhere.toml")
    with pytest.raises(ConfigError, match="the configuration must name the log"):
        AuditLog.from_config()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_refused(folder: Path) -> None:
    path = written(folder / "chained-logging.toml", 'log = "a.db"\n')
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigError, match="belongs to the user 65534"):
        config.load()


@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_a_file_that_others_can_write_is_refused(folder: Path, mode: int) -> None:
    written(folder / "chained-logging.toml", 'log = "a.db"\n').chmod(mode)
    with pytest.raises(ConfigError, match="can be written to by others"):
        config.load()


def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return ready.run(words, given)


EVENT = '{"action":"read","actor":"u","ip":"10.0.0.1","resource":"patients/4"}\n'


def test_commands_find_the_log_and_their_options(folder: Path) -> None:
    assert run("keygen", "audit.key", "--origin", "example.com/audit").returncode == 0
    file = written(
        folder / "chained-logging.toml",
        'log = "audit.jsonl"\nkey = "audit.key"\norigin = "example.com/audit"\n'
        'resources = {patients = "patient_record"}\n',
    )
    appended = run("append", "--json", given=EVENT)
    assert (appended.returncode, appended.stderr) == (
        0,
        "1 appended, 0 of them incomplete, 0 refused\n",
    )
    assert '"resource_type":"patient_record"' in appended.stdout
    assert "patient_record/4" in run("query").stdout
    assert run("checkpoint").stdout.startswith("example.com/audit\n3\n")  # with the query
    assert run("export").stdout == (folder / "audit.jsonl").read_text()
    assert run("append", "audit.jsonl", given=EVENT).returncode == 0  # the same log, by its name
    # Another log has none of these settings.
    assert '"patients"' in run("append", "other.jsonl", "--json", given=EVENT).stdout
    assert not (folder / "other.jsonl.checkpoints").exists()
    written(file, 'orign = "a"\n')
    refused = run("query")
    assert (refused.returncode, refused.stderr) == (
        2,
        f"chained-logging: {file}: orign is not a setting; did you mean origin?\n",
    )


def test_a_command_without_a_log_says_how_to_name_one() -> None:
    refused = run("query")
    assert refused.returncode == 2
    assert "give LOG, or name it in chained-logging.toml" in refused.stderr


@pytest.mark.parametrize(
    "name",
    [
        PASSPHRASE_VARIABLE,
        webhook.SECRET_VARIABLE,
        webhook.AUTHORIZATION_VARIABLE,
        otlp.AUTHORIZATION_VARIABLE,
    ],
)
def test_a_secret_in_the_environment_is_not_taken_for_a_setting(name: str) -> None:
    assert config.load(environment={name: "hush"}) == {}


def test_policies_of_retention_are_tables_of_a_file_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "chained-logging.toml"
    written(file, '[retention.records]\nstandard = "hipaa"\n')
    assert config.retention() == {"records": {"standard": "hipaa"}}
    assert config.load() == {}
    written(file, 'retention = "6y"\n')
    with pytest.raises(ConfigError, match="retention must be a table of tables"):
        config.retention()
    file.unlink()
    assert config.retention() == {}
    monkeypatch.setenv("CHAINED_LOGGING_RETENTION", "6y")
    with pytest.raises(ConfigError, match="must be a table of tables"):
        config.load()
