"""The verifier, from outside: whatever is done to a log is found, and nothing crashes it."""

from __future__ import annotations

import ctypes
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from folders import VECTORS

from chained_logging import AuditLog, verify
from chained_logging.format.line import leaf_hash, split_line, stored_line
from chained_logging.keys import PrivateKey

VERIFY = Path(sys.modules["chained_logging.verify"].__file__ or "")


def write(path: Path, count: int = 50) -> Path:
    with AuditLog(path, origin="example.com/t") as log:
        for i in range(count - 1):
            log.append("read", actor=f"u{i}", resource=f"record/{i}", ip="10.0.0.1", n=i)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "audit.jsonl")


def kinds(path: Path) -> set[str]:
    return {fault.kind for fault in verify(path).faults}


def test_an_untouched_log_is_intact(log: Path) -> None:
    report = verify(log)
    assert report.intact
    assert (report.entries, report.first_seq, report.last_seq) == (50, 0, 49)
    assert not report.anchored


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    data = write(tmp_path / "audit.jsonl", 4).read_bytes()
    target = tmp_path / "flipped.jsonl"
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 + at % 255
        target.write_bytes(flipped)
        assert not verify(target).intact, f"byte {at}"


def test_each_line_with_a_flipped_byte_is_named(log: Path) -> None:
    lines = [bytearray(line) for line in log.read_bytes().splitlines()]
    target = log.with_name("flipped.jsonl")
    for at in range(max(map(len, lines))):
        flipped = [number for number, line in enumerate(lines) if at < len(line)]
        change = 1 + at % 9  # never makes a line feed of a byte of JSON
        for number in flipped:
            lines[number][at] ^= change
        target.write_bytes(b"\n".join(lines) + b"\n")
        found = {fault.line for fault in verify(target).faults}
        assert found >= {number + 1 for number in flipped}, f"byte {at}"
        for number in flipped:
            lines[number][at] ^= change


def test_every_flipped_byte_of_a_database_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.db", 15)
    db = sqlite3.connect(path, isolation_level=None)
    for name in ("entries_no_update", "entries_no_delete", "entries_in_order"):
        db.execute(f"DROP TRIGGER {name}")
    assert kinds(path) == {"edited"}  # the triggers are missed, though no entry was touched
    # Triggers of other tables name this one, so SQLite renames nothing to it while they exist.
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    # Generated columns refuse what is no JSON any more; a table without them refuses nothing.
    db.execute("CREATE TABLE plain (seq INTEGER PRIMARY KEY, body TEXT, hash TEXT, signature TEXT)")
    db.execute("INSERT INTO plain SELECT seq, body, hash, signature FROM entries")
    db.execute("DROP TABLE entries")
    db.execute("ALTER TABLE plain RENAME TO entries")
    rows = db.execute("SELECT seq, body, hash FROM entries").fetchall()
    for column, number in (("body", 1), ("hash", 2)):
        for at in range(max(len(row[number]) for row in rows)):
            # One byte in each row that is long enough; each of them must be named.
            flipped = [row for row in rows if at < len(row[number])]
            db.execute("BEGIN")
            for row in flipped:
                text = row[number]
                edited = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
                db.execute(f"UPDATE entries SET {column} = ? WHERE seq = ?", (edited, row[0]))
            db.execute("COMMIT")
            found = {fault.line for fault in verify(path).faults}
            assert found >= {row[0] + 1 for row in flipped}, (column, at)
            db.execute("BEGIN")
            for row in flipped:
                db.execute(f"UPDATE entries SET {column} = ? WHERE seq = ?", (row[number], row[0]))
            db.execute("COMMIT")
    db.close()


def test_a_database_edited_as_a_file_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.db", 50)
    data = path.read_bytes()
    assert verify(path).intact
    for old, new in ((b'"actor_id":"u7"', b'"actor_id":"u8"'), (b"10.0.0.1", b"10.0.0.9")):
        assert old in data
        path.write_bytes(data.replace(old, new))
        assert verify(path).status == "tampered"


def test_verifying_in_process_keeps_the_writers_locks(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    other = "import sys; from chained_logging import AuditLog; AuditLog(sys.argv[1]).close()"
    with AuditLog(path) as log:
        log.append("before", actor="u", resource="a/b", ip="10.0.0.1")
        assert verify(path).intact
        # Were the locks gone, this one would take itself for the last, and remove the journal.
        subprocess.run([sys.executable, "-c", other, path], check=True)
        log.append("after", actor="u", resource="a/b", ip="10.0.0.1")
    assert verify(path).entries == 3


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        (lambda lines: lines[:20] + lines[21:], "missing"),
        (lambda lines: [*lines[:20], lines[21], lines[20], *lines[22:]], "reordered"),
        (lambda lines: lines[:21] + lines[20:], "duplicated"),
        (lambda lines: lines[5:], "cut-front"),
        (lambda lines: [*lines[:-1], lines[-1][:40]], "torn"),
        (lambda lines: [*lines[:20], b"{}\n", *lines[20:]], "malformed"),
        (lambda lines: [*lines[:20], lines[20].replace(b'"u19"', b'"u20"'), *lines[21:]], "edited"),
    ],
)
def test_each_tampering_has_its_name(log: Path, edit, kind: str) -> None:  # type: ignore[no-untyped-def]
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(edit(lines)))
    assert kinds(log) == {kind}


def test_an_entry_replaced_with_its_hash_made_anew_is_found(log: Path) -> None:
    lines = log.read_bytes().splitlines()
    body = split_line(lines[20]).body.replace(b'"u19"', b'"u99"')
    lines[20] = stored_line(body, leaf_hash(body))
    log.write_bytes(b"\n".join(lines) + b"\n")
    assert kinds(log) == {"inserted"}


def test_a_cut_tail_shows_by_a_hash_kept_elsewhere(log: Path) -> None:
    last = verify(log).last_hash
    assert verify(log, to_hash=last).anchored
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify(log).intact
    assert [f.kind for f in verify(log, to_hash=last).faults] == ["cut-tail"]


def test_several_files_in_any_order(log: Path, tmp_path: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    parts = [tmp_path / name for name in ("b.jsonl", "a.jsonl.gz", "c")]
    parts[0].write_bytes(b"".join(lines[:10]))
    parts[1].write_bytes(gzip.compress(b"".join(lines[10:30])))
    parts[2].write_bytes(b"".join(lines[30:]))
    assert verify(*reversed(parts)).entries == 50
    assert verify(*reversed(parts)).intact
    assert not verify(parts[0], parts[2]).intact


@pytest.mark.parametrize("suffix", [".jsonl", ".db"])
def test_alone_in_an_empty_folder(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"audit{suffix}", 5)
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(VERIFY, empty / "verify.py")
    command = [sys.executable, "-I", "-S", str(empty / "verify.py"), str(path), "--json"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["entries"] == 5


@pytest.mark.parametrize("make", ["directory", "empty", "absent", "gzip", "long", "junk", "db"])
def test_what_is_no_log_gives_one_sentence(tmp_path: Path, log: Path, make: str) -> None:
    path = tmp_path / make
    if make == "directory":
        path.mkdir()
    elif make == "empty":
        path.touch()
    elif make == "gzip":
        path.write_bytes(gzip.compress(log.read_bytes())[:-200])
    elif make == "long":
        with path.open("wb") as file:
            file.truncate(1 << 30)
    elif make == "junk":
        path.write_bytes(bytes(range(256)) * 100)
    elif make == "db":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE t (x)")
        db.close()
    limit = "import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 28, 1 << 28)); "
    run = f"import runpy, sys; sys.argv = ['v', {str(path)!r}]; "
    run += f"runpy.run_path({str(VERIFY)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", limit + run], capture_output=True, check=False)
    assert done.returncode in (1, 2), done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout + done.stderr


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(VERIFY), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_what_is_skipped_in_a_folder_is_said(log: Path, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    for name in ("audit.jsonl", "audit.jsonl.lock"):
        shutil.copy(log, folder / name)
    assert run(folder).stderr == ""
    shutil.copy(log, elsewhere)
    (folder / "linked").symlink_to(elsewhere)
    shutil.copy(log, folder / "audit.jsonl.old")
    done = run(folder, "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    first, second = sorted(done.stderr.splitlines())
    assert first.startswith(f"NOTE: skipped {folder / 'audit.jsonl.old'}: ")
    assert second == f"NOTE: skipped {folder / 'linked'}: a symbolic link to a folder"
    (folder / "audit.jsonl").unlink()
    assert run(folder).returncode == 2


def obey_modes() -> None:
    """Run before exec: root then reads no more than modes allow, as others do."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            assert libc.prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP


def test_a_folder_that_cannot_be_read_is_not_checked(log: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(0)
    command = [sys.executable, VERIFY, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=obey_modes)
    hidden.chmod(0o700)
    assert (done.returncode, str(hidden) in done.stderr) == (2, True)


def test_a_comparison_that_is_not_made_is_said(log: Path, tmp_path: Path) -> None:
    for arguments in ([log.parent], ["s3://bucket/logs"], [log, log.parent], [log, log]):
        done = run(*arguments, "--against", "s3://bucket/logs")
        assert (done.returncode, done.stdout) == (2, "")
        assert "--against compares one log" in done.stderr


def test_what_is_no_regular_file_is_not_waited_for(log: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for arguments in (
        [pipe],
        [log, "--public-key", pipe],
        [log, "--witness-key", pipe],
        [log, "--timestamp-root", pipe],
        [log, "--checkpoint", pipe],
        ["--proof", pipe],
        ["--proof", log, "--public-key", pipe],
        ["--proof", log, "--checkpoint", "/dev/zero"],
    ):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "is not a regular file" in done.stderr


@pytest.mark.parametrize("gap", ["nan", "inf", "-1", "-inf", "x"])
def test_a_gap_that_is_no_time_is_refused(log: Path, gap: str) -> None:
    done = run(log, f"--max-gap={gap}")
    assert (done.returncode, done.stdout) == (2, "")
    assert run(log, "--max-gap=1e9").returncode == 0


def query(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chained_logging", "query", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.long
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"actor_id":"u1"', '"actor_id":{}'),
        ('"actor_id":"u1"', '"actor_id":["u1"]'),
        ('"context":{"n":1}', '"context":{"invalid":3}'),
        ('"context":{"n":1}', '"context":[]'),
        ('"context":{"n":1}', '"x":' + "[" * 5000 + "]" * 5000),
        ('"ip_address":"10.0.0.1"', '"ip_address":1'),
        ('"timestamp":"', '"timestamp":5,"x":"'),
    ],
)
def test_a_tampered_log_is_shown_up_to_there(log: Path, old: str, new: str) -> None:
    lines = log.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace(old, new)
    log.write_text("".join(lines))
    for options in ([], ["--since", "2020-01-01"], ["--limit", "9"], ["--incomplete", "--json"]):
        done = query(log, *options)
        assert done.returncode == 2
        reasons = ("was not written by a log", "is not a JSON object")
        assert any(f"entry 2 {reason}" in done.stderr for reason in reasons)
        assert len(done.stderr.splitlines()) == 1
    assert query(log, "--json").returncode == 0  # as it stands, whatever it is


def test_a_limit_may_be_as_large_as_one_likes(log: Path) -> None:
    assert len(query(log, "--limit", "9" * 23).stdout.splitlines()) == 51


def test_the_valid_vectors_are_intact() -> None:
    report = verify(VECTORS / "entries.jsonl")
    assert report.intact
    assert report.entries == 7


@pytest.mark.parametrize(
    "case", json.loads((VECTORS / "broken.json").read_text()), ids=lambda case: case["name"]
)
def test_the_broken_vectors_are_not(case: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = case["lines"]
    assert isinstance(lines, list)
    end = "\n" if case.get("final_newline", True) else ""
    path.write_text("\n".join(lines) + end, encoding="utf-8", newline="")
    report = verify(path)
    assert not report.intact
    assert report.fault_count or report.status == "unchecked"


def test_a_copy_of_s3_counts_what_others_signed(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", PrivateKey.generate()
    with AuditLog(path, origin="o", key=key) as audit:
        audit.append_many([{"action": "read", "actor": "u", "ip": "::1", "resource": "a/b"}] * 4)
    note = path.with_name("audit.jsonl.checkpoints").read_bytes().splitlines(keepends=True)[-1]
    web = tmp_path / "web"
    for name in ("segments", "anchored"):
        (web / name).mkdir(parents=True)
    segment = web / "segments" / f"{0:020d}-{4:020d}.jsonl"
    segment.write_bytes(path.read_bytes())
    (web / "anchored" / f"{5:020d}-{'0' * 16}.json").write_bytes(note)
    (web / "anchored" / f"{9:020d}-{'1' * 16}.json").write_bytes(b"{}\n")  # anybody may put it
    told = json.loads(run(web, "--json").stdout)
    assert (told["status"], told["checkpoints"], told["foreign"]) == ("intact", 1, 1)
    segment.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert "a checkpoint vouches for 5 entries" in run(web).stdout
