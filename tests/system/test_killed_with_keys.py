"""kill -9 at each system call that changes something, while a log gets a key, another one, or loses
one: afterwards the log opens, and the same command, run again, ends as it would have.

    KILLS=all python -m pytest tests/system/test_killed_with_keys.py

tries every such call. By default a few are, chosen with a seed that is printed (``CRASH_SEED``).
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from chains import EVENT
from crash import fresh_seed, needs
from killed_at_calls import calls, kill_at

from chained_logging import AuditLog, verify
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key

ORIGIN = "example.com/audit"
COMMANDS = {
    "a first key": ("checkpoint", "--key", "audit.key"),
    "rotate": ("rotate-key", "--key", "audit.key"),
    "revoke": ("revoke-key", "--key", "audit.key", "--public-key", "log.vkey", "--reason", "x"),
    "open after a crash": ("append", "--key", "audit.key"),
}
LINE = b'{"action":"x","actor":"u","resource":"a/b","ip":"10.0.0.1"}\n'


def prepare(folder: Path, name: str, what: str) -> str:
    """Make a log as it is before the command; return its first public key."""
    folder.mkdir()
    key = PrivateKey.generate()
    key.save(folder / "audit.key")
    vkey = verifier_key(ORIGIN, key)
    (folder / "log.vkey").write_text(vkey)
    with AuditLog(folder / name, origin=ORIGIN, key=None if what == "a first key" else key) as log:
        log.append("a", **EVENT)
    if what == "open after a crash":
        with AuditLog(folder / name, key=key) as log:
            log.append("b", **EVENT)
            shutil.copytree(folder, folder.with_name("live"))
        shutil.rmtree(folder)
        folder.with_name("live").rename(folder)
        if name.endswith("l"):
            with open(folder / name, "ab") as file:
                file.write(b'{"action":"torn')
    return vkey


def run(folder: Path, name: str, what: str, *tracer: str) -> subprocess.CompletedProcess[bytes]:
    command, *options = COMMANDS[what]
    program = [sys.executable, "-W", "ignore", "-m", "chained_logging", command, name, *options]
    return subprocess.run(
        [*tracer, *program], cwd=folder, input=LINE, capture_output=True, check=False, timeout=60
    )


@pytest.mark.parametrize("what", COMMANDS)
def test_it_is_killed_at_a_call_and_run_again(tmp_path: Path, what: str) -> None:
    needs("strace")
    seed = fresh_seed()
    chosen = random.Random(f"{seed} {what}")
    everything = os.environ.get("KILLS") == "all"
    names = ["audit.jsonl", "audit.db"]
    for name in names if everything else [chosen.choice(names)]:
        prepare(tmp_path / "dry", name, what)
        places = calls(partial(run, tmp_path / "dry", name, what), tmp_path / "trace")
        shutil.rmtree(tmp_path / "dry")
        assert len(places) > 5
        for call, number in places if everything else chosen.sample(places, 2):
            folder = tmp_path / "killed"
            vkey = prepare(folder, name, what)
            kill_at(partial(run, folder, name, what), call, number)
            finish(folder, name, what, vkey, f"{name}: killed at {call} {number}")
            shutil.rmtree(folder)


def finish(folder: Path, name: str, what: str, vkey: str, said: str) -> None:
    """Check the log as the kill left it, run the command again, and check it once more."""
    path = folder / name
    if what != "a first key":  # of which the auditor's key is not yet one of the log's
        report = verify(path, public_key=vkey)
        assert report.status in ("intact", "incomplete"), (said, report.faults)  # a torn line
    again = run(folder, name, what)
    assert again.returncode == 0, (said, again.stderr)
    key = PrivateKey.load(folder / "audit.key")
    assert not (folder / "audit.key.new").exists(), said
    with AuditLog(path, key=key) as log:
        log.append("afterwards", **EVENT)
        actions = [entry.action for entry in log.entries()]
    report = verify(path, public_key=vkey)
    assert report.status == "intact", (said, report.faults)
    assert what == "revoke" or report.unsigned == 0, said
    assert actions[-1] == "afterwards"
    if what == "rotate":
        assert 1 <= actions.count("key.rotate") <= 2, said
    elif what == "revoke":
        assert "key.revoke" in actions, said
