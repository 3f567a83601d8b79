"""The verifier's fast way and its parts: they never say other than the careful way does."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, often
from hypothesis import given, settings
from hypothesis import strategies as st
from verifiers import ALONE_COMMAND, cpu_of

from chained_logging import AuditLog, verify
from chained_logging.format.line import leaf_hash, split_line, stored_line
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key

# Values around every edge of what the expression recognizes.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**16), 10**16),
    st.floats(),
    st.floats(0, 1e-5),
    st.sampled_from([0.1, 1.5, 123456789.123456, 1234567890.5, 1e16, -0.0, 5e-324, 0.000001]),
    st.text(max_size=8),
    st.text("\"\\/\n\t\x7f{}:,'é\U0001f600\x00", max_size=4),
)
KEYS = st.one_of(
    st.sampled_from(["a", "b", "n", "http_status", "é", "invalid"]), st.text(max_size=3)
)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["read", "write", 'a"b', ""])},
        optional={
            "actor": st.sampled_from(["u", "ü", "x" * 1024, "x" * 1025]),
            "actor_type": st.sampled_from(["service", "system", "user", "robot"]),
            "ip": st.sampled_from(["10.0.0.1", "::1", "fe80::1%1", "no"]),
            "resource": st.sampled_from(["a/b", "a", "é/ü"]),
            "reason": st.text(max_size=5),
            "session_id": st.text(max_size=3),
            "user_agent": st.text(max_size=5),
            "changed_fields": st.lists(st.text(max_size=3), max_size=3),
            "on_behalf_of": st.text(max_size=3),
            "resources": st.lists(st.sampled_from(["a/b", "é/ü", ("a", '"}'), "x"]), max_size=3),
            "tenant": st.sampled_from(["acme", "é", ""]),
            "trace_id": st.sampled_from(["1f" * 16, "0" * 32, "x"]),
            "old_values": st.dictionaries(KEYS, VALUES, max_size=2),
            "context": st.dictionaries(KEYS, VALUES, max_size=3),
        },
    ),
    min_size=1,
    max_size=12,
)


def both(*paths: Path, **options: Any) -> dict[str, Any]:
    """Verify in the fast and the careful way, and in parts; they must agree. Return the report."""
    reports = [
        dataclasses.asdict(verify(*paths, careful=careful, **options)) for careful in (False, True)
    ]
    found = reports[0]["faults"]
    for report in reports:  # of a line that breaks several rules, each way may name another
        several = [fault for fault in report["faults"] if fault["kind"] in ("edited", "malformed")]
        report["faults"] = [
            {**fault, "field": None, "reason": ""} if fault in several else fault
            for fault in report["faults"]
        ]
    assert reports[0] == reports[1]
    return {**reports[0], "faults": found}


def relink(bodies: list[bytes]) -> bytes:
    """Chain bodies anew, whatever is in them: a forger who can compute hashes."""
    lines, prev = [], None
    for body in bodies:
        if prev is not None:
            body = re.sub(rb'(.*,"prev_hash":")[0-9a-f]{64}', rb"\g<1>" + prev, body, count=1)
        hash = leaf_hash(body)
        lines.append(stored_line(body, hash) + b"\n")
        prev = hash.encode()
    return b"".join(lines)


@settings(max_examples=often(150), deadline=None)
@given(EVENTS, st.integers(0, 1 << 32))
def test_any_log_gives_one_report(tmp_path_factory: pytest.TempPathFactory, events, seed) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("log") / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        log.append_many(events * 2)
    assert both(path)["status"] == "intact"
    # A byte changed, and every hash made anew: only the rules of the format are left to object.
    chance = random.Random(seed)
    bodies = [split_line(line).body for line in path.read_bytes().splitlines()]
    for _ in range(8):
        forged = list(bodies)
        at = chance.randrange(len(forged))
        body = bytearray(forged[at])
        where = chance.randrange(len(body))
        body[where] = chance.choice(
            b'0123456789"\\{}[]:,.-e+ abcZ\x7f\xc3\n' + bytes([body[where]])
        )
        forged[at] = bytes(body)
        path.write_bytes(relink(forged))
        both(path)


MUTATIONS = [
    (b'"n":7', b'"n":07'),
    (b'"n":7', b'"n":7.0'),
    (b'"n":7', b'"n":-0'),
    (b'"n":7', b'"n":7e0'),
    (b'"n":7', b'"n":1234567890123456789'),
    (b'"n":7', b'"n":0.0000001'),
    (b'"n":7', b'"n":7.10'),
    (b'"n":7', b'"n":NaN'),
    (b'"n":7', b'"n":7,"n":7'),
    (b'"n":7', b'"n":7,"a":7'),
    (b'"n":7', b'"n": 7'),
    (b'"n":7', b'"n":"\\u0041"'),
    (b'"n":7', b'"n":"\\/"'),
    (b'"n":7', b'"n":"\xff"'),
    (b'"n":7', b'"n":"\xed\xa0\x80"'),
    (b'"n":7', b'"n":"a\tb"'),
    (b'"n":7', b'"invalid":7'),
    (b'"n":7', b'"invalid":{"actor_id":7}'),
    (b'"n":7', b'"oversize":["/context/n"]'),
    (b'"10.0.0.1"', b'"10.0.0.01"'),
    (b'"10.0.0.1"', b'"::FFFF"'),
    (b'"10.0.0.1"', b'""'),
    (b'"10.0.0.1"', b"null"),
    (b'"10.0.0.1"', b'"::ffff:1.2.3.4"'),
    (b'"actor_type":"user"', b'"actor_type":"robot"'),
    (b'"actor_id":"user-1"', b'"actor_id":""'),
    (b'"actor_id":"user-1"', b'"actor_id":"' + b"x" * 1025 + b'"'),
    (b'"actor_id":"user-1"', b'"actor_id":null'),
    (b'"result":"success"', b'"result":"great"'),
    (b'"v":1', b'"v":2'),
    (b',"prev_hash"', b',"on_behalf_of":"","prev_hash"'),
    (b',"prev_hash"', b',"on_behalf_of":"' + b"x" * 1025 + b'","prev_hash"'),
    (b',"result"', b',"resources":{},"result"'),
    (b',"result"', b',"resources":["a/b"],"result"'),
    (b',"result"', b',"resources":[{"id":"1"}],"result"'),
    (b',"result"', b',"resources":[{"id":"","type":"a"}],"result"'),
    (b',"result"', b',"resources":[{"id":"1","type":"a","v":1}],"result"'),
    (b',"result"', b',"resources":[{"type":"a","id":"1"}],"result"'),
    (b',"timestamp"', b',"tenant_id":7,"timestamp"'),
    (b',"v":1', b',"trace_id":"' + b"0" * 32 + b'","v":1'),
    (b',"v":1', b',"trace_id":"' + b"A" * 32 + b'","v":1'),
    (b',"v":1', b',"trace_id":"' + b"a" * 31 + b'","v":1'),
    (b'"n":7', b'"n":7,"resources_part":{"id":"' + b"0" * 36 + b'","number":1,"of":2}'),
    (b'"v":1', b'"user_agent":"a\x01","v":1'),
    (b'"v":1', b'"v":1,"x":1'),
    (b'"timestamp":"2', b'"timestamp":"0'),
    (b'"timestamp":"20', b'"timestamp":"2 '),
]


@pytest.mark.parametrize(("old", "new"), MUTATIONS)
def test_each_rule_holds_in_the_fast_way(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        log.append_many([{"action": "read", "n": 7, **EVENT}] * 20)
    bodies = [split_line(line).body for line in path.read_bytes().splitlines()]
    at = 12
    assert old in bodies[at]
    bodies[at] = bodies[at].replace(old, new)
    path.write_bytes(relink(bodies))
    report = both(path)
    # The chain itself is whole: what objects, if anything does, is the rule alone.
    assert {fault["kind"] for fault in report["faults"]} <= {"malformed"}
    for fault in report["faults"]:
        assert (fault["line"], fault["seq"]) == (at + 1, at)


@pytest.mark.parametrize("levels", [150, 300, 450, 600])
@pytest.mark.parametrize(("value", "ok"), [(b"1", True), (b"1.0", False), (b"0.50", False)])
def test_what_stands_deep_is_judged_too(
    tmp_path: Path, levels: int, value: bytes, ok: bool
) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        log.append_many([{"action": "read", "n": 7, **EVENT}] * 20)
    bodies = [split_line(line).body for line in path.read_bytes().splitlines()]
    deep = b'{"a":' * levels + value + b"}" * levels
    bodies[12] = bodies[12].replace(b'"n":7', b'"n":' + deep)
    path.write_bytes(relink(bodies))
    assert (verify(path).status == "intact") is ok
    if levels < 400:  # by the book, value by value, Python goes no deeper
        both(path)


def test_a_date_that_does_not_exist_is_found(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        log.append_many([{"action": "read", **EVENT, "timestamp": "2026-01-29T00:00:00Z"}] * 9)
    bodies = [split_line(line).body for line in path.read_bytes().splitlines()]
    for month, day, ok in (("02", "29", False), ("02", "28", True), ("04", "31", False)):
        bodies[5] = re.sub(rb"2026-\d\d-\d\d", f"2026-{month}-{day}".encode(), bodies[5])
        path.write_bytes(relink(bodies))
        assert (both(path)["status"] == "intact") is ok


# --- Parts.


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        for _ in range(4):
            log.append_many([{"action": "read", "n": n, **EVENT} for n in range(10_000)])
    return path


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["chained_logging.verify"], "_PART", 1 << 20)


def in_parts(*paths: Path, **options: Any) -> dict[str, Any]:
    reports = [dataclasses.asdict(verify(*paths, jobs=jobs, **options)) for jobs in (1, 3)]
    assert reports[0] == reports[1]
    return reports[1]


# Counts the processes at work; of the two ways to have one, the other is taken away.
IN_PARTS = """
import signal, sys, threading, chained_logging
module, path, way, because = sys.modules["chained_logging.verify"], *sys.argv[1:]
module._PART = module._LARGE_PART = 1 << 20
begun, begin = [], getattr(module, way)
module._Forked = module._Started = None
setattr(module, way, lambda task: begun.append(task) or begin(task))
if because == "ignored":  # as a parent may leave it, which then takes in the copies by itself
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
elif way == "_Started":
    threading.Thread(target=threading.Event().wait, daemon=True).start()
report = chained_logging.verify(path, jobs=3)
print(report.status, report.entries, len(begun), len(module._parts([path], 3)))
"""


@pytest.mark.parametrize(
    ("way", "because"), [("_Forked", "free"), ("_Started", "threads"), ("_Started", "ignored")]
)
def test_parts_are_for_copies_of_the_process_or_new_ones(
    tmp_path: Path, way: str, because: str
) -> None:
    if way == "_Forked" and sys.platform != "linux":
        way = "_Started"
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        log.append_many([{"action": "read", "n": n, **EVENT} for n in range(10_000)])
    command = [sys.executable, "-c", IN_PARTS, str(path), way, because]
    status, entries, begun, parts = subprocess.check_output(command, text=True).split()
    assert (status, entries) == ("intact", "10001")
    assert int(begun) == int(parts) > 3
    text = path.read_bytes()
    path.write_bytes(text.replace(b'"n":50}', b'"n":51}'))
    status, entries, begun, _ = subprocess.check_output(command, text=True).split()
    assert (status, entries, begun) == ("tampered", "10001", "3")  # no more once one says so


@pytest.mark.long
def test_parts_give_the_report_of_the_whole(large: Path, tmp_path: Path) -> None:
    report = in_parts(large)
    assert (report["status"], report["entries"]) == ("intact", 40_001)
    lines = large.read_bytes().splitlines(keepends=True)
    hash = json.loads(lines[30_000])["hash"]
    assert in_parts(large, to_hash=hash)["anchored_seq"] == 30_000
    assert in_parts(large, to_hash="0" * 64)["status"] == "tampered"
    copy = tmp_path / "copy.jsonl"
    for edited in (
        lines[:20_000] + lines[20_001:],
        [*lines[:33000], lines[33000].replace(b"user-1", b"user-2"), *lines[33001:]],
        lines[1:],
        lines[:20_000] + lines[30_000:],
        [*lines, lines[-1][:50]],
    ):
        copy.write_bytes(b"".join(edited))
        lacking = edited[0] != lines[0] or not edited[-1].endswith(b"\n")
        assert in_parts(copy)["status"] == ("incomplete" if lacking else "tampered")
    copy.write_bytes(b"".join(lines[20_000:]))
    assert in_parts(copy, from_hash=json.loads(lines[19_999])["hash"])["status"] == "intact"


@pytest.mark.long
def test_a_cut_at_each_line_near_a_seam_is_found(large: Path, tmp_path: Path) -> None:
    # Whatever line is missing where two parts meet, neither part alone can see it.
    import sys

    module = sys.modules["chained_logging.verify"]
    parts = module._parts([str(large)], 3)
    lines = large.read_bytes().splitlines(keepends=True)
    seam = large.read_bytes()[: parts[0]["end"]].count(b"\n")
    copy = tmp_path / "copy.jsonl"
    for missing in range(seam - 2, seam + 2):
        copy.write_bytes(b"".join(lines[:missing] + lines[missing + 1 :]))
        assert verify(copy, jobs=3).status == "tampered"


@pytest.mark.long
def test_parts_of_a_signed_log_join_to_its_tree(tmp_path: Path) -> None:
    path, first, second = tmp_path / "audit.jsonl", PrivateKey.generate(), PrivateKey.generate()
    with AuditLog(path, key=first, origin="example.com/o") as log:
        for number in range(40):
            log.append_many([{"action": "read", "n": n, **EVENT} for n in range(997)])
            log.checkpoint()
            if number == 20:
                log.rotate_key(second)
    pinned = {"public_key": verifier_key("example.com/o", first)}
    report = in_parts(path, **pinned)
    assert (report["status"], report["checkpoints"]) == ("intact", 41)
    assert report["signed_seq"] == report["last_seq"] == 40 * 997 + 1
    report = in_parts(path, public_key=verifier_key("example.com/o", second))
    assert (report["status"], report["pinned_seq"]) == ("intact", 21 * 997 + 1)
    stranger = verifier_key("example.com/o", PrivateKey.generate())
    assert in_parts(path, public_key=stranger)["status"] == "tampered"
    lines = path.read_bytes().splitlines(keepends=True)
    notes = path.with_name("audit.jsonl.checkpoints").read_bytes().splitlines(keepends=True)
    copy = tmp_path / "copy.jsonl"
    for edited, kept in (
        (lines[:-1], notes),
        (lines[:-1], notes[:-1]),
        (lines[:1] + relinked(lines[1:], b"user-1", b"user-2"), notes),
        (lines, [notes[5], *notes[:5]]),
        (lines, [line.replace(b"997", b"996") for line in notes]),
    ):
        copy.write_bytes(b"".join(edited))
        copy.with_name("copy.jsonl.checkpoints").write_bytes(b"".join(kept))
        in_parts(copy, **pinned)
    with AuditLog(path, key=second, sign="each") as log:
        log.append("read", **EVENT)
    assert in_parts(path, **pinned)["status"] == "intact"


def relinked(lines: list[bytes], old: bytes, new: bytes) -> list[bytes]:
    bodies = [split_line(line[:-1]).body.replace(old, new) for line in lines]
    return relink(bodies).splitlines(keepends=True)


# --- A log's name stands for its segments.


def test_segments_are_found_by_the_logs_name(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, max_bytes=3000) as log:
        for n in range(30):
            log.append(f"a-{n}", **EVENT)
    sealed = sorted(tmp_path.glob("audit.[0-9]*.jsonl"))
    assert len(sealed) > 3
    report = both(path)
    assert (report["status"], report["entries"]) == ("intact", 31)
    assert report["files"] == [str(name) for name in (*sealed, path)]
    assert both(sealed[0])["last_seq"] < 30  # a segment's own name stands for it alone
    away = tmp_path / "away"
    shutil.move(sealed[1], away)
    assert {fault["kind"] for fault in both(path)["faults"]} == {"missing"}
    shutil.move(away, sealed[1])
    path.rename(away)  # as a crash in the middle of sealing leaves it
    assert both(path)["status"] == "intact"
    path.touch()
    assert both(path)["status"] == "intact"


# --- Databases.


def test_rows_go_the_fast_way_too(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, origin="o") as log:
        log.append_many([{"action": "read", "n": n, **EVENT} for n in range(2000)])
    assert both(path)["entries"] == 2001
    db = sqlite3.connect(path, isolation_level=None)
    for name in ("no_update", "no_delete", "in_order"):
        db.execute(f"DROP TRIGGER entries_{name}")
    db.execute("CREATE TABLE plain AS SELECT seq, body, hash, signature FROM entries")
    db.execute("DROP TABLE entries")
    db.execute("PRAGMA legacy_alter_table = ON")  # triggers of other tables name this one
    db.execute("ALTER TABLE plain RENAME TO entries")
    clean = len(both(path)["faults"])
    for statement in (
        "UPDATE entries SET seq = 5000 WHERE seq = 1500",
        "UPDATE entries SET body = replace(body, 'user-1', 'user-2') WHERE seq = 900",
        "UPDATE entries SET body = CAST(body AS BLOB) WHERE seq = 900",
        "UPDATE entries SET hash = NULL WHERE seq = 900",
        "DELETE FROM entries WHERE seq = 777",
    ):
        db.execute("BEGIN")
        db.execute(statement)
        db.execute("COMMIT")
        assert len(both(path)["faults"]) > clean, statement
    db.close()


# --- Time and memory are in proportion to the bytes, whatever they hold.


@pytest.mark.parametrize(
    "value",
    [
        {f"k{number:04d}": 1 for number in range(1500)},
        {"a": '},"id":"' * 3000},
        {"a": "\\" * 15_000, "b": [[{}]] * 2000},
    ],
)
def test_many_shapes_take_no_more_than_few(tmp_path: Path, value: dict[str, Any]) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        log.append_many(
            {**EVENT, "action": "post", "context": {f"{n}{key}": v for key, v in value.items()}}
            for n in range(200)
        )
    lines = path.read_bytes().splitlines()
    began = time.process_time()
    assert verify(path).status == "intact"
    whole = time.process_time() - began
    # Each line fails at its very end, after all the ways in which it could match were tried.
    path.write_bytes(b"\n".join(line[:-2] + b'?"}' for line in lines) + b"\n")
    began = time.process_time()
    assert verify(path).status != "intact"
    assert time.process_time() - began < 20 * (whole + 0.1)


def worst_contexts() -> Iterator[str]:
    """Yield objects of nearly 64 KiB, of the shapes that take a parser longest."""
    chance = random.Random(1)
    floats = [
        f"{chance.randrange(1, 10)}.{chance.randrange(1, 10)}e-{n % 290 + 10}" for n in range(6000)
    ]
    for unit in ("[]", '{"a":1}', "[" * 200 + "]" * 200, "1e-7", "0.00001", '{"\U00010000":1}'):
        yield '{"a":[' + ",".join([unit] * (63_000 // (len(unit.encode()) + 1))) + "]}"
    yield '{"a":[' + ",".join(floats) + "]}"
    # And those that are not canonical: two keys the same, keys in no order, a space, a number.
    for unit, last in (
        ('{"a":1,"a":1}', "1"),
        ('{"b":1,"a":1}', "1"),
        ("[]", " 1"),
        ("1e-7", "1.0"),
    ):
        yield '{"a":[' + (unit + ",") * (63_000 // (len(unit) + 1)) + last + "]}"
    yield '{"a":"' + '\\"' * 31_000 + "}"


def test_the_worst_objects_take_no_more_than_20_times_sha256sum(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        log.append_many([{"action": "read", "context": {"n": 7}, **EVENT}] * 36)
    bodies = [split_line(line).body for line in path.read_bytes().splitlines()]
    shapes = list(worst_contexts())
    for number, body in enumerate(bodies[1:]):
        context = shapes[number % len(shapes)].encode()
        bodies[number + 1] = body.replace(b'{"n":7}', context)
    path.write_bytes(relink(bodies))
    bound = 20 * cpu_of(["sha256sum", path]) + 1
    for command in ([sys.executable, "-m", "chained_logging", "verify"], ALONE_COMMAND):
        said: list[str] = []
        assert cpu_of([*command, path, "--json"], said) < bound
        faults = json.loads(said[0])["faults"]
        assert {fault["kind"] for fault in faults} == {"malformed"}
        assert len(faults) == 5 * 3


@pytest.mark.parametrize("field", [b'"prev_hash":"', b'"hash":"', b'"ip_address":"'])
def test_a_line_feed_within_a_value_ends_the_line(tmp_path: Path, field: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="o") as log:
        log.append_many([{"action": "read", **EVENT}] * 20)
    lines = path.read_bytes().splitlines(keepends=True)
    at = lines[9].index(field) + len(field)
    lines[9] = lines[9][:at] + b"\n" + lines[9][at + 1 :]
    path.write_bytes(b"".join(lines))
    assert both(path)["faults"][0]["line"] == 10
