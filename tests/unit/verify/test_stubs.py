"""Stubs: what retention left is intact where an entry of the log explains it, and nowhere else."""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chains import often
from hypothesis import given, settings
from hypothesis import strategies as st
from stubbed import NOW, OLD, Chain, SigningKey, runs, stamp
from verifiers import ALONE, MODULE, parts_of

KEY, NEXT, EVIL = SigningKey("first"), SigningKey("next"), SigningKey("evil")
KINDS = {"no key": (None, False), "checkpoints": (KEY, False), "each": (KEY, True)}
STORES = ["log.jsonl", "log.db"]


def chain_of(kind: str) -> Chain:
    key, each = KINDS[kind]
    return Chain(key, each=each)


def reports(path: Path, *others: Path, **options: Any) -> list[Any]:
    """Verify in each way there is; all of them must come to the same end."""
    found = [
        module.verify(path, *others, careful=careful, jobs=jobs, **options)
        for module in (MODULE, ALONE)
        for careful, jobs in ((False, 1), (True, 1), (False, 3))
    ]
    if found[0].unchecked_signatures == 0:
        assert all(asdict(each) == asdict(found[0]) for each in found)
    return found


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    parts_of(2000, monkeypatch)


def intact(path: Path, *others: Path, **options: Any) -> Any:
    found = reports(path, *others, **options)
    for each in found:
        assert (each.status, each.reason, each.faults) == ("intact", None, [])
    return found[0]


def broken(path: Path, *others: Path, **options: Any) -> Any:
    found = reports(path, *others, **options)
    assert {each.status for each in found} == {"tampered"}
    return found[0]


def said(report: Any) -> str:
    return "\n".join(f"{fault.kind} {fault.seq}: {fault.reason}" for fault in report.faults)


@st.composite
def purged(draw: st.DrawFn) -> tuple[Chain, str, int]:
    """A log from which several entries removed some, with holes anywhere, each in its time."""
    chain = chain_of(draw(st.sampled_from(sorted(KINDS))))
    chain.grow(draw(st.integers(1, 40)))
    note, early = "", set()
    for _ in range(draw(st.integers(1, 4))):
        if chain.key is not None and not note:
            note = chain.checkpoint()
        own = {seq for seq, body in enumerate(chain.bodies) if b"chained_logging" in body}
        free = sorted({*range(len(chain) - 1)} - own - chain.stubs - early)
        if free:
            seqs = draw(st.sets(st.sampled_from(free), min_size=1))
            chain.purge(seqs, policy=draw(st.sampled_from(["hipaa", "pci"])), stub=False)
            chain.stubs |= seqs  # all of them, or a kill was in between
            left = draw(st.sets(st.sampled_from(sorted(seqs))) | st.just(set()))
            chain.stubs -= left
            early |= left
        chain.grow(draw(st.integers(0, 9)))
    if chain.key is not None:
        chain.checkpoint()
    return chain, note, len(early)


@pytest.mark.parametrize("name", STORES)
@settings(max_examples=often(60), deadline=None)
@given(purged())
def test_what_retention_left_is_intact_and_all_that_vouched_before_still_does(
    name: str, made: tuple[Chain, str, int]
) -> None:
    chain, note, left = made
    with tempfile.TemporaryDirectory() as folder:
        path = chain.write(Path(folder) / name)
        outside = []
        if note:
            outside = [Path(folder) / "kept.note"]
            outside[0].write_text(note)
        report = reports(path, checkpoints=outside)[0]
    assert report.status == "intact", said(report)
    assert (report.entries, report.stubs) == (len(chain) - len(chain.stubs), len(chain.stubs))
    assert sum(found["entries"] for found in report.purged) == len(chain.stubs)
    assert report.last_seq == len(chain) - 1
    for found in report.purged:
        assert found["signed"] is (chain.key is not None)
        told = [text for text in report.remarks if f"policy {found['policy']} " in text]
        assert told
        assert f"{found['entries']:,} entries" in told[0]
    assert any("still there" in text for text in report.remarks) is (left > 0)
    if note:
        assert report.anchored_seq is not None
        assert report.signed_seq == len(chain) - 1


def usual(kind: str) -> Chain:
    """Return a log with a run of stubs, stubs one by one, and entries between."""
    chain = chain_of(kind)
    chain.grow(40)
    if chain.key is not None:
        chain.checkpoint()
    chain.purge([*range(5, 12), 14, 16, *range(20, 30)])
    chain.grow(3)
    return chain


def without(chain: Chain, *seqs: int) -> list[bytes]:
    return [line for seq, line in enumerate(chain.lines()) if seq not in seqs]


def changed(chain: Chain, seq: int) -> list[bytes]:
    """Return the lines, one of which is a stub with another hash."""
    lines = chain.lines()
    lines[seq] = lines[seq].replace(chain.hashes[seq].encode(), b"ab" * 32)
    return lines


TAMPERED: dict[str, tuple[Callable[[Chain], Any], str]] = {
    "a stub is gone": (lambda c: without(c, 14), "entry 14 is missing"),
    "a run of stubs is gone": (lambda c: without(c, *range(20, 30)), "20 to 29 are missing"),
    "an entry is gone": (lambda c: without(c, 33), "entry 33 is missing"),
    "a stub that nothing names": (lambda c: c.stubs.add(34), "no retention.apply explains"),
    "a stub beside a range": (lambda c: c.stubs.add(30), "nothing but stubs is left of entry 30"),
    "a hash at the edge of a run": (lambda c: changed(c, 11), "its root is not that of"),
    "a hash in the middle of a run": (lambda c: changed(c, 8), "its root is not that of"),
    "a hash at the first of a run": (lambda c: changed(c, 20), "its root is not that of"),
    "a second stub of a place": (
        lambda c: [*c.lines()[:9], c.line(8), *c.lines()[9:]],
        "appears here a second time",
    ),
    "stubs in another order": (
        lambda c: [*c.lines()[:22], c.line(23), c.line(22), *c.lines()[24:]],
        "comes after seq",
    ),
    "genesis": (lambda c: c.stubs.add(0), "no retention.apply explains"),
    "the entry that removed": (lambda c: c.stubs.add(41), "no retention.apply explains"),
    "the end is cut, with the entry that says why": (
        lambda c: c.lines()[:41],
        "no retention.apply explains",
    ),
    "the end is cut amid stubs": (lambda c: c.lines()[:25], "no retention.apply explains"),
}


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", TAMPERED)
def test_what_somebody_does_to_a_log_with_stubs_is_named(
    tmp_path: Path, what: str, kind: str, name: str
) -> None:
    chain, (tamper, words) = usual(kind), TAMPERED[what]
    intact(chain.write(tmp_path / name))
    lines = tamper(chain)
    if name == "log.db" and what in ("a second stub of a place", "stubs in another order"):
        pytest.skip("a database has one row for each place, in order")
    report = broken(chain.write(tmp_path / name, lines))
    assert words in said(report), said(report)


def late(**changes: Any) -> Callable[[Chain], Any]:
    return lambda chain: chain.purge([31, 32], **changes)


def touching(chain: Chain) -> None:
    chain.purge([31, 32, 33], ranges=[[31, 31], [32, 33]])


def by_another(chain: Chain) -> None:
    chain.purge([31], fields={"actor_id": "mallory", "actor_type": "admin", "ip_address": "::1"})


def of_itself(chain: Chain) -> None:
    chain.purge([31, 32], ranges=[[31, 32], [len(chain), len(chain)]], count=3)


def after_itself(chain: Chain) -> None:
    seq = len(chain)
    chain.purge([31], ranges=[[31, 31], [seq + 2, seq + 2]], count=2)
    chain.grow(4)
    chain.stubs.add(seq + 2)


BAD_APPLY: dict[str, tuple[Callable[[Chain], Any], str]] = {
    "another root": (late(root="ab" * 32), "its root is not that of"),
    "a root of other entries": (lambda c: late(root=c.apply_context([33, 34])["root"])(c), "root"),
    "another count": (late(count=3), "its count says otherwise"),
    "no count": (late(count=...), "a key of its context is not there"),
    "too few days have passed": (late(days=2201), "had not passed since then"),
    "one microsecond is lacking": (
        late(days=2200, before=stamp(NOW - timedelta(days=2200) + timedelta(microseconds=1))),
        "had not passed",
    ),
    "no such day": (late(before="2019-02-30T00:00:00.000000Z"), "not a time"),
    "days that end no time": (late(days=10**15), "number of days"),
    "days that are true": (late(days=True), "number of days"),
    "no days": (late(days=...), "number of days"),
    "ranges that touch": (touching, "its ranges are not pairs"),
    "ranges that fall": (late(ranges=[[32, 32], [31, 31]]), "its ranges are not pairs"),
    "a range that falls": (late(ranges=[[32, 31]]), "its ranges are not pairs"),
    "a range of texts": (late(ranges=[["31", "32"]]), "its ranges are not pairs"),
    "genesis": (lambda c: c.purge([0, 1]), "its ranges are not pairs"),
    "itself": (of_itself, "comes not after it"),
    "what comes after it": (after_itself, "comes not after it"),
    "what was named before": (lambda c: c.purge([8, 31]), "names entry 8, as one before it does"),
    "what was named before, in a run": (
        lambda c: c.purge(range(29, 33)),
        "names entry 29, as one before it does",
    ),
    "by another actor": (by_another, "no retention.apply explains"),
    "of another log": (late(origin="example.com/other"), "it is of another log"),
    "no policy": (late(policy=""), "a key of its context"),
    "a selector of what no entry has": (late(selector={"colour": ["red"]}), "a key of its context"),
    "an endless range": (late(ranges=[[31, 2**53 - 1]], count=2**53 - 31), "comes not after it"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", BAD_APPLY)
def test_an_entry_that_breaks_a_rule_explains_nothing(tmp_path: Path, what: str, kind: str) -> None:
    chain, (make, words) = usual(kind), BAD_APPLY[what]
    make(chain)
    chain.grow(2)
    report = broken(chain.write(tmp_path / "log.jsonl"))
    assert words in said(report), said(report)
    assert "retention" in {fault.kind for fault in report.faults}


def moved(chain: Chain) -> None:
    """A statement that the key made for another place."""
    context = chain.apply_context([31])
    context["statement"] = chain.statement(context, KEY)
    chain.grow(1)
    chain.purge([31], statement=context["statement"])


def of_other_words(chain: Chain) -> None:
    context = chain.apply_context([31])
    chain.purge([31], policy="mine", statement=chain.statement(context, KEY))


def rotate(chain: Chain) -> int:
    head = f"chained-logging key.rotate v1\nexample.com/audit/kept\n{len(chain)}\n{chain.prev}\n"
    about = {
        "origin": "example.com/audit/kept",
        "old_public_key": KEY.vkey,
        "public_key": NEXT.vkey,
        "statement": KEY.sign(f"{head}{KEY.vkey}\n{NEXT.vkey}\n"),
    }
    seq = chain.own("key.rotate", about)
    chain.checkpoint()
    chain.key = NEXT
    return seq


def of_a_later_key(chain: Chain) -> None:
    chain.purge([31], by=NEXT)
    rotate(chain)


def of_an_earlier_key(chain: Chain) -> None:
    rotate(chain)
    chain.purge([31], by=KEY)


FORGED: dict[str, Callable[[Chain], Any]] = {
    "no statement": late(statement=...),
    "a statement of nobody's": late(statement="AAAA"),
    "a number for a statement": late(statement=1),
    "a statement of another key": late(by=EVIL),
    "a statement for another place": moved,
    "a statement about another policy": of_other_words,
    "a statement of a later key": of_a_later_key,
    "a statement of an earlier key": of_an_earlier_key,
    "in a tail that nothing signs": lambda c: c.purge(
        [31], statement=..., fields={"signed": False}
    ),
}


@pytest.mark.parametrize("kind", ["checkpoints", "each"])
@pytest.mark.parametrize("what", FORGED)
def test_who_has_no_key_removes_nothing(tmp_path: Path, what: str, kind: str) -> None:
    chain = usual(kind)
    FORGED[what](chain)
    chain.checkpoint()  # a writer who does not look may have sealed it
    path = chain.write(tmp_path / "log.jsonl")
    for pinned in (None, KEY.vkey):
        found = MODULE.verify(path, public_key=pinned)
        assert found.status == "tampered"
        assert "statement" in said(found), said(found)
        assert "of entry 31" in said(found) or "31 to 32" in said(found)


def test_a_statement_of_the_key_of_its_time_counts_after_a_rotation(tmp_path: Path) -> None:
    chain = usual("checkpoints")
    rotate(chain)
    chain.purge([31, 33])
    chain.checkpoint()
    report = intact(chain.write(tmp_path / "log.jsonl"))
    assert report.stubs == 21


def test_a_rotation_that_was_made_a_stub_is_named(tmp_path: Path) -> None:
    chain = usual("checkpoints")
    seq = rotate(chain)
    chain.grow(2)
    chain.purge([seq, 33])
    chain.checkpoint()
    found = MODULE.verify(chain.write(tmp_path / "log.jsonl"))
    assert found.status == "tampered"
    assert "statement is not of the log's key" in said(found)


def test_the_signature_of_a_stub_is_checked(tmp_path: Path) -> None:
    chain = usual("each")
    chain.signatures[8] = chain.signatures[9]
    found = MODULE.verify(chain.write(tmp_path / "log.jsonl"))
    assert [(fault.kind, fault.seq) for fault in found.faults] == [("signature", 8)]


@pytest.mark.parametrize("name", STORES)
def test_another_body_in_the_place_of_a_stub_is_named(tmp_path: Path, name: str) -> None:
    chain = usual("no key")
    other = Chain()
    other.grow(7)
    other.add(action="forged", prev_hash=chain.hashes[7])
    lines = chain.lines()
    lines[8] = other.line(8)
    report = broken(chain.write(tmp_path / name, lines))
    assert "its root is not that of" in said(report)


def test_the_body_itself_in_the_place_of_its_stub_is_said_to_be_there(tmp_path: Path) -> None:
    chain = usual("checkpoints")
    chain.stubs -= {8, 21}
    report = intact(chain.write(tmp_path / "log.jsonl"))
    assert [text for text in report.remarks if "still there" in text] == [
        "2 entries that entry 41 names are still there: run the command retention apply, which "
        "removes them"
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_head_does_not_pass_for_retention(tmp_path: Path, kind: str) -> None:
    chain = usual(kind)
    for cut in (1, 6, 25):
        for found in reports(chain.write(tmp_path / "log.jsonl", chain.lines()[cut:])):
            assert found.status in ("incomplete", "tampered"), found.status
            assert "cut-front" in {fault.kind for fault in found.faults}


@pytest.mark.parametrize("cut", [5, 8, 13, 30, 44])
def test_parts_of_a_log_meet_at_stubs_too(tmp_path: Path, cut: int) -> None:
    chain = usual("checkpoints")
    chain.purge([31, 43])
    chain.checkpoint()
    lines = chain.lines()
    one = tmp_path / f"log.{cut:020}.jsonl"
    one.write_bytes(b"".join(line + b"\n" for line in lines[:cut]))
    path = chain.write(tmp_path / "log.jsonl", lines[cut:])
    report = intact(path)
    assert (report.stubs, report.entries) == (21, len(chain) - 21)


def test_the_hash_before_the_first_line_is_not_compared_with_a_stub(tmp_path: Path) -> None:
    chain = usual("no key")
    path = chain.write(tmp_path / "log.jsonl", chain.lines()[8:])
    for found in reports(path, from_hash=chain.hashes[7]):
        assert found.status == "unchecked"
        assert "--from-hash cannot be compared" in str(found.reason)
    path = chain.write(tmp_path / "log.jsonl", chain.lines()[13:])
    for found in reports(path, from_hash=chain.hashes[12]):
        assert found.status == "unchecked"
        assert "the root of entry 41" in str(found.reason)
    path = chain.write(tmp_path / "log.jsonl", chain.lines()[31:])
    for found in reports(path, from_hash=chain.hashes[30]):
        assert found.status == "intact"
        assert "its root was not checked" in found.remarks[0]


LINES = [
    b'{"hash":"%s","seq":8 }',
    b'{"seq":8,"hash":"%s"}',
    b'{"hash":"%s","seq":08}',
    b'{"hash":"%s","seq":8,"signature":""}',
    b'{"hash":"%s","seq":8,"signature":null}',
    b'{"hash":"%s","seq":8,"policy":"hipaa"}',
    b'{"hash":"%s"}',
    b'{"hash":"%s","seq":-8}',
    b'{"hash":"%s","seq":8}\r',
]


@pytest.mark.parametrize("form", LINES)
def test_no_other_form_is_a_stub(tmp_path: Path, form: bytes) -> None:
    chain = usual("no key")
    lines = chain.lines()
    lines[8] = form % chain.hashes[8].encode()
    report = broken(chain.write(tmp_path / "log.jsonl", lines))
    assert {fault.kind for fault in report.faults} & {"malformed", "edited"}


def streamed(chain: Chain) -> Iterator[bytes]:
    yield from chain.lines()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_store_returns_is_judged_as_a_file_is(kind: str) -> None:
    chain = usual(kind)
    stream = MODULE.Stream("a store", streamed(chain))
    assert MODULE.verify(stream=stream).status == "intact"
    chain.stubs -= {8, 21}
    report = MODULE.verify(stream=MODULE.Stream("a store", streamed(chain)))
    assert report.status == "intact"
    assert any("2 entries that entry 41 names are still there" in text for text in report.remarks)
    chain.stubs.add(33)
    report = MODULE.verify(stream=MODULE.Stream("a store", streamed(chain)))
    assert [(fault.kind, fault.seq) for fault in report.faults] == [("retention", 33)]


def test_an_entry_that_is_never_removed_is_not_named_even_if_it_is_there(tmp_path: Path) -> None:
    chain = usual("no key")
    chain.purge([31, 41], stub=False)
    report = broken(chain.write(tmp_path / "log.jsonl"))
    assert "it names entry 41, which is never removed" in said(report)


def test_a_revoked_key_lets_nothing_go(tmp_path: Path) -> None:
    chain = usual("checkpoints")
    about = {"resource_id": KEY.vkey, "resource_type": "key"}
    chain.own("key.revoke", {"origin": "example.com/audit/kept"}, **about)
    chain.purge([31])
    chain.checkpoint()
    found = MODULE.verify(chain.write(tmp_path / "log.jsonl"))
    assert found.status == "tampered"
    assert "the log's key was revoked before it" in said(found)


@pytest.mark.parametrize("kind", ["no key", "checkpoints"])
def test_a_deep_context_and_odd_words_are_no_trouble(tmp_path: Path, kind: str) -> None:
    for odd in ({"clause": ["x"]}, {"standard": {"a": 1}}, {"policy": ["hipaa"]}):
        chain = usual(kind)
        chain.purge([31], **odd)
        assert "retention" in said(broken(chain.write(tmp_path / "log.jsonl")))
    chain = usual(kind)
    seq = chain.purge([31], more="DEEP", policy="p" * 9000)
    body = chain.bodies[seq].replace(b'"DEEP"', b"[" * 20_000 + b"]" * 20_000)
    chain.bodies[seq] = body
    chain.hashes[seq] = hashlib.sha256(b"\0" + body).hexdigest()
    for found in reports(chain.write(tmp_path / "log.jsonl")):
        assert found.status in ("intact", "tampered")
        assert all(len(text) < 1000 for text in found.remarks)


def test_a_silence_is_not_told_where_entries_were_removed(tmp_path: Path) -> None:
    chain = Chain()
    chain.add(id="018f0000-0000-7000-8000-000000000001")
    chain.add(id="01900000-0000-7000-8000-000000000002")
    chain.add(id="01910000-0000-7000-8000-000000000003")
    path = chain.write(tmp_path / "log.jsonl")
    assert {fault.kind for fault in MODULE.verify(path, max_gap=3600).faults} == {"silence"}
    chain.add(id="01910000-0000-7000-8000-000000000004")
    chain.purge([2, 3], fields={"id": "01910000-0000-7000-8000-000000000005"})
    assert MODULE.verify(chain.write(path), max_gap=3600).status == "intact"


def hostile(count: int) -> dict[str, list[bytes]]:
    """Return files of stubs and what names them, of the shapes that take the longest."""
    chain = Chain()
    chain.grow(1)
    first = chain.lines()

    def stub(seq: int) -> bytes:
        return b'{"hash":"%s","seq":%d}' % (b"ab" * 32, seq)

    def applies(ranges: list[list[int]], after: list[bytes], seq: int) -> list[bytes]:
        made = Chain()
        made.bodies, made.hashes = [b""] * seq, ["ab" * 32] * seq
        made.signatures = [None] * seq
        named = 0
        for number in range(count // 50):
            found = ranges or [[2 + number, 2 + number], [seq - 1, seq - 1]]
            named = sum(last - low + 1 for low, last in found)
            context = {"ranges": found, "count": named, "root": "ab" * 32}
            made.purge([], stub=False, **context)
        return [*first, *after, *(made.line(at) for at in range(seq, len(made)))]

    stubs = [stub(seq) for seq in range(2, count)]
    return {
        "unexplained": first + stubs,
        "with holes": first + [stub(3 * seq) for seq in range(1, count)],
        "backwards": first + stubs[::-1],
        "named again": applies([[2, count - 1]], stubs, count),
        "named in part": applies([], [stub(3 * seq) for seq in range(1, count)], 3 * count),
    }


@pytest.mark.parametrize("shape", sorted(hostile(100)))
def test_what_somebody_piles_up_takes_time_in_proportion(tmp_path: Path, shape: str) -> None:
    took = []
    for count in (3000, 12_000):
        path = tmp_path / f"{count}.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in hostile(count)[shape]))
        began = time.process_time()
        assert MODULE.verify(path).status == "tampered"
        took.append(time.process_time() - began)
    assert took[1] < 10 * (took[0] + 0.1)


def test_the_ranges_of_the_helper_are_those_of_the_format() -> None:
    assert runs([3, 1, 2, 7]) == [[1, 3], [7, 7]]
    assert OLD < NOW
    assert sys.version_info >= (3, 9)
