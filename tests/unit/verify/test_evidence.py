"""A package of evidence is checked without the log, and whatever was changed in it is named.

The attacker has no key of the log, but the log, the writer and all hashes.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import random
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import rfc8785
from authority import DAY, NOW, Authority, Issued
from chains import EVENT
from evidence_packages import make_log, pack, retold, unpacked
from note_keys import WITNESS, WITNESS_KEY
from signed_logs import ORIGIN, Key, append_lines, own, pin
from thorough import some
from verifiers import ALONE, ALONE_COMMAND, MODULE

from chained_logging import AuditLog, verify
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.line import leaf_hash, stored_line
from chained_logging.format.merkle import root
from chained_logging.format.note import Note, cosign, sign_note
from chained_logging.review import evidence as writer
from chained_logging.review.evidence import make_evidence
from chained_logging.review.filter import Filter
from chained_logging.review.selection import Selection, drawn

KEY = Key()


@pytest.fixture(autouse=True)
def short_verifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier in the packages is short here: it is content like any other."""
    monkeypatch.setattr(writer, "verifier", lambda: b"print()\n")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_log(tmp_path_factory.mktemp("log") / "audit.db", KEY)


@pytest.fixture
def made(log: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a package."""

    def make(text: str = "", **options: Any) -> Path:
        target = tmp_path / f"evidence-{len([*tmp_path.iterdir()])}.zip"
        make_evidence(str(log), target, Filter.parse(text), **options)
        return target

    return make


def check(package: Path, **options: Any) -> Any:
    """Check a package with both verifiers, which must agree, and return the report."""
    reports = [module.verify_evidence(package, **options) for module in (MODULE, ALONE)]
    assert reports[0].to_dict() == reports[1].to_dict()
    return reports[0]


def faults(package: Path, **options: Any) -> set[tuple[str, int | None]]:
    """Return kind and seq of what is named, where something must be."""
    report = check(package, **options)
    assert report.status == "tampered", report
    return {(fault.kind, fault.seq) for fault in report.faults}


FILTERS = [
    "",
    "seq=7",
    "seq=10-20",
    "since=2020-01-01",
    "actor=user-1&actor=user-3&action=read",
    "resource=patient_record/3",
    "resource=patient_record",
    "changed=name&text=treat*",
    "text=TREATMENT%205&result=success",
    "actor_type=system",
]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x (this is all of it)", '"x (this is all of it)"'),
        ('a"b', '"a\\"b"'),
        ("x;y", '"x;y"'),
        ("Müller", "Müller"),
    ],
)
def test_a_value_of_the_filter_reads_as_a_value(
    made: Callable[..., Path], value: str, said: str
) -> None:
    package = made(f"actor=user-1&actor={quote(value)}")
    assert check(package).status == "intact"
    words = [said if one == value else one for one in sorted([value, "user-1"])]
    assert check(package).statement.endswith(f": actor {' or '.join(words)}")


@pytest.mark.parametrize("text", FILTERS)
@pytest.mark.parametrize(
    "options", [{}, {"sample": 3}, {"key": KEY}], ids=["all", "a sample", "signed"]
)
def test_what_was_made_is_intact(
    made: Callable[..., Path], text: str, options: dict[str, Any]
) -> None:
    report = check(made(text, **options), public_key=pin(KEY), origin=ORIGIN)
    assert (report.status, report.fault_count) == ("intact", 0), report.faults
    assert report.pinned
    assert report.signed_seq == 40
    assert report.size == 41
    assert f"{report.entries} of 41 entries of this log" in report.statement
    assert report.whole is (
        text.partition("=")[0] in ("", "seq", "since") and "sample" not in options
    )
    assert report.claim_signed is ("key" in options)


def test_the_file_alone_checks_it_without_any_package(made: Callable[..., Path]) -> None:
    package = made("seq=10-20")
    done = subprocess.run(
        [*ALONE_COMMAND, "--evidence", package], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("INTACT\n  11 of 41 entries of this log")
    assert "nothing is left out between these numbers" in done.stdout
    assert "1 signatures NOT CHECKED" in done.stdout
    pinned = package.with_name("log.vkey")
    pinned.write_text(pin(KEY))
    command = [*ALONE_COMMAND, "--evidence", package, "--public-key", pinned]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("NOT CHECKED: 1 signatures NOT CHECKED")


# --- Any byte.


@pytest.mark.parametrize("options", some([{"key": KEY}, {}], 2), ids=["signed", "unsigned"])
def test_any_byte_changed_is_named(made: Callable[..., Path], options: dict[str, Any]) -> None:
    package = made("seq=3-4", **options)
    whole = package.read_bytes()
    assert check(package).intact
    changed = package.with_name("changed.zip")
    choice = random.Random(1)
    for at, byte in enumerate(whole):
        other = byte ^ (1 << choice.randrange(8))
        changed.write_bytes(whole[:at] + bytes([other]) + whole[at + 1 :])
        report = MODULE.verify_evidence(changed)
        assert report.status == "tampered" or (report.status == "unchecked" and at < 4), at
        assert report.faults or report.reason


def test_what_is_cut_off_added_or_moved_is_named(made: Callable[..., Path]) -> None:
    package = made("seq=3-4")
    whole = package.read_bytes()
    for end in [*range(0, len(whole), 97), len(whole) - 1]:
        package.write_bytes(whole[:end])
        assert not check(package).intact, end
    for data in (whole + b"\0", b"\0" + whole, whole + whole, whole[:30] + b"\0" + whole[30:]):
        package.write_bytes(data)
        assert not check(package).intact


CONTENT = ("entries", "around", "keys", "proof", "checkpoint", "public-keys", "README", "manifest")


@pytest.mark.parametrize("name", CONTENT)
def test_any_byte_of_content_is_named_though_all_hashes_fit(
    made: Callable[..., Path], name: str
) -> None:
    package = made("seq=3-4")
    files = unpacked(package)
    (file,) = [each for each in files if each.startswith(f"{name}.")]
    choice = random.Random(name)
    offsets = range(len(files[file]))
    for at in choice.sample(offsets, min(len(offsets), 400)):
        content = bytearray(files[file])
        content[at] ^= 1 << choice.randrange(8)
        changed = retold({**files, file: bytes(content)}) if name != "manifest" else dict(files)
        if name == "manifest":
            changed[file] = bytes(content)
        report = MODULE.verify_evidence(pack(package, changed))
        assert report.status == "tampered", (at, content)


# --- What was left out.


def leave_out(
    monkeypatch: pytest.MonkeyPatch, *, without: int, first: int, last: int, admit: bool
) -> None:
    """Make the writer leave an entry out of a period.

    :param admit: whether it counts right, and not as if the entry were there.
    """

    class Leaving(Selection):
        def claim(self) -> dict[str, Any]:
            claim = super().claim()
            if not admit:
                claim |= {"entries": last - first + 1}
            return claim

    def of(wanted: Filter, fitting: Any, size: int, *others: object) -> Selection:
        chosen = [seq for seq in range(first, last + 1) if seq != without]
        return Leaving(wanted, size, range(first, last + 1), chosen)

    monkeypatch.setattr(writer.Selection, "of", of)


@pytest.mark.parametrize("without", [10, 15, 20])
@pytest.mark.parametrize("admit", [True, False])
def test_an_entry_left_out_of_a_period_is_named(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, without: int, admit: bool
) -> None:
    leave_out(monkeypatch, without=without, first=10, last=20, admit=admit)
    found = faults(made("seq=10-20"))
    assert found & {("missing", without), ("malformed", None)}


@pytest.mark.parametrize(("first", "last"), [(11, 20), (10, 19), (9, 20), (10, 21), (10, 40)])
def test_a_period_that_begins_or_ends_elsewhere_is_named(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, first: int, last: int
) -> None:
    leave_out(monkeypatch, without=-1, first=first, last=last, admit=True)
    assert {kind for kind, _ in faults(made("seq=10-20"))} == {"missing"}


def test_a_period_by_time_ends_where_times_say(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [json.loads(line) for line in unpacked(made())["entries.jsonl"].splitlines()]
    since, until = entries[10]["timestamp"], entries[21]["timestamp"]
    text = f"since={since}&until={until}"
    report = check(made(text))
    assert (report.entries, report.first_seq, report.last_seq) == (11, 10, 20)
    assert report.around == [f"seq 9 is of {entries[9]['timestamp']}", f"seq 21 is of {until}"]
    assert any("bears a time of this period" in what for what in report.unproven)
    leave_out(monkeypatch, without=-1, first=11, last=20, admit=True)
    assert ("missing", 10) in faults(made(text))


def test_clocks_step_back(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "audit.jsonl"
    with AuditLog(other, key=KEY, origin=ORIGIN) as audit:
        for hour in (1, 2, 9, 3, 4):
            audit.append(
                "x", actor="a", ip="10.0.0.1", resource="r/1", timestamp=f"2026-01-01T0{hour}:00Z"
            )
    target = tmp_path / "e.zip"
    made = make_evidence(
        str(other), target, Filter.parse("since=2026-01-01T02Z&until=2026-01-01T04Z")
    )
    report = check(target)
    assert (report.status, report.first_seq, report.last_seq) == ("intact", 2, 4)
    assert made.selection.around == [1, 5]


# --- What is claimed.


def reclaimed(package: Path, text: str, **fields: Any) -> Path:
    """Give a package another filter, and make everything else agree with that."""
    files = unpacked(package)
    said = json.loads(files["manifest.json"])
    statement = said["statement"].partition(": ")[0] + ": "
    wanted = Filter.parse(text)
    words = Selection(wanted, 1, [0], [0]).statement.partition(": ")[2]
    claim = {"filter": str(wanted), "statement": statement + words, **fields}
    return pack(package, retold(files, claim))


@pytest.mark.parametrize(
    "text",
    [
        *("actor=user-2&action=read", "actor=user-1&action=export", "action=write"),
        *("actor_type=admin", "on_behalf_of=x", "ip=10.0.0.2", "session=s", "tenant=t"),
        *("user_agent=x", "result=denied", "trace_id=00000000000000000000000000000001", "id=x"),
        *("resource=patient_record/0", "resource=patient", "changed=ward", "text=surgery"),
        *("incomplete=true", "seq=0-3&action=read", "since=2100-01-01&action=read"),
        "until=2000-01-01&action=read",
    ],
)
def test_another_filter_is_named(made: Callable[..., Path], text: str) -> None:
    package = made("actor=user-1&action=read")
    assert check(package).intact
    assert {kind for kind, _ in faults(reclaimed(package, text))} == {"claim"}


def test_a_filter_that_the_entries_fit_too_is_named_where_the_claim_is_signed(
    made: Callable[..., Path],
) -> None:
    package = reclaimed(made("actor=user-1&action=read"), "actor=user-1")
    report = check(package)
    assert report.intact
    assert any("no key signed filter and sample" in what for what in report.unproven)
    package = reclaimed(made("actor=user-1&action=read", key=KEY), "actor=user-1")
    assert faults(package) == {("signature", None)}


def test_a_claim_of_another_key_is_named(made: Callable[..., Path], tmp_path: Path) -> None:
    other = make_log(tmp_path / "audit.jsonl", other_key := Key())
    make_evidence(str(other), tmp_path / "other.zip", Filter.parse("seq=3-4"), key=other_key)
    files = unpacked(made("seq=3-4", key=KEY))
    note = unpacked(tmp_path / "other.zip")["claim.note"]
    digest = sha256(files["manifest.json"]).hexdigest().encode()
    files["claim.note"] = b"\n".join([*note.split(b"\n")[:2], digest, *note.split(b"\n")[3:]])
    assert faults(pack(tmp_path / "e.zip", files)) == {("signature", None)}


def test_a_period_said_to_be_a_selection_is_named(made: Callable[..., Path]) -> None:
    package = made("action=read")
    assert ("malformed", None) in faults(reclaimed(package, "since=2020-01-01"))
    ends = {"first_seq": 1, "last_seq": 40}
    package = reclaimed(made("action=read"), "since=2020-01-01", **ends, population=40)
    assert ("malformed", None) in faults(package)


@pytest.mark.parametrize("field", ["entries", "population", "size"])
def test_another_number_is_named(made: Callable[..., Path], field: str) -> None:
    for text, options in (("action=read", {}), ("seq=3-9", {}), ("seq=3-9", {"sample": 3})):
        package = made(text, **options)
        files = unpacked(package)
        number = json.loads(files["manifest.json"])[field]
        said = files["README.txt"].decode().splitlines()[1]
        for other in (number - 1, number + 1):
            statement = said.replace(f"{number} ", f"{other} ", 1)
            changed = retold(files, {field: other, "statement": statement})
            assert faults(pack(package, changed))


def test_a_sentence_that_says_something_else_is_named(made: Callable[..., Path]) -> None:
    package = made("action=read")
    files = unpacked(package)
    said = json.loads(files["manifest.json"])["statement"]
    changed = retold(files, {"statement": said.replace("read", "delete")})
    assert faults(pack(package, changed)) == {("claim", None)}
    files["README.txt"] = files["README.txt"].replace(b"action read", b"action delete")
    assert faults(pack(package, retold(files))) == {("claim", None)}


# --- Samples.


def test_a_sample_is_the_one_that_the_root_draws(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = check(made("seq=5-35", sample=6))
    assert report.intact
    wrong = [5, 6, 7, 8, 9, 10]
    monkeypatch.setattr("chained_logging.review.selection.drawn", lambda *_: [n - 5 for n in wrong])
    found = faults(made("seq=5-35", sample=6))
    assert {kind for kind, _ in found} == {"missing", "inserted"}


def test_one_drawn_entry_in_place_of_another_is_named(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def almost(root: bytes, population: int, count: int) -> list[int]:
        right = drawn(root, population, count)
        instead = next(n for n in range(population) if n not in right)
        return sorted([*right[1:], instead])

    monkeypatch.setattr("chained_logging.review.selection.drawn", almost)
    assert {kind for kind, _ in faults(made(sample=6))} == {"missing", "inserted"}


def test_of_a_filter_the_draw_is_said_to_be_unproven(made: Callable[..., Path]) -> None:
    report = check(made("action=read", sample=3))
    assert report.intact
    assert any("drawn from just the" in what for what in report.unproven)


def test_a_sample_has_the_size_that_was_asked_for(made: Callable[..., Path]) -> None:
    package = made("action=read", sample=3)
    files = unpacked(package)
    said = json.loads(files["manifest.json"])
    claim = {"sample": 4, "statement": said["statement"]}
    assert faults(pack(package, retold(files, claim))) == {("malformed", None)}


# --- Keys and others who sign.


def test_another_key_is_named(made: Callable[..., Path]) -> None:
    package = made("seq=3-4")
    assert ("key", None) in faults(package, public_key=pin(Key()))
    report = check(package, public_key=pin(KEY), origin="example.com/other")
    assert (report.status, report.faults[0].kind) == ("tampered", "claim")


def test_a_log_of_another_key_under_the_same_name_is_named(tmp_path: Path) -> None:
    forged = make_log(tmp_path / "audit.db", Key())
    make_evidence(str(forged), tmp_path / "e.zip")
    assert check(tmp_path / "e.zip").intact  # nothing in it is known from elsewhere
    assert ("key", None) in faults(tmp_path / "e.zip", public_key=pin(KEY))


@pytest.mark.parametrize("sign", ["checkpoint", "each"])
def test_keys_are_followed_from_the_first_on(tmp_path: Path, sign: str) -> None:
    path, keys = tmp_path / "audit.jsonl", [KEY, Key(), Key()]
    make_log(path, keys[0], 5, sign=sign)
    for key in keys[1:]:
        with AuditLog(path, key=keys[keys.index(key) - 1], sign=sign) as log:
            log.rotate_key(key)
        make_log(path, key, 5, sign=sign)
    for number, text in enumerate(("seq=2-3", "action=read", "")):
        target = tmp_path / f"e{number}.zip"
        make_evidence(str(path), target, Filter.parse(text), key=keys[-1])
        for at, key in enumerate(keys):
            report = check(target, public_key=pin(key))
            assert report.intact, report.faults
            assert (report.pinned_seq == 0) is (at == 0)
            assert report.claim_signed
        assert unpacked(target)["public-keys.txt"].decode().split() == [pin(key) for key in keys]
        files = unpacked(target)
        lines = files["keys.jsonl"].splitlines(keepends=True)
        files["keys.jsonl"] = b"".join(lines[:1] + lines[2:])
        assert faults(pack(target, retold(files)))


def test_a_revoked_key_is_said(tmp_path: Path) -> None:
    path = make_log(tmp_path / "audit.db", KEY, 3)
    append_lines(path, [own("key.revoke", ("key", pin(KEY)), origin=ORIGIN)], own=True)
    with AuditLog(path, key=KEY, sign="follow") as log:
        log.checkpoint()
    make_evidence(str(path), tmp_path / "e.zip", Filter.parse("seq=1-2"))
    report = check(tmp_path / "e.zip")
    assert [note["key"] for note in report.revoked] == [pin(KEY)]
    assert report.signed_seq is None


def test_a_claim_of_a_revoked_key_is_not_called_signed(tmp_path: Path) -> None:
    path = make_log(tmp_path / "audit.db", KEY, 3)
    append_lines(path, [own("key.revoke", ("key", pin(KEY)), origin=ORIGIN)], own=True)
    with AuditLog(path, key=KEY, sign="follow") as log:
        log.checkpoint()
    make_evidence(str(path), tmp_path / "e.zip", Filter.parse("seq=1-2"), key=KEY)
    report = check(tmp_path / "e.zip")
    assert report.claim_signed is False
    assert any("its key was revoked" in what for what in report.unproven)


def test_a_witness_and_a_checkpoint_from_elsewhere(
    made: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_log(tmp_path / "audit.db", KEY, 5)
    with AuditLog(path, key=KEY, sign="follow") as log:
        stored = log.last_checkpoint()
        assert stored is not None
        note = Note.parse(stored.note.encode())
        cosigned = note.with_signatures(cosign(note.text, WITNESS_KEY.name, WITNESS, 1_800_000_000))
        log.keep_anchored(cosigned.format())
    target = tmp_path / "e.zip"
    make_evidence(str(path), target, Filter.parse("seq=1-2"))
    report = check(target, witness_keys=[WITNESS_KEY.format()])
    assert report.intact
    assert report.anchored
    assert WITNESS_KEY.name in report.witnessed
    kept = tmp_path / "kept.note"
    kept.write_bytes(note.format())
    assert check(target, checkpoints=[kept]).anchored
    other = unpacked(made("seq=3-4"))
    kept.write_bytes(other["checkpoint.note"])
    report = check(target, checkpoints=[kept])
    assert (report.status, report.reason.endswith("--size 41")) == ("unchecked", True)
    assert ("signature", None) in faults(made(), witness_keys=[WITNESS_KEY.format()])


def test_a_hash_that_was_noted(made: Callable[..., Path]) -> None:
    package = made("seq=3-4")
    line = json.loads(unpacked(package)["entries.jsonl"].splitlines()[0])
    assert check(package, entry_hash=line["hash"]).anchored
    assert faults(package, entry_hash="0" * 64) == {("missing", None)}
    command = [*ALONE_COMMAND, "--evidence", package, "--to-hash", line["hash"]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "is here: that vouches for no other entry" in done.stdout
    assert "anchored up to" not in done.stdout


def test_entries_about_keys_are_what_they_are_said_to_be(
    made: Callable[..., Path], tmp_path: Path
) -> None:
    package = made("seq=3-4")
    files = unpacked(package)
    first, around = files["keys.jsonl"], files["around.jsonl"].splitlines(keepends=True)
    # An entry of a caller among those about keys, with a proof that has room for it.
    every = unpacked(made())["entries.jsonl"].splitlines(keepends=True)
    proven = {**files, "keys.jsonl": first + every[2], "around.jsonl": b"".join(around)}
    assert ("inserted", 2) in faults(pack(package, retold(proven)))
    assert faults(pack(package, retold({**files, "keys.jsonl": b""})))
    assert faults(pack(package, retold({**files, "public-keys.txt": b""}))) == {("key", None)}
    other = pin(Key()).encode() + b"\n"
    assert faults(pack(package, retold({**files, "public-keys.txt": other}))) == {("key", None)}


def test_an_entry_that_is_there_in_two_forms_is_named(made: Callable[..., Path]) -> None:
    package = made("seq=0-1")
    files = unpacked(package)
    said = json.loads(files["keys.jsonl"])
    del said["hash"]
    body = rfc8785.dumps({**said, "context": {**said["context"], "software": "another"}})
    changed = stored_line(body, leaf_hash(body)) + b"\n"
    assert faults(pack(package, retold({**files, "keys.jsonl": changed}))) == {("edited", 0)}


def test_entries_that_do_not_follow_each_other_are_named(tmp_path: Path) -> None:
    # A log that was broken when its key signed it: whoever has the key can make such a tree.
    path = make_log(tmp_path / "audit.jsonl", KEY, 8)
    make_evidence(str(path), package := tmp_path / "e.zip")

    def broken(bodies: list[dict[str, Any]]) -> None:
        bodies[4]["prev_hash"] = "0" * 64

    found = faults(pack(package, resigned(unpacked(package), broken)), public_key=pin(KEY))
    assert found == {("inserted", 4), ("inserted", 5)}


def test_a_first_entry_of_another_log_is_named(tmp_path: Path) -> None:
    # Without a key in it, only this tells it from the log whose name the later key has.
    path = make_log(tmp_path / "audit.jsonl", None, 3)
    make_log(path, KEY, 3)
    make_evidence(str(path), package := tmp_path / "e.zip")
    assert check(package, public_key=pin(KEY)).intact

    def renamed(bodies: list[dict[str, Any]]) -> None:
        first = bodies[0]
        first["resource_id"] = first["context"]["origin"] = "example.com/other"
        for before, body in itertools.pairwise(bodies):
            body["prev_hash"] = leaf_hash(rfc8785.dumps(before))

    files = resigned(unpacked(package), renamed)
    assert faults(pack(package, files), public_key=pin(KEY)) == {("rewritten", 0)}


def resigned(
    files: dict[str, bytes], change: Callable[[list[dict[str, Any]]], None]
) -> dict[str, bytes]:
    """Change the entries of a package of a whole log, as somebody with its key can."""
    bodies = [json.loads(line) for line in files["entries.jsonl"].splitlines()]
    for body in bodies:
        del body["hash"]
    change(bodies)
    texts = [rfc8785.dumps(body) for body in bodies]
    lines = [stored_line(text, leaf_hash(text)) + b"\n" for text in texts]
    tree = root([bytes.fromhex(leaf_hash(text)) for text in texts])
    text = Checkpoint(ORIGIN, len(lines), tree).format()
    about_keys = [json.loads(line)["seq"] for line in files["keys.jsonl"].splitlines()]
    files |= {
        "entries.jsonl": b"".join(lines),
        "keys.jsonl": b"".join(lines[seq] for seq in about_keys),
        "checkpoint.note": sign_note(text, ORIGIN, KEY).format(),
    }
    statement = json.loads(files["manifest.json"])["statement"]
    return retold(files, {"root": base64.b64encode(tree).decode(), "statement": statement})


def test_a_timestamp_of_another_checkpoint_is_named(made: Callable[..., Path]) -> None:
    package, other = made("seq=3-4"), made("seq=3-4")
    files = unpacked(package)
    note = files["checkpoint.note"].decode().replace("\n41\n", "\n40\n")
    line = rfc8785.dumps({"note": note, "timestamp": "eA=="}) + b"\n"
    found = faults(pack(other, retold({**files, "timestamps.jsonl": line})))
    assert ("timestamp", None) in found
    assert faults(pack(other, retold({**files, "timestamps.jsonl": b"{}\n"})))


def test_a_second_signature_under_the_claim_is_named(made: Callable[..., Path]) -> None:
    package = made("seq=3-4", key=KEY)
    files = unpacked(package)
    note = files["claim.note"]
    files["claim.note"] = note + note.splitlines(keepends=True)[-1]
    assert faults(pack(package, files)) == {("signature", None)}


def test_a_checksum_that_both_headers_agree_on_is_compared(made: Callable[..., Path]) -> None:
    package = made("seq=3-4", extra={"report.html": b"<p>"})
    whole = package.read_bytes()
    crc = struct.pack("<L", zlib.crc32(b"<p>"))
    assert whole.count(crc) == 2
    package.write_bytes(whole.replace(crc, b"\0" * 4))
    assert faults(package) == {("edited", None)}


def test_the_ends_of_a_period_must_be_shown(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer.Selection, "around", property(lambda self: []))
    assert faults(made("seq=3-4")) == {("missing", 2), ("missing", 5)}


@pytest.mark.parametrize("text", ["seq=3-4", "actor=user-1&action=read"])
def test_nothing_else_is_shown_as_an_end_of_a_period(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    right = writer.Selection.around.fget
    assert right is not None
    monkeypatch.setattr(
        writer.Selection, "around", property(lambda self: sorted([*right(self), 25]))
    )
    assert faults(made(text)) == {("inserted", 25)}


def test_the_first_entry_must_be_shown(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer.ReadLog, "naming", lambda *_: [])
    package = made("seq=3-4")
    found = check(package)
    assert "the first entry of the log is not here" in {fault.reason for fault in found.faults}


def test_a_count_that_all_else_agrees_with_is_named(made: Callable[..., Path]) -> None:
    package = made("action=read")
    files = unpacked(package)
    said = json.loads(files["manifest.json"])
    more = said["entries"] + 1
    statement = said["statement"].replace(f"{said['entries']} of", f"{more} of")
    claim = {"entries": more, "population": more, "statement": statement}
    assert faults(pack(package, retold(files, claim))) == {("missing", None)}


def test_a_hash_too_many_is_named(made: Callable[..., Path]) -> None:
    package = made("seq=3-4")
    files = unpacked(package)
    proof = files["proof.txt"]
    more = retold({**files, "proof.txt": proof + proof.splitlines(keepends=True)[0]})
    assert faults(pack(package, more)) == {("malformed", None)}


def test_a_filter_has_one_spelling(made: Callable[..., Path]) -> None:
    package = made("actor=user-1&action=read")
    files = unpacked(package)
    said = json.loads(files["manifest.json"])
    claim = {"filter": "actor=%75ser-1&action=read", "statement": said["statement"]}
    assert faults(pack(package, retold(files, claim))) == {("malformed", None)}


def test_an_entry_without_a_signature_among_signed_ones_is_named(tmp_path: Path) -> None:
    path = make_log(tmp_path / "audit.jsonl", KEY, 5, sign="each")
    append_lines(path, [{"action": "read", **EVENT}])
    make_log(path, KEY, 5, sign="each")
    make_evidence(str(path), tmp_path / "e.zip")
    expected = {fault.seq for fault in verify(path, public_key=pin(KEY)).faults}
    assert faults(tmp_path / "e.zip", public_key=pin(KEY)) == {("signature", 6)}
    assert expected == {6}


# --- Packages that nobody's writer made.


def hostile(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield zip files that have another form, by what is wrong with them."""

    def zipped(names: list[str], method: int = zipfile.ZIP_STORED) -> bytes:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", method) as archive:
            for name in names:
                info = zipfile.ZipInfo(name)
                info.create_system, info.external_attr = 3, 0o100644 << 16
                info.compress_type = method
                archive.writestr(info, files.get(name, b"x"))
        return held.getvalue()

    yield "compressed", zipped([*files], zipfile.ZIP_DEFLATED)
    yield "a path", zipped(["../x", *files])
    yield "a folder", zipped(["a/x", *files])
    yield "many", zipped([*files, *(f"x{n}" for n in range(60_000))])
    yield "not of ASCII", zipped([*files, "ü"])
    yield "empty", zipped([])
    yield "nothing", b""
    yield "no zip file", b"hello"
    yield "only a beginning", b"PK\3\4"
    whole = zipped([*files])
    flagged = bytearray(whole)
    flagged[6] |= 1
    yield "encrypted", bytes(flagged)
    sized = bytearray(whole)
    sized[18:26] = struct.pack("<2L", 0xFFFFFFFE, 0xFFFFFFFE)
    yield "absurd size", bytes(sized)
    with pytest.warns(UserWarning, match="Duplicate name"):
        yield "twice", zipped([*files, "keys.jsonl"])
    for name in files:
        yield f"without {name}", zipped([each for each in files if each != name])
    yield "another order", zipped(sorted(files))


def test_other_zip_files_are_refused_in_words(made: Callable[..., Path]) -> None:
    package = made("seq=3-4")
    for what, data in hostile(unpacked(package)):
        package.write_bytes(data)
        report = check(package)
        assert report.status in ("tampered", "unchecked"), what
        assert report.faults or report.reason, what


def test_a_file_that_is_there_twice_is_named_though_the_counts_fit(
    made: Callable[..., Path],
) -> None:
    package = made("seq=3-4")
    files = unpacked(package)
    whole = pack(package, {"Xntries.jsonl": b"false\n", **files}).read_bytes()
    counts = [struct.pack("<2H", count, count) for count in (len(files) + 1, len(files))]
    assert whole[-14:-10] == counts[0]
    whole = whole[:-14] + counts[1] + whole[-10:]
    package.write_bytes(whole.replace(b"Xntries.jsonl", b"entries.jsonl"))
    report = check(package)
    assert [fault.reason for fault in report.faults] == ["entries.jsonl is in it twice"]


@pytest.mark.parametrize("name", ["README.TXT", "Entries.jsonl", "README.txt.", "MANIFEST.json"])
def test_a_name_that_some_systems_take_for_another_is_named(
    made: Callable[..., Path], name: str
) -> None:
    package = made("seq=3-4")
    changed = retold({**unpacked(package), name: b"false\n"})
    assert faults(pack(package, changed)) == {("malformed", None)}


@pytest.mark.parametrize("name", [*("entries.jsonl", "keys.jsonl", "proof.txt"), "checkpoint.note"])
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b"x" * 100_000, b"\0" * 9 + b"\n", b"[" * 5000 + b"\n"]
)
def test_junk_is_refused_in_words(made: Callable[..., Path], name: str, content: bytes) -> None:
    package = made("seq=3-4")
    files = retold({**unpacked(package), name: content})
    report = check(pack(package, files))
    assert report.status == "tampered"


@pytest.mark.parametrize(
    "claim",
    [
        *({"size": 2**53 - 1}, {"sample": 10_001}, {"sample": 0}, {"filter": "seq=9-1"}),
        *({"filter": "actor"}, {"filter": "nobody=1"}, {"filter": 3}, {"entries": True}),
        *({"files": []}, {"root": "x"}, {"format": "2"}, {"more": 1}, {"population": -1}),
        *({"filter": "since=now"}, {"filter": "seq=1-2&seq=3-4"}, {"filter": "incomplete=false"}),
        {"sample": 10_000, "population": 2**53 - 1, "last_seq": 2**53 - 2, "size": 2**53 - 1},
    ],
    ids=str,
)
def test_absurd_claims_are_refused_in_words(
    made: Callable[..., Path], claim: dict[str, Any]
) -> None:
    package = made("seq=3-4")
    files = unpacked(package)
    assert faults(pack(package, retold(files, {**claim, "statement": "x"})))


def test_a_period_of_more_entries_than_anybody_has_takes_no_time(
    made: Callable[..., Path],
) -> None:
    package = made("seq=3-4")
    files = unpacked(package)
    note = files["checkpoint.note"].split(b"\n")
    files["checkpoint.note"] = b"\n".join([note[0], b"%d" % (2**53 - 1), *note[2:]])
    many = 2**53 - 9
    claim = {"size": 2**53 - 1, "first_seq": 3, "last_seq": many + 2, "population": many}
    claim |= {"entries": many, "filter": "seq=3-", "statement": "x"}
    assert {kind for kind, _ in faults(pack(package, retold(files, claim)))} >= {"claim"}


def test_a_file_beside_the_known_ones_is_bound_and_not_judged(made: Callable[..., Path]) -> None:
    package = made("seq=3-4", extra={"report.html": b"<p>"})
    report = check(package)
    assert report.intact
    assert any(what.startswith("what report.html says") for what in report.unproven)
    files = unpacked(package)
    files["report.html"] = b"<b>"
    assert faults(pack(package, files)) == {("edited", None)}


def test_a_timestamp(tmp_path: Path) -> None:
    issuer = Issued("Root", ca=True, valid=(NOW - 9000 * DAY, NOW + 9000 * DAY))
    authority = Authority(tmp_path / "tsa", Issued("TSA", issuer))
    path = make_log(tmp_path / "audit.db", KEY, 5)
    with AuditLog(path, key=KEY, sign="follow") as log:
        stored = log.last_checkpoint()
        assert stored is not None
        note = stored.note.encode()
        log.keep_anchored(note, base64.b64encode(authority.stamp(note)).decode())
    target = tmp_path / "e.zip"
    make_evidence(str(path), target, Filter.parse("seq=1-2"))
    assert check(target).unchecked_timestamps == 1
    report = check(target, timestamp_roots=issuer.pem)
    assert report.intact
    assert report.timestamped_seq == 5
    report = MODULE.verify_evidence(target, timestamp_roots=Issued("Root", ca=True).pem)
    assert {fault.kind for fault in report.faults} == {"timestamp"}


def test_nothing_that_is_no_file_is_waited_for(tmp_path: Path) -> None:
    assert check(tmp_path / "none.zip").status == "unchecked"
    assert check(tmp_path).status == "unchecked"
