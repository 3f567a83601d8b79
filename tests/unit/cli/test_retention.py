"""The command retention: planned and applied as a person, or a timer, would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import command, run
from retention_logs import check_chain, fill, old, stubs
from signed_logs import Key  # noqa: F401 -- skips where there is no cryptography

from chained_logging.keys import PrivateKey


@pytest.fixture(autouse=True)
def configured(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = path.with_name("chained-logging.toml")
    file.write_text('[retention.records]\nstandard = "soc2"\nresource_type = ["patient_record"]\n')
    monkeypatch.setenv("CHAINED_LOGGING_CONFIG", str(file))
    return file


def test_a_plan_changes_nothing_and_says_what_would_go(path: Path) -> None:
    fill(path, [*[old(400)] * 20, old(400, resource="invoice/1"), old(3)])
    before = path.read_bytes()
    told = run("retention", "plan", path)
    assert "not verified elsewhere: 20 entries" in told
    assert "old, and no policy is about them: 1 entry" in told
    told = run("retention", "plan", path, "--without-copy")
    assert "records (soc2, 365 days, resource_type patient_record; SOC 2" in told
    assert "20 entries would go" in told
    found = json.loads(run("retention", "plan", path, "--without-copy", "--json"))
    assert (found["removable"], found["unselected"]) == (20, 1)
    assert path.read_bytes() == before


def test_apply_asks_unless_it_is_told_not_to(path: Path) -> None:
    fill(path, [old(400)] * 20)
    error = run("retention", "apply", path, "--without-copy", status=2)
    assert "nobody is there to be asked: give --yes" in error
    assert not stubs(path)
    told = run("retention", "apply", path, "--without-copy", "--yes")
    assert "20 entries removed, as entry " in told
    assert "bytes before" in told
    assert len(stubs(path)) == 20
    check_chain(path)
    assert "nothing would go from before" in run(
        "retention", "apply", path, "--without-copy", "--yes"
    )


def test_without_a_copy_nothing_goes(path: Path) -> None:
    fill(path, [old(400)] * 20)
    told = run("retention", "apply", path, "--yes", "--json")
    found = json.loads(told)
    assert (found["done"]["removed"], found["without_copy"]) == (0, 20)
    assert not stubs(path)


def test_a_signed_log_needs_the_key(path: Path) -> None:
    file = path.with_name("audit.key")
    PrivateKey.generate().save(file)
    fill(path, [old(400)] * 20, key=file)
    what = ("retention", "apply", path, "--without-copy", "--yes")
    assert "give it with --key" in run(*what, status=2)
    assert not stubs(path)
    found = json.loads(run(*what, "--key", file, "--json"))
    assert found["done"]["removed"] == 20
    assert len(found["done"]["by"]) == 1


def test_a_policy_that_is_not_valid_is_named(path: Path, configured: Path) -> None:
    fill(path, [old(400)])
    configured.write_text('[retention.x]\nstandard = "gdpr"\n')
    assert "retention.x: gdpr requires a purpose" in run("retention", "plan", path, status=2)
    done = command("retention", "plan", path.with_name("nothing.db"))
    assert done.returncode == 2
