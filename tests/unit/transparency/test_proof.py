"""Proofs keep what they promise: whatever is given is checked, or refused."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chained_logging import AuditLog
from chained_logging.format.canonical import canonical
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import EMPTY_ROOT
from chained_logging.format.note import Note, Signature, cosign, sign_note, verify_note
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import ED25519, MLDSA_COSIGNATURE, VerifierKey, key_id
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key
from chained_logging.transparency.proof import GO_READERS, LogTree
from chained_logging.verify import _Bad, _Note, main, verify, verify_proof

ORIGIN = "example.com/log"


class Given:
    """A log of nine entries with a proof of one, cosigned by a witness."""

    def __init__(self, folder: Path, sign: str = "checkpoint") -> None:
        self.key, self.witness = PrivateKey.generate(), PrivateKey.generate()
        self.log = folder / "a.jsonl"
        with AuditLog(self.log, key=self.key, origin=ORIGIN, sign=sign) as log:  # type: ignore[arg-type]
            for _ in range(9):
                log.append("read", actor="ann", resource="a/b", ip="10.0.0.1")
            log.checkpoint()
        self.tree = LogTree(self.log)
        proof = self.tree.inclusion(3)
        self.note = proof.checkpoint
        self.entry = json.loads(proof.extra)
        self.mark = cosign(self.note.text, "w.example/1", self.witness, 1_700_000_000)
        self.plain = proof.format()
        self.proof = self.plain + self.mark.format().encode() + b"\n"
        self.vkey = verifier_key(ORIGIN, self.key)
        self.wkey = VerifierKey("w.example/1", 4, self.witness.public_key).format()
        self.file, self.pub = folder / "p", folder / "k"
        self.file.write_bytes(self.proof)
        self.pub.write_text(self.vkey)

    def run(self, *options: object) -> int:
        return main(["--proof", str(self.file), "--public-key", str(self.pub), *map(str, options)])


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


def test_what_is_given_is_checked(given: Given, capsys: pytest.CaptureFixture[str]) -> None:
    right = ["--witness-key", given.wkey, "--origin", ORIGIN, "--to-hash", given.entry["hash"]]
    assert given.run(*right) == 0
    assert "witnessed by w.example/1, at 2023-11-14T22:13:20Z" in capsys.readouterr().out
    stranger = VerifierKey("w.example/2", 4, PrivateKey.generate().public_key).format()
    for wrong in (
        ["--witness-key", stranger],
        ["--witness-key", given.wkey, "--witness-key", stranger],
        ["--origin", "example.com/other"],
        ["--origin", ""],
        ["--to-hash", "0" * 64],
    ):
        assert given.run(*wrong) == 1, wrong
        assert "REFUTED" in capsys.readouterr().err


def test_what_cannot_be_honoured_is_refused(given: Given, tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_bytes(given.note.format())
    root = tmp_path / "root.pem"
    root.write_text("")
    for options in (
        ["--timestamp-root", root],
        ["--from-hash", "0" * 64],
        ["--max-gap", "1"],
        ["--against", "postgresql://x/y"],
        ["--jobs", "2"],
        ["--checkpoint", note],
        ["--witness-key", given.vkey],
        ["--witness-key", "nonsense"],
        ["--witness-key", given.wkey[:-4] + "AAA="],
    ):
        assert given.run(*options) == 2, options
    assert main([str(given.log), "--origin", ORIGIN]) == 2
    given.file.write_bytes(given.tree.consistency(10))
    assert given.run("--checkpoint", note) == 0
    assert given.run("--checkpoint", note, "--checkpoint", note) == 2
    assert given.run("--checkpoint", note, "--to-hash", given.entry["hash"]) == 2


@pytest.mark.parametrize("text", ["", "nonsense", "a+00000000+AAAA", "-----BEGIN PUBLIC KEY-----"])
def test_a_key_that_is_none_is_unusable_and_nothing_refuted(given: Given, text: str) -> None:
    given.pub.write_text(text)
    assert given.run() == 2
    assert verify_proof(given.proof, text)["status"] == "unchecked"


def test_a_key_of_another_name_is_not_the_logs(given: Given) -> None:
    other = VerifierKey("example.com/other", ED25519, given.key.public_key)
    assert verify_proof(given.proof, other.format())["status"] == "refuted"
    # Signed under that other name, with the log's very key: the checkpoint is still of ORIGIN.
    note = sign_note(given.note.text, other.name, given.key)
    data = given.plain.partition(b"\n\n")[0] + b"\n\n" + note.format()
    assert verify_proof(data, other.format())["status"] == "refuted"
    assert verify_proof(data, given.vkey)["status"] == "refuted"


def test_each_signature_of_a_known_key_must_hold(given: Given) -> None:
    false = Signature(given.mark.name, given.mark.key_id, bytes(72)).format().encode() + b"\n"
    assert verify_proof(given.proof + false, given.vkey)["status"] == "proven"
    found = verify_proof(given.proof + false, given.vkey, witness_keys=[given.wkey])
    assert found["status"] == "refuted"
    own = given.note.signatures[0]
    false = Signature(own.name, own.key_id, bytes(64)).format().encode() + b"\n"
    assert verify_proof(given.proof + false, given.vkey)["status"] == "refuted"


def test_a_proof_without_the_entry_is_not_checked(given: Given) -> None:
    lines = given.proof.split(b"\n")
    without = b"\n".join([lines[0], *lines[2:]])
    assert verify_proof(without, given.vkey)["status"] == "unchecked"


def test_no_mutant_of_a_proof_is_proven(tmp_path: Path) -> None:
    given = Given(tmp_path, sign="each")
    signed = given.log.read_bytes().split(b"\n")[3]
    assert b'"signature"' in signed
    with_signature = given.plain.replace(
        given.plain.split(b"\n")[1], b"extra " + base64.b64encode(signed)
    )
    chance = random.Random(3)
    for data in (given.plain, with_signature):
        assert verify_proof(data, given.vkey)["status"] == "proven"
        for _ in range(600):
            mutant = bytearray(data)
            mutant[chance.randrange(len(data))] = chance.randrange(256)
            if bytes(mutant) != data:
                assert verify_proof(bytes(mutant), given.vkey)["status"] != "proven", mutant


def test_an_entry_that_other_readers_cannot_take_is_named(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    from chained_logging.cli import cli

    key, path = PrivateKey.generate(), tmp_path / "a.jsonl"
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("read", actor="ann", resource="a/b", ip="10.0.0.1", note="x " * 25_000)
        log.checkpoint()
    for seq, named in ((0, False), (1, True)):
        cli(["prove", str(path), "--seq", str(seq)], standalone_mode=False)
        out, err = capsysbinary.readouterr()
        assert (max(map(len, out.split(b"\n"))) >= 65_536) is named
        assert (b"64 KiB" in err) is named
        assert verify_proof(out, verifier_key(ORIGIN, key))["status"] == "proven"
    assert 6 + len(base64.b64encode(bytes(GO_READERS))) < 65_536


# --- ML-DSA-44 (C2SP tlog-cosignature).


def test_cosignatures_of_ml_dsa_are_verified(given: Given) -> None:
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    private = mldsa.MLDSA44PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    name, said = "w.example/pq", Checkpoint.parse(given.note.text)
    key = VerifierKey(name, MLDSA_COSIGNATURE, public)

    def line(time: int, end: int = said.size, by: str = name, origin: str = ORIGIN) -> Signature:
        # The structure of the specification, field by field.
        message = b"subtree/v1\n\0"
        message += struct.pack(">B", len(by)) + by.encode() + struct.pack(">Q", time)
        message += struct.pack(">B", len(origin)) + origin.encode()
        message += struct.pack(">QQ", 0, end) + said.root
        value = struct.pack(">Q", time) + private.sign(message)
        return Signature(name, key_id(name, 0x06, public), value)

    def check(signature: Signature) -> str:
        found = verify_proof(
            given.plain + signature.format().encode() + b"\n",
            given.vkey,
            witness_keys=[key.format()],
        )
        return str(found["status"])

    good = line(1_700_000_000)
    assert len(good.value) == 2428
    assert check(good) == "proven"
    (found,) = verify_note(Note(given.note.text, (good,)), [key])
    assert (found.key, found.time) == (key, 1_700_000_000)
    for bad in (line(7, said.size - 1), line(7, by="w.example/xx"), line(7, origin="else")):
        assert check(bad) == "refuted"
        with pytest.raises(NoteError, match="is not valid"):
            verify_note(Note(given.note.text, (bad,)), [key])
    assert check(line(0)) == "refuted"  # a witness states a time (C2SP tlog-witness)
    # Of a log, too: beside the entries, and counted where the key is not given.
    checkpoints = Path(f"{given.log}.checkpoints")
    lines = [json.loads(text) for text in checkpoints.read_text().splitlines()]
    lines[-1]["note"] += good.format() + "\n"
    checkpoints.write_bytes(b"".join(canonical(one) + b"\n" for one in lines))
    report = verify(given.log, public_key=given.vkey, witness_keys=[key.format()])
    assert report.intact
    assert report.witnessed[name]["time"] == "2023-11-14T22:13:20Z"
    assert verify(given.log).unknown_witnesses == 1


def test_a_key_of_ml_dsa_has_its_length() -> None:
    with pytest.raises(NoteError, match="1312 bytes"):
        VerifierKey("w", MLDSA_COSIGNATURE, bytes(32))


# --- The verifier's own reading of notes.


def _note(text: str, *signatures: str) -> bytes:
    return (text + "\n" + "".join(f"{each}\n" for each in signatures)).encode()


_ROOT = base64.b64encode(bytes(32)).decode()
_SIGN = f"— a.example {base64.b64encode(bytes(68)).decode()}"


@pytest.mark.parametrize(
    "data",
    [
        _note(f"a\t.example\n7\n{_ROOT}\n", _SIGN),
        _note(f"a.example\n7\n{_ROOT}\nmore\x00\n", _SIGN),
        _note(f"a.example\n7\n{_ROOT}\n\nmore\n", _SIGN),
        _note(f"a.example\n7\n{_ROOT}\n\n", _SIGN),
        _note(f"\n7\n{_ROOT}\n", _SIGN),
        _note(f"a.example\n07\n{_ROOT}\n", _SIGN),
        _note(f"a.example\n{2**63}\n{_ROOT}\n", _SIGN),
        _note(f"a.example\n0\n{_ROOT}\n", _SIGN),
        _note("a.example\n7\nAAAA\n", _SIGN),
        _note("a.example\n7\n", _SIGN),
        _note(f"a.example\n7\n{_ROOT}\n", f"— a.example {base64.b64encode(bytes(4)).decode()}"),
        _note(f"a.example\n7\n{_ROOT}\n", _SIGN.replace(" a.", " a+")),
        _note(f"a.example\n7\n{_ROOT}\n", _SIGN.replace(" a.", " a\u2003")),
        _note(f"a.example\n7\n{_ROOT}\n", _SIGN, "\r"),
        _note(f"a.example\n7\n{_ROOT}\n", _SIGN + "\u2028" + _SIGN),
        _note(f"a.example\n7\n{_ROOT}\n", *[_SIGN] * 101),
        _note(f"a.example\n7\n{_ROOT}\n"),
        _note(f"a.example\n7\n{_ROOT}\n", _SIGN)[:-1],
        _note(f"a.example\n7\n{_ROOT}\n", _SIGN) + b"\xff\n",
    ],
)
def test_what_is_no_note_is_none_to_both_readers(data: bytes) -> None:
    with pytest.raises(_Bad):
        _Note(data, "x")
    with pytest.raises(NoteError):
        Checkpoint.parse(Note.parse(data).text)


@pytest.mark.parametrize(
    "data",
    [
        _note(f"a.example\n7\n{_ROOT}\n", _SIGN),
        _note(f"a.example\n{2**63 - 1}\n{_ROOT}\n", _SIGN),
        _note(f"a.example\n7\n{_ROOT}\nmore\nand more\u2028\x85\n", *[_SIGN] * 16),
        _note(f"a.example\n0\n{base64.b64encode(EMPTY_ROOT).decode()}\n", _SIGN),
        _note(
            f"a.example\n7\n{_ROOT}\n",
            *[f"— w{n} {base64.b64encode(bytes(4900)).decode()}" for n in range(16)],
        ),
    ],
)
def test_what_is_a_note_is_one_to_both_readers(data: bytes) -> None:
    mine, said = _Note(data, "x"), Checkpoint.parse(Note.parse(data).text)
    assert (mine.origin, mine.size, mine.root) == (said.origin, said.size, said.root)
    assert len(mine.signatures) == len(Note.parse(data).signatures)


def test_the_two_readers_agree_on_mangled_notes() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    whole = _note(f"a.example\n7\n{_ROOT}\nmore\n", _SIGN, _SIGN)

    def reads(read: Callable[[bytes], Any], data: bytes) -> bool:
        try:
            read(data)
        except ValueError:
            return False
        return True

    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 3)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(2)] = bytes(
                [chance.choice(b"\n\r\t +a0=\xe2\x80\x94A")]
            )
        mine = reads(lambda d: _Note(d, "x"), bytes(data))
        theirs = reads(lambda d: Checkpoint.parse(Note.parse(d).text), bytes(data))
        assert mine == theirs, bytes(data)
