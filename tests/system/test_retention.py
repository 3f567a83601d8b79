"""Retention from outside: killed at any system call, beside writers, and against a lost front.

    KILLS=all python -m pytest tests/system/test_retention.py

kills it at each call that changes something. By default a few are chosen, with a seed that is
printed (``CRASH_SEED``).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chains import often
from commands import command, run
from crash import fresh_seed, needs
from killed_at_calls import calls, kill_at
from retention_logs import (
    ANN,
    check_chain,
    everything_in,
    fill,
    left,
    old,
    purge,
    stubs,
)

from chained_logging import AuditLog, verify
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key
from chained_logging.review.retention.holds import add_hold
from chained_logging.review.retention.policies import Policy
from chained_logging.ship.holds import Covered
from chained_logging.sinks.segments import segment_paths
from chained_logging.transparency.proof import LogTree

ORIGIN = "example.com/audit"
POLICIES = """
[retention.records]
standard = "soc2"
resource_type = ["patient_record"]

[retention.reads]
period = "100d"
action = ["read"]
"""
KINDS = [
    ("read", "patient_record", 400, True),
    ("write", "patient_record", 300, False),
    ("read", "invoice", 200, True),
    ("write", "invoice", 900, False),
    ("read", "patient_record", 800, None),  # held
    ("read", "invoice", 50, False),
]
"""Action, type and age of entries, and whether they go."""


class Prepared:
    """A signed log with a hold in the middle, and what was made of it before the removal."""

    def __init__(self, folder: Path, name: str, rounds: int = 8) -> None:
        folder.mkdir()
        self.folder, self.path = folder, folder / name
        self.key = PrivateKey.generate()
        self.key.save(folder / "audit.key")
        self.vkey = folder.with_name(f"{folder.name}.vkey")
        self.vkey.write_text(verifier_key(ORIGIN, self.key))
        (folder / "chained-logging.toml").write_text(POLICIES)
        entries = []
        for n in range(rounds * len(KINDS)):
            action, kind, age, goes = KINDS[n * 7 % len(KINDS)]
            resource = f"{kind}/{'held' if goes is None else n}"
            word = "secret" if goes else "kept"
            entries.append(old(age, action=action, resource=resource, note=f"{word}-{n}-"))
        with AuditLog(self.path, key=self.key, sign="checkpoint", origin=ORIGIN) as log:
            add_hold(log, "Smith", Covered(resource_id="held"), "a letter", ANN)
        fill(self.path, entries, key=self.key, checkpoint_every=10)
        tree = LogTree(self.path)
        self.proofs = [tree.inclusion(seq).format() for seq in range(0, len(entries), 5)]
        self.notes = [stored.note for stored in tree.checkpoints]
        self.gone = {
            seq
            for seq, (_, body) in left(self.path).items()
            if body is not None and b'"note":"secret' in body
        }
        assert len(self.gone) >= 2 * rounds
        self.before = left(self.path)

    def apply(self, *tracer: str) -> subprocess.CompletedProcess[bytes]:
        words = ["retention", "apply", self.path.name, "--yes", "--without-copy"]
        program = [sys.executable, "-W", "ignore", "-m", "chained_logging", *words]
        environment = {**os.environ, "CHAINED_LOGGING_CONFIG": "chained-logging.toml"}
        return subprocess.run(
            [*tracer, *program, "--key", "audit.key"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            check=False,
            timeout=120,
        )

    def check(self, said: str, *statuses: str) -> None:
        """Check that what is there is what it was, and that nothing went that should not."""
        after = left(self.path)
        assert stubs(self.path) <= self.gone, said
        for seq, (hash, body) in self.before.items():
            assert after[seq][0] == hash, (said, seq)
            assert after[seq][1] in ((body, None) if seq in self.gone else (body,)), (said, seq)
        check_chain(self.path)
        files = [self.folder.with_name(f"note-{number}") for number, _ in enumerate(self.notes)]
        for file, note in zip(files, self.notes, strict=True):
            file.write_text(note)
        for careful in (False, True):
            found = verify(
                self.path,
                checkpoints=files,
                public_key=self.vkey.read_text(),
                careful=careful,
            )
            assert found.status in statuses, (said, found.faults)

    def check_done(self, said: str) -> None:
        self.check(said, "intact")
        assert stubs(self.path) == self.gone, said
        assert b"secret-" not in everything_in(self.folder), said
        for number, proof in enumerate(self.proofs):
            file = self.folder.with_name(f"proof-{number}")
            file.write_bytes(proof)
            run("verify-proof", file, "--public-key", self.vkey)


@pytest.mark.parametrize("name", ["audit.jsonl", "audit.db"])
def test_it_is_killed_at_a_call_and_run_again(tmp_path: Path, name: str) -> None:
    needs("strace")
    chosen = random.Random(f"{fresh_seed()} {name}")
    dry = Prepared(tmp_path / "dry", name)
    places = calls(dry.apply, tmp_path / "trace")
    dry.check_done("not killed")
    assert len(places) > 20
    if os.environ.get("KILLS") != "all":
        places = chosen.sample(places, often(9))
    for call, number in places:
        said = f"killed at {call} {number}"
        killed = Prepared(tmp_path / "killed", name)
        kill_at(killed.apply, call, number)
        killed.check(said, "intact", "incomplete")  # a torn line
        again = killed.apply()
        assert again.returncode == 0, (said, again.stderr)
        killed.check_done(said)
        shutil.rmtree(killed.folder)


# --- Beside others.

WRITER = """
import json, os, sys, time
from pathlib import Path
from chained_logging import AuditLog
path, stop, options = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
with AuditLog(path, **options) as log:
    print("ready", flush=True)
    n = 0
    while not stop.exists():
        entry = log.append("write", actor="writer", resource=f"a/{n}", ip="10.0.0.1")
        print(entry.seq, entry.hash, flush=True)
        n += 1
        time.sleep(0.001)
print("end", flush=True)
"""


@pytest.mark.parametrize("name", [pytest.param("audit.jsonl", marks=pytest.mark.long), "audit.db"])
def test_four_processes_write_on_and_lose_nothing(tmp_path: Path, name: str) -> None:
    path, stop = tmp_path / name, tmp_path / "stop"
    fill(path, [old(400, note=f"secret-{n}-") for n in range(4000)])
    options = json.dumps({"max_bytes": 400_000} if name.endswith("l") else {})
    words = [sys.executable, "-c", WRITER, str(path), str(stop), options]
    outs = [tmp_path.with_name(f"{tmp_path.name}-{number}") for number in range(4)]
    writers = []
    for out in outs:
        with out.open("w") as file:
            writers.append(subprocess.Popen(words, stdout=file))
    deadline = time.monotonic() + 30
    while not all("ready" in out.read_text() for out in outs):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.2)
    view, done = purge(path, Policy("year", 365))
    time.sleep(0.2)
    stop.touch()
    for writer in writers:
        assert writer.wait(timeout=60) == 0
    told = [out.read_text().splitlines()[1:] for out in outs]
    assert [lines[-1] for lines in told] == ["end"] * 4
    assert (done.removed, view.plan.count, done.remarks) == (4000, 4000, [])
    found = left(path)
    for lines in told:
        assert len(lines) > 20
        for line in lines[:-1]:
            seq, hash = line.split()
            if seq != "None":  # it waited in the spill file, and was chained later
                assert found[int(seq)][0] == hash
    bodies = [body for _, body in found.values() if body]
    assert sum(b'"actor_id":"writer"' in body for body in bodies) == sum(len(t) - 1 for t in told)
    assert b"secret-" not in everything_in(tmp_path)
    check_chain(path)
    assert verify(path).intact


# --- What became known of other programs.


def test_a_hold_in_the_middle_of_what_went_raises_no_alarm(tmp_path: Path, path: Path) -> None:
    held = Prepared(tmp_path / "log", path.name)
    assert held.apply().returncode == 0
    for _ in range(3):
        done = command("verify", held.path, "--public-key", held.vkey)
        assert done.returncode == 0, done.stdout
        assert done.stdout.startswith("INTACT")
        assert held.apply().returncode == 0  # the timer of the next day
    assert stubs(held.path) == held.gone
    kept = [body for _, body in left(held.path).values() if body and b'"patient_record"' in body]
    assert any(b'"resource_id":"held"' in body for body in kept)


def test_a_front_that_was_deleted_does_not_pass_for_retention(path: Path) -> None:
    fill(path, [old(400), *[old(3)] * 30, *[old(400)] * 5, *[old(3)] * 30])
    purge(path, Policy("year", 365))
    assert verify(path).intact
    if path.suffix == ".db":
        with sqlite3.connect(path) as db:
            triggers = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            made = dict(
                db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            )
            for (name,) in triggers.fetchall():
                db.execute(f"DROP TRIGGER {name}")
            db.execute("DELETE FROM entries WHERE seq < 20")
            db.execute("DELETE FROM stubs WHERE seq < 20")
            for sql in made.values():
                db.execute(sql)
        db.close()
    else:
        segment_paths(path)[0].unlink()
    report = verify(path)
    assert report.status != "intact"
    assert {fault.kind for fault in report.faults} >= {"cut-front"}
