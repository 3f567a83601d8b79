"""The verifier tells no false tale, and what it takes to check a file is bounded."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chains import often
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import some
from verifiers import ALONE, ALONE_COMMAND, MODULE, check, run

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey

EVENT = {"actor": "u", "resource": "record/1", "ip": "10.0.0.1"}


def write(path: Path, count: int = 5, **options: object) -> Path:
    with AuditLog(path, **options) as log:  # type: ignore[arg-type]
        for _ in range(count):
            log.append("read", **EVENT)
    return path


# --- Words.


def test_two_logs_in_a_folder_are_two_logs(tmp_path: Path) -> None:
    for name in ("audit.jsonl", "audit.db"):
        write(tmp_path / name, origin=f"example.com/{name}")
    for alone in (True, False):
        done = run(tmp_path, alone=alone)
        assert (done.returncode, done.stdout.count("INTACT")) == (0, 2)


@pytest.mark.parametrize("grown", [False, True])
def test_a_copy_beside_a_log_is_said_to_be_one(tmp_path: Path, grown: bool) -> None:
    path = write(tmp_path / "audit.jsonl")
    (tmp_path / "audit.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    if grown:
        write(path)
    for given_paths in ([tmp_path], [path, tmp_path / "audit.jsonl.gz"]):
        done = run(*given_paths)
        assert (done.returncode, done.stdout.count("INTACT")) == (0, 1)
        assert "audit.jsonl.gz holds nothing but a copy: left out" in done.stderr


@pytest.mark.parametrize("ending", [".1", "-20261127", ".1.gz", "-20261127.gz"])
def test_a_folder_with_what_logrotate_moved_away_is_one_log(tmp_path: Path, ending: str) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "audit.jsonl"
    key = PrivateKey.generate()
    with AuditLog(path, key=key) as log:
        log.append("read", actor="u", resource="p/1", ip="10.0.0.1")
        moved = path.rename(folder / f"audit.jsonl{ending.removesuffix('.gz')}")
        log.append("read", actor="u", resource="p/2", ip="10.0.0.1")
    if ending.endswith(".gz"):
        (folder / f"audit.jsonl{ending}").write_bytes(gzip.compress(moved.read_bytes()))
        moved.unlink()
    for alone in (True, False):
        done = run(folder, alone=alone)
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("INTACT") == 1


def test_two_logs_named_as_one_are_not_called_tampered(tmp_path: Path) -> None:
    report = check(write(tmp_path / "a.jsonl"), write(tmp_path / "b.jsonl"))
    assert report.status == "unchecked"
    assert "are two logs" in (report.reason or "")


def test_a_fork_is_tampering(tmp_path: Path) -> None:
    one = write(tmp_path / "a.jsonl")
    two = Path(shutil.copy(one, tmp_path / "b.jsonl"))
    write(one, 1)
    write(two, 2)
    assert check(one, two).status == "tampered"


def test_an_archived_front_is_incomplete(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", PrivateKey.generate()
    write(path, 30, key=key, max_bytes=3000, sign="each")
    sealed = sorted(tmp_path.glob("audit.[0-9]*.jsonl"))
    sealed[0].unlink()
    for alone in (True, False):
        done = run(path, alone=alone)
        assert done.returncode == 1
        assert "\nINCOMPLETE: it begins at seq " in done.stdout
        assert "TAMPERED" not in done.stdout
    assert json.loads(run(path, "--json").stdout)["status"] == "incomplete"
    sealed[2].unlink()  # in the middle it is not an archive
    assert check(path).status == "tampered"


def test_a_torn_end_is_incomplete(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    assert check(path).status == "incomplete"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.replace(b"\n", b"\r\n"), "tr -d '\\r'"),
        (lambda data: b"\xef\xbb\xbf" + data, "byte order mark"),
        (lambda data: data.decode().encode("utf-16"), "iconv -f UTF-16"),
    ],
)
def test_what_an_editor_did_is_said_and_can_be_undone(  # type: ignore[no-untyped-def]
    tmp_path: Path, change, said: str
) -> None:
    path = write(tmp_path / "audit.jsonl")
    data = path.read_bytes()
    path.write_bytes(change(data))
    report = check(path)
    assert report.status == "unchecked"
    assert said in report.reason
    command = report.reason.partition("back with: ")[2].partition(" > copy.jsonl")[0]
    assert subprocess.run(command, shell=True, capture_output=True, check=True).stdout == data


def test_a_log_that_was_written_anew_by_jq_is_said_to_be(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.jsonl")
    lines = [json.dumps(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    assert "rewritten by another program" in check(path).faults[0].reason


@pytest.mark.parametrize(
    "options",
    [
        ("--from-hash", "zz"),
        ("--to-hash", "abc"),
        ("--jobs", "0"),
        ("--jobs", "-1"),
        ("--jobs", "x"),
        ("--max-gap", "-1"),
    ],
)
def test_a_wrong_option_is_no_verdict(tmp_path: Path, options: tuple[str, str]) -> None:
    path = write(tmp_path / "audit.jsonl")
    for alone in (True, False):
        done = run(path, *options, alone=alone)
        assert (done.returncode, done.stdout) == (2, "")
        assert "TAMPERED" not in done.stderr


def test_a_hash_may_be_written_as_people_write_it(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.jsonl")
    last = check(path).last_hash
    for text in (last.upper(), f" {last} ", last):
        assert check(path, to_hash=text).anchored
    assert check(path, to_hash="abc").status == "unchecked"


def test_a_cut_end_shows_in_the_catalogue_of_segments(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.jsonl", 30, max_bytes=3000)
    path.unlink()
    sealed = sorted(tmp_path.glob("audit.[0-9]*.jsonl"))
    assert check(path).intact
    sealed[-1].unlink()
    (fault,) = check(path).faults
    assert (fault.kind, fault.file) == ("cut-tail", f"{path}.manifest")


WRITER = """
import sys
from pathlib import Path
from chained_logging import AuditLog
from chained_logging.keys import PrivateKey
path, key, end = sys.argv[1], PrivateKey.load(sys.argv[2]), Path(sys.argv[3])
options = {"max_bytes": 20_000} if path.endswith("jsonl") else {}
with AuditLog(path, key=key, **options) as log:
    while not end.exists():
        for _ in range(20):
            log.append("read", actor="u", resource="record/1", ip="10.0.0.1")
        log.checkpoint()
"""


@pytest.mark.parametrize("suffix", some(["jsonl", "db"], 2))
def test_a_log_is_intact_while_four_processes_write(tmp_path: Path, suffix: str) -> None:
    path, key, end = tmp_path / f"audit.{suffix}", tmp_path / "key", tmp_path / "end"
    PrivateKey.generate().save(key)
    write(path, key=PrivateKey.load(key))
    command = [sys.executable, "-c", WRITER, str(path), str(key), str(end)]
    writers = [subprocess.Popen(command) for _ in range(4)]
    runs = entries = 0
    try:
        while runs < often(9) or entries < 3000:
            assert all(writer.poll() is None for writer in writers)
            for target in (path, tmp_path):
                if target is path:
                    reports = [MODULE.verify(path), ALONE.verify(path)]
                    assert [r.status for r in reports] == ["intact"] * 2, reports
                    entries = reports[0].entries
                else:
                    done = run(target, "--quiet", alone=False)
                    assert done.returncode == 0, done
            runs += 1
    finally:
        end.touch()
    assert [writer.wait() for writer in writers] == [0] * 4
    assert check(path).intact


def test_of_many_segments_the_log_that_may_be_sealed_is_held_open(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.jsonl", 200, max_bytes=1000)
    names = sorted(str(file) for file in tmp_path.glob("*.jsonl"))
    assert len(names) > MODULE.MAX_HELD
    with MODULE._holding() as held:
        found = MODULE._with_segments(names, held)
        assert set(found) == set(names)
        assert str(path) in held


# --- Bounds. Each limit is one that only an algorithm that is not linear misses.


def seconds(path: Path) -> float:
    start = time.process_time()
    for module in (MODULE, ALONE):
        assert module.verify(path).status != "intact"
    return time.process_time() - start


@pytest.mark.long
@pytest.mark.parametrize(
    "data",
    [
        b"\n" * 5_000_000,
        b"x\n" * 1_000_000,
        b"".join(
            b'{,"prev_hash":"GENESIS","seq":%d,"hash":"%064d"}\n' % (n * 2 + 2, 0)
            for n in range(20_000)
        ),
        b"".join(
            b'{"a":"%0300d","prev_hash":"GENESIS","seq":%d,"hash":"%064d"}\n' % (0, n, 0)
            for n in [*range(2, 20_000, 2), *[2] * 10_000]
        ),
    ],
    ids=["line feeds", "short lines", "holes", "holes and copies"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_junk_takes_linear_time(tmp_path: Path, data: bytes, packed: bool) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(gzip.compress(data, 1) if packed else data)
    assert seconds(path) < 20
    done = run(path)
    assert done.stdout.count("BREAK") <= 100
    assert len(done.stdout) < 60_000


def test_shapes_of_keys_cost_no_more_than_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        for number in range(60):
            log.append("post", **EVENT, context={f"k{number}.{key}": 1 for key in range(2000)})
    start = time.process_time()
    assert check(path).intact
    assert time.process_time() - start < 10


@pytest.mark.parametrize("body", [b"[" * 30_000, b'{"a":' * 10_000, b"[" * 30_000 + b"]" * 30_000])
def test_deep_json_is_no_crash(tmp_path: Path, body: bytes) -> None:
    path = write(tmp_path / "audit.jsonl", 1)
    with path.open("ab") as file:
        file.write(b'{"action":' + body + b',"hash":"%064d"}\n' % 0)
    assert check(path).status == "tampered"


def test_faults_are_counted_beyond_those_that_are_printed(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.jsonl", 400)
    path.write_bytes(path.read_bytes().replace(b'"actor_id":"u"', b'"actor_id":"v"'))
    done = run(path)
    assert done.stdout.count("BREAK") == 100
    assert "and 300 more, which --json lists" in done.stdout
    assert len(json.loads(run(path, "--json").stdout)["faults"]) == 400


@pytest.mark.parametrize("what", ["pipe", "device", "loop", "folder", "kernel", "large"])
def test_a_file_of_checkpoints_that_is_none_is_not_waited_for(tmp_path: Path, what: str) -> None:
    path = write(tmp_path / "audit.jsonl")
    beside = tmp_path / "audit.jsonl.checkpoints"
    if what == "pipe":
        os.mkfifo(beside)
    elif what == "folder":
        beside.mkdir()
    elif what == "large":
        with beside.open("wb") as file:
            file.write(b'{"note":"')
            file.truncate(1 << 30)
    else:
        target = {"device": "/dev/zero", "kernel": "/proc/kmsg", "loop": beside}[what]
        beside.symlink_to(target)
    start = time.process_time()
    report = check(path)
    assert time.process_time() - start < 5
    assert report.status == {"large": "tampered", "kernel": "intact"}.get(what, "unchecked")


# --- The ways to parse: they never disagree.

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from([1e16, 1e15, 1e-5, 1e-6, 1e-7, 1.0, -0.0, 1e21, 123456789.5, 5e-324])
    | st.text(max_size=5)
    | st.sampled_from(["\x7f", "\u2028", "\ud800", "\U0001f600", "\ue000"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from("\ue000\U0001f600ab"), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=often(1500), deadline=None)
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.integers(0, 99), st.data())
def test_all_ways_to_parse_agree(value: dict[str, object], how: int, data: st.DataObject) -> None:
    text = json.dumps(
        value, ensure_ascii=how % 2 == 0, sort_keys=how % 3 > 0, separators=(",", ":")
    ).encode("utf-8", "surrogatepass")
    if how > 70:
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.binary(max_size=2)) + text[at + how % 2 :]
    results = set()
    for module, exactly in ((MODULE, False), (MODULE, True), (ALONE, False)):
        try:
            results.add(repr(module._parse(text, exactly)))
        except module._Bad:
            results.add("bad")
    assert len(results) == 1, (text, results)


def test_keys_are_sorted_by_utf_16() -> None:
    for first, second, good in (("\U0001f600", "\ue000", True), ("\ue000", "\U0001f600", False)):
        text = f'{{"{first}":1,"{second}":2}}'.encode()
        for module in (MODULE, ALONE):
            try:
                module._parse(text)
                assert good
            except module._Bad:
                assert not good


@pytest.mark.parametrize("broken", [False, True])
def test_a_reader_that_stops_reading_ends_it_quietly(tmp_path: Path, broken: bool) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        log.append_many([{"action": "read", **EVENT}] * 200)
    if broken:  # each line is a fault, printed while the log is read
        path.write_bytes(path.read_bytes().replace(b'"read"', b'"read!"'))
    command = [sys.executable, "-m", "chained_logging"]
    for program in (ALONE_COMMAND, [*command, "verify"], [*command, "query"], [*command, "export"]):
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb") as out:
            done = subprocess.run(
                [*program, path], stdout=out, stderr=subprocess.PIPE, check=False, timeout=60
            )
        assert b"ipe" not in done.stderr, (program, done.stderr)
        assert b"Traceback" not in done.stderr
        if "query" not in program and "export" not in program:
            assert (done.returncode, done.stderr) == (2, b"")


def test_signatures_beyond_a_number_are_not_checked_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="o", key=PrivateKey.generate()) as log:
        for _ in range(6):
            log.append("read", **EVENT)
            log.checkpoint()
    notes = Path(f"{path}.checkpoints")
    first, *others = notes.read_bytes().splitlines(keepends=True)
    at = first.index(b'=\\n","size"') - 9  # a character of the signature
    spoilt = first[:at] + (b"A" if first[at : at + 1] != b"A" else b"B") + first[at + 1 :]
    for module in (MODULE, ALONE):
        monkeypatch.setattr(module, "MAX_CHECKED", 4)
    notes.write_bytes(b"".join([spoilt, *others]) + others[-1] * 5000)  # copies count once
    report = check(path)
    assert (report.status, report.checkpoints, report.signed_seq) == ("intact", 6, 6)
    assert report.remarks == [
        "of 6 checkpoints, the signatures of the newest 4 were checked; --careful checks them all"
    ]
    assert check(path, careful=True).status == "tampered"
    notes.write_bytes(b"".join([first, *others]).replace(b'"size":3,', b'"size":4,'))
    assert check(path).status == "tampered"  # what takes no signature is checked of each


# --- The command line.


def test_the_command_shows_and_completes_what_the_file_takes() -> None:
    flags = {option.flag for option in MODULE.OPTIONS}
    for done in (run("--help"), run("--help", alone=False)):
        assert done.returncode == 0
        assert flags <= set(re.findall(r"--[a-z-]+", done.stdout))
    for words, word in (("verify --witness", "--witness-key"), ("verify-proof --o", "--origin")):
        environment = {
            **os.environ,
            "_CHAINED_LOGGING_COMPLETE": "bash_complete",
            "COMP_WORDS": f"chained-logging {words}",
            "COMP_CWORD": "2",
        }
        program = Path(sys.executable).with_name("chained-logging")
        done = subprocess.run(
            [program], env=environment, capture_output=True, text=True, check=False
        )
        assert f"plain,{word}\n" in done.stdout


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--jobs=0", "the number of jobs must be 1 or more"),
        ("--to-hash=xyz", "a hash must have 64 hexadecimal digits"),
        ("--max-gap=nan", "the gap must be a number of seconds, 0 or more"),
    ],
)
def test_a_wrong_value_is_an_error_of_usage(option: str, reason: str) -> None:
    for alone in (True, False):
        done = run("audit.jsonl", option, alone=alone)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(f": {reason}\n")
