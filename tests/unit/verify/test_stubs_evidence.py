"""Evidence of a log with stubs: they are in it, explained, and nobody can hide an entry by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from evidence_packages import pack, retold, unpacked
from stubbed import OLD, Chain, SigningKey, merkle, stamp
from verifiers import ALONE, MODULE

from chained_logging.errors import BrokenLog, NoCheckpoint
from chained_logging.review import evidence as writer
from chained_logging.review.evidence import make_evidence
from chained_logging.review.filter import Filter

KEY = SigningKey("first")
STORES = ["log.jsonl", "log.db"]


@pytest.fixture(autouse=True)
def short_verifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "verifier", lambda: b"print()\n")


def usual() -> Chain:
    chain = Chain(KEY)
    chain.grow(40)
    chain.checkpoint()
    chain.purge([*range(5, 12), 14, 16], policy="hipaa")
    chain.purge([*range(20, 30)], policy="pci")
    chain.grow(3)
    chain.checkpoint()
    return chain


Make = Callable[..., Path]


@pytest.fixture(params=STORES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    def make(text: str, chain: Chain | None = None, **options: Any) -> Path:
        path = (chain or usual()).write(tmp_path / request.param)
        target = tmp_path / f"evidence-{len([*tmp_path.iterdir()])}.zip"
        make_evidence(str(path), target, Filter.parse(text), **options)
        return target

    return make


def check(package: Path) -> Any:
    reports = [module.verify_evidence(package, public_key=KEY.vkey) for module in (MODULE, ALONE)]
    if not reports[1].unchecked_signatures:
        assert reports[0].to_dict() == reports[1].to_dict()
    return reports[0]


def said(report: Any) -> str:
    return "\n".join(f"{fault.kind} {fault.seq}: {fault.reason}" for fault in report.faults)


def second(number: int) -> str:
    return stamp(OLD + timedelta(seconds=number))


@pytest.mark.parametrize(
    ("text", "first", "last", "stubs"),
    [
        ("", 0, 45, 19),
        ("seq=3-13", 3, 13, 7),
        ("seq=6-9", 6, 9, 4),
        ("seq=5-", 5, 45, 19),
        (f"since={second(12)}&until={second(14)}", 5, 14, 8),
        ("seq=12", 12, 12, 0),
        (f"since={second(7)}&until={second(19)}", 5, 18, 9),
        (f"since={second(7)}&until={second(25)}", 5, 29, 19),
        (f"since={second(7)}&until={second(25)}&seq=8-22", 8, 22, 9),
    ],
)
def test_a_period_holds_its_stubs_and_what_explains_them(
    made: Make, text: str, first: int, last: int, stubs: int
) -> None:
    package = made(text)
    report = check(package)
    assert report.status == "intact", said(report)
    assert (report.first_seq, report.last_seq, report.stubs) == (first, last, stubs)
    assert report.entries + report.stubs == last - first + 1
    assert report.whole
    files = unpacked(package)
    if stubs:
        assert f"{stubs} of them purged" in files["README.txt"].decode()
        assert any("purged under policy" in text for text in report.remarks)
    timed = any("purged entries bear a time" in text for text in report.unproven)
    assert timed is ("since" in text and stubs > 0)


def test_a_sample_of_a_period_may_draw_stubs(made: Make) -> None:
    for text in ("", "seq=6-28", f"since={second(7)}&until={second(25)}"):
        package = made(text, sample=12)
        report = check(package)
        assert report.status == "intact", said(report)
        claim = json.loads(unpacked(package)["manifest.json"])
        assert report.entries + report.stubs == 12
        assert report.stubs == claim.get("purged", 0)


def test_another_filter_chooses_among_what_is_there(made: Make) -> None:
    package = made("actor=ann")
    report = check(package)
    assert report.status == "intact", said(report)
    assert (report.entries, report.stubs) == (24, 0)
    assert any("no other entry of the log fits" in text for text in report.unproven)


def changed(package: Path, name: str, lines: list[bytes], **claim: Any) -> Path:
    files = {**unpacked(package), name: b"".join(line + b"\n" for line in lines)}
    return pack(package.with_suffix(".changed"), retold(files, claim))


def test_a_stub_in_the_place_of_an_entry_is_named(made: Make) -> None:
    package, chain = made("seq=3-13"), usual()
    lines = unpacked(package)["entries.jsonl"].splitlines()
    chain.stubs.add(13)
    statement = "11 of 46 entries of this log, 8 of them purged, chosen by this filter: seq 3-13"
    report = check(
        changed(
            package, "entries.jsonl", [*lines[:-1], chain.line(13)], purged=8, statement=statement
        )
    )
    assert report.status == "tampered"
    assert "left of entry 13, and no retention.apply explains it" in said(report)


def test_stubs_whose_explanation_was_left_out_are_named(made: Make) -> None:
    package = made("seq=3-13")
    lines = unpacked(package)["keys.jsonl"].splitlines()
    report = check(changed(package, "keys.jsonl", lines[:1]))
    assert report.status == "tampered"


def test_the_number_of_stubs_is_what_the_claim_says(made: Make) -> None:
    package = made("seq=3-13")
    lines = unpacked(package)["entries.jsonl"].splitlines()
    statement = "11 of 46 entries of this log, 6 of them purged, chosen by this filter: seq 3-13"
    report = check(changed(package, "entries.jsonl", lines, purged=6, statement=statement))
    assert report.status == "tampered"
    assert "7 of them purged" in said(report)


def test_another_hash_in_a_stub_is_named(made: Make) -> None:
    package, chain = made("seq=3-13"), usual()
    lines = unpacked(package)["entries.jsonl"].splitlines()
    lines[4] = lines[4].replace(chain.hashes[7].encode(), b"ab" * 32)
    report = check(changed(package, "entries.jsonl", lines))
    assert report.status == "tampered"
    assert "rewritten" in {fault.kind for fault in report.faults}, said(report)


def test_a_checkpoint_before_the_explanation_is_refused(made: Make) -> None:
    with pytest.raises(NoCheckpoint, match="must have a checkpoint over entry 41"):
        made("seq=3-13", size=41)


def test_a_log_with_a_stub_that_nothing_explains_gives_no_evidence(made: Make) -> None:
    chain = usual()
    chain.stubs.add(33)
    with pytest.raises(BrokenLog, match="broken at seq 33"):
        made("", chain)


def test_a_forged_explanation_in_evidence_is_named(made: Make) -> None:
    chain = usual()
    chain.purge([33], statement="AAAA")
    chain.stubs.discard(33)
    chain.checkpoint()
    package = made("seq=30-35", chain)
    chain.stubs.add(33)
    lines = unpacked(package)["entries.jsonl"].splitlines()
    lines[3] = chain.line(33)
    statement = "6 of 47 entries of this log, 1 of them purged, chosen by this filter: seq 30-35"
    first = unpacked(package)["keys.jsonl"].splitlines()
    files = unpacked(package)
    files["keys.jsonl"] = b"\n".join([*first, chain.line(46)]) + b"\n"
    files["entries.jsonl"] = b"\n".join(lines) + b"\n"
    files["proof.txt"] = proof(chain, {0, *range(29, 37), 42, 46})
    report = check(
        pack(package.with_suffix(".c"), retold(files, {"purged": 1, "statement": statement}))
    )
    assert report.status == "tampered"
    assert "it holds no statement of the log's key" in said(report), said(report)


def proof(chain: Chain, seqs: set[int]) -> bytes:
    """Return `proof.txt` for some entries."""
    import base64

    def parts(begin: int, end: int) -> list[bytes]:
        if not any(begin <= seq < end for seq in seqs):
            return [merkle(chain.leaves[begin:end])]
        if end - begin == 1:
            return []
        middle = begin + (1 << ((end - begin - 1).bit_length() - 1))
        return parts(begin, middle) + parts(middle, end)

    return b"".join(base64.b64encode(hash) + b"\n" for hash in parts(0, len(chain)))
