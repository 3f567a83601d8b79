"""Evidence is made from the log alone, and the same log makes the same bytes."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest
from chains import EVENT
from evidence_packages import make_log, unpacked
from signed_logs import ORIGIN, Key, append_lines, own

from chained_logging import AuditLog, verify
from chained_logging.errors import BrokenLog, NoCheckpoint
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.line import stored_line
from chained_logging.format.note import Note
from chained_logging.review.evidence import make_evidence
from chained_logging.review.export import export_log
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.package import verifier
from chained_logging.sinks import open_sink
from chained_logging.verify import verify_evidence

KEY = Key()


def lines(package: Path) -> list[bytes]:
    return unpacked(package)["entries.jsonl"].splitlines()


def test_a_package_holds_what_it_takes(path: Path, tmp_path: Path) -> None:
    make_log(path, KEY)
    target = tmp_path / "e.zip"
    made = make_evidence(str(path), target, Filter.parse("seq=10-20"))
    files = unpacked(target)
    assert [*files] == [
        *("entries.jsonl", "around.jsonl", "keys.jsonl", "proof.txt", "checkpoint.note"),
        *("timestamps.jsonl", "public-keys.txt", "verify.py", "README.txt", "manifest.json"),
    ]
    stored = [stored_line(r.body, r.hash, r.signature) for r in open_sink(path).records()]
    assert lines(target) == stored[10:21]
    assert files["around.jsonl"].splitlines() == [stored[9], stored[21]]
    assert files["keys.jsonl"].splitlines() == stored[:1]
    assert files["verify.py"] == verifier()
    said = Checkpoint.parse(Note.parse(files["checkpoint.note"]).text)
    assert (said.origin, said.size) == (ORIGIN, 41)
    assert made.statement == "11 of 41 entries of this log, chosen by this filter: seq 10-20"
    assert made.statement in files["README.txt"].decode()
    assert json.loads(files["manifest.json"])["statement"] == made.statement
    assert verify_evidence(target).intact


@pytest.mark.parametrize("text", ["", "seq=4-9", "action=read&actor=user-1", "text=treatment"])
@pytest.mark.parametrize("sample", [None, 4])
def test_the_same_log_makes_the_same_bytes(tmp_path: Path, text: str, sample: int | None) -> None:
    log = make_log(tmp_path / "audit.db", KEY)
    export_log(log, tmp_path / "copy.jsonl")
    whole = (tmp_path / "copy.jsonl").read_bytes().splitlines(keepends=True)
    folder = tmp_path / "rotated"
    folder.mkdir()
    (folder / "copy.jsonl.1.gz").write_bytes(gzip.compress(b"".join(whole[:15])))
    (folder / "copy.jsonl").write_bytes(b"".join(whole[15:]))
    shutil.copy(tmp_path / "copy.jsonl.checkpoints", folder)
    made = []
    for number, source in enumerate((log, log, tmp_path / "copy.jsonl", folder / "copy.jsonl")):
        target = tmp_path / f"e{number}.zip"
        make_evidence(str(source), target, Filter.parse(text), sample=sample, key=KEY)
        made.append(target.read_bytes())
    assert len(set(made)) == 1


def test_the_filter_chooses_as_a_query_does(path: Path, tmp_path: Path) -> None:
    make_log(path, KEY)
    wanted = Filter.parse("action=export&actor=user-0&actor=user-3")
    make_evidence(str(path), tmp_path / "e.zip", wanted)
    found = [json.loads(line) for line in lines(tmp_path / "e.zip")]
    assert len(found) > 3
    assert {(each["action"], each["actor_id"]) for each in found} == {
        ("export", "user-0"),
        ("export", "user-3"),
    }


def test_segments_are_read(tmp_path: Path) -> None:
    path = make_log(tmp_path / "audit.jsonl", KEY, 60, max_bytes=8000)
    assert len([*tmp_path.glob("audit.0*.jsonl")]) > 2
    make_evidence(str(path), tmp_path / "e.zip")
    assert len(lines(tmp_path / "e.zip")) == 61
    assert verify_evidence(tmp_path / "e.zip").whole


def test_what_no_checkpoint_covers_is_left_out_and_counted(path: Path, tmp_path: Path) -> None:
    make_log(path, KEY, 5)
    append_lines(path, [{"action": "read", **EVENT}] * 3)
    made = make_evidence(str(path), tmp_path / "e.zip", Filter.parse("action=read"))
    assert (made.later, len(made.selection.chosen)) == (3, 3)
    made = make_evidence(str(path), tmp_path / "all.zip")
    assert (made.later, made.selection.size) == (3, 6)


def test_an_earlier_checkpoint(path: Path, tmp_path: Path) -> None:
    make_log(path, KEY, 5)
    make_log(path, KEY, 5)
    target = tmp_path / "e.zip"
    assert make_evidence(str(path), target, size=6).selection.size == 6
    assert verify_evidence(target).intact
    with pytest.raises(NoCheckpoint, match="a checkpoint of size 7, signed by its key"):
        make_evidence(str(path), tmp_path / "other.zip", size=7)


def test_a_log_without_a_key_has_no_evidence(path: Path, tmp_path: Path) -> None:
    with AuditLog(path) as log:
        log.append("x", **EVENT)
    with pytest.raises(NoCheckpoint, match="run chained-logging checkpoint"):
        make_evidence(str(path), tmp_path / "e.zip")
    assert not (tmp_path / "e.zip").exists()


def test_a_checkpoint_of_another_key_counts_for_nothing(tmp_path: Path) -> None:
    path = make_log(tmp_path / "audit.jsonl", KEY, 5)
    other = make_log(tmp_path / "other.jsonl", Key(), 20)
    notes = path.with_name("audit.jsonl.checkpoints")
    foreign = other.with_name("other.jsonl.checkpoints").read_text()
    append_lines(path, [{"action": "read", **EVENT}] * 30)
    notes.write_text(notes.read_text() + foreign)
    assert make_evidence(str(path), tmp_path / "e.zip").selection.size == 6


def test_the_claim_is_signed_by_the_logs_key_alone(path: Path, tmp_path: Path) -> None:
    make_log(path, KEY, 5)
    with pytest.raises(ValueError, match="the key must be the log's: "):
        make_evidence(str(path), tmp_path / "e.zip", key=Key())
    assert not (tmp_path / "e.zip").exists()
    make_evidence(str(path), tmp_path / "e.zip", key=KEY)
    assert verify_evidence(tmp_path / "e.zip").claim_signed


@pytest.mark.parametrize("what", ["edited", "removed", "signed over"])
def test_a_broken_log_makes_no_evidence(tmp_path: Path, what: str) -> None:
    path = make_log(tmp_path / "audit.jsonl", KEY, 9)
    whole = path.read_bytes()
    if what == "edited":
        path.write_bytes(whole.replace(b"user-2", b"user-3"))
    elif what == "removed":
        stored = whole.splitlines(keepends=True)
        path.write_bytes(b"".join(stored[:4] + stored[5:]))
    else:
        stored = whole.splitlines(keepends=True)
        path.write_bytes(b"".join(stored[:4]))
        append_lines(path, [{"action": "read", **EVENT}] * 6)
    assert not verify(path).intact
    with pytest.raises(BrokenLog, match="run chained-logging verify"):
        make_evidence(str(path), tmp_path / "e.zip", ANY)
    assert not (tmp_path / "e.zip").exists()


def test_a_key_that_a_stranger_named_makes_no_evidence(tmp_path: Path) -> None:
    path = make_log(tmp_path / "audit.jsonl", KEY, 3)
    append_lines(path, [own("key.add", public_key="x")], own=True)
    with pytest.raises(BrokenLog, match="was not written by this log"):
        make_evidence(str(path), tmp_path / "e.zip")


def test_nothing_is_written_over(path: Path, tmp_path: Path) -> None:
    make_log(path, KEY, 3)
    (tmp_path / "e.zip").write_text("mine")
    with pytest.raises(FileExistsError, match="choose another name"):
        make_evidence(str(path), tmp_path / "e.zip")
    with pytest.raises(ValueError, match="no entry that a checkpoint covers fits"):
        make_evidence(str(path), tmp_path / "other.zip", Filter(actor=("nobody",)))
    assert not (tmp_path / "other.zip").exists()
