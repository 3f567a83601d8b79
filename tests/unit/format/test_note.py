"""Notes and cosignatures against their specifications and programs."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import oracles
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from note_keys import LOG, LOG_KEY, ORIGIN, OTHER, OTHER_KEY, WITNESS, WITNESS_KEY, Key
from signed_notes import (
    ARCHE,
    ARCHE_KEYS,
    ARCHE_NOTE,
    CHECKPOINT,
    ENOCH,
    ENOCH_LINE,
    FOO,
    FOO_NOTE,
    PETER,
    PETER_LINE,
    PETER_SEED,
    PETER_TEXT,
    TIME,
    checkpoints,
    cosigned,
    names,
    note_texts,
    signatures,
)

from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.note import Note, Signature, Verified
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURE, ED25519, VerifierKey, key_id

# --- What others signed. The worked example of C2SP signed-note, and those of Go's sumdb/note.


def test_the_worked_example_of_signed_note() -> None:
    key = VerifierKey.parse(FOO)
    assert (key.name, key.type, key.id.hex()) == ("example.com/foo", ED25519, "530d903a")
    assert key.format() == FOO
    assert key_id(key.name, key.type, key.public_key) == key.id
    note = Note.parse(FOO_NOTE.encode())
    assert note.text == "This is an example message.\n"
    assert notes.verify_note(note, [key]) == [Verified(key, None)]
    assert note.format() == FOO_NOTE.encode()
    with pytest.raises(NoteError, match=r"example\.com/foo\+530d903a is not valid"):
        notes.verify_note(Note("This is another message.\n", note.signatures), [key])


def test_the_examples_of_sumdb_note() -> None:
    peter, enoch = VerifierKey.parse(PETER), VerifierKey.parse(ENOCH)
    data = f"{PETER_TEXT}\n{PETER_LINE}\n{ENOCH_LINE}\n".encode()
    note = Note.parse(data)
    assert notes.verify_note(note, [peter]) == [(peter, None)]
    assert notes.verify_note(note, [enoch]) == [(enoch, None)]
    assert notes.verify_note(note, [enoch, peter]) == [(peter, None), (enoch, None)]
    with pytest.raises(NoteError, match="no signature of a known key"):
        notes.verify_note(note, [])
    # Ed25519 signatures are not random: ours is the same, byte for byte.
    signer = Key(base64.b64decode(PETER_SEED)[1:])
    ours = notes.sign_note(PETER_TEXT, "PeterNeumann", signer)
    assert ours.with_signatures(Signature.parse(ENOCH_LINE)).format() == data


def test_a_real_checkpoint_with_its_cosignatures() -> None:
    keys = [VerifierKey.parse(vkey) for vkey in ARCHE_KEYS]
    note = Note.parse(ARCHE_NOTE.encode())
    assert notes.verify_note(note, keys) == [(keys[0], None), (keys[1], 1_779_573_024)]
    assert note.format() == ARCHE_NOTE.encode()
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == (ARCHE, 1_432_088_532)
    assert checkpoint.format() == note.text
    changed = Checkpoint(ARCHE, checkpoint.size + 1, checkpoint.root).format()
    for key in keys:
        with pytest.raises(NoteError, match="is not valid"):
            notes.verify_note(Note(changed, note.signatures), [key])


# --- What may be in a note.


@given(note_texts, st.lists(signatures, min_size=1, max_size=5).map(tuple))
@example("\n", (Signature("x", b"1234", b"5"),))
@example("a\n\n\n", (Signature("x", b"1234", b"5"),))
@example("a\n\n— x MTIzNDU=\n", (Signature("x", b"1234", b"5"),) * 100)
def test_a_note_is_read_as_it_was_written(text: str, under: tuple[Signature, ...]) -> None:
    note = Note(text, under)
    assert Note.parse(note.format()) == note


@pytest.mark.parametrize(
    "text",
    ["", "no newline", "\r\n", "a\tb\n", "a\0\n", "\x1f\n", "\ud800\n", "a\n" * 500_000],
    ids=lambda text: ascii(text)[:20],
)
def test_a_text_that_cannot_be_in_a_note_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Note(text, (Signature("x", b"1234", b"5"),))
    with pytest.raises(NoteError):
        notes.sign_note(text, "x", LOG)


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a+b", "a\u00a0", "\u2028", "\u3000a", "\x85", "a\n", "\t", "\0", "\ud800"],
    ids=ascii,
)
def test_a_name_that_no_key_has_is_refused(name: str) -> None:
    text = CHECKPOINT.format()
    for call in (
        lambda: key_id(name, 1, bytes(32)),
        lambda: VerifierKey(name, ED25519, b"3" * 32),
        lambda: Signature(name, b"1234", b"5"),
        lambda: notes.sign_note(text, name, LOG),
        lambda: notes.cosign(text, name, LOG, TIME),
        lambda: Signature.parse(f"— {name} MTIzNDU="),
    ):
        with pytest.raises(NoteError):
            call()


_LINE = "— x MTIzNDU="


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"a\n",
        b"a\n\n",
        f"a\n\n{_LINE}".encode(),
        f"a\n{_LINE}\n".encode(),
        f"a\n\n{_LINE}\n\n".encode(),
        f"a\n\n{_LINE}\nmore\n".encode(),
        f"a\n\n{_LINE}\n{_LINE} \n".encode(),
        f"a\n\n{_LINE}\r\n".encode(),
        f"a\r\n\r\n{_LINE}\r\n".encode(),
        f"\x01a\n\n{_LINE}\n".encode(),
        f"\t\n\n{_LINE}\n".encode(),
        f"\n{_LINE}\n".encode(),
        f"a\n\n{_LINE}\n".encode("utf-16"),
        f"a\n\n{_LINE}\n".encode() + b"\xff",
        b"\xed\xa0\x80" + f"a\n\n{_LINE}\n".encode(),
        b"a\n\n- x MTIzNDU=\n",
        "a\n\n– x MTIzNDU=\n".encode(),
        "a\n\n—x MTIzNDU=\n".encode(),
        "a\n\n—  x MTIzNDU=\n".encode(),
        "a\n\n— x  MTIzNDU=\n".encode(),
        "a\n\n— x\u00a0MTIzNDU=\n".encode(),
        "a\n\n— x MTIzNDU\n".encode(),
        "a\n\n— x MTIzNDV=\n".encode(),  # bits that mean nothing are set
        "a\n\n— x MTIzNA==\n".encode(),  # a key ID and no signature
        "a\n\n— x MTI=\n".encode(),
        "a\n\n— x \n".encode(),
        "a\n\n— x\n".encode(),
        "a\n\n— x MTIz-DU=\n".encode(),
        f"a\n\n{_LINE}\n".encode() + f"{_LINE}\n".encode() * 100,
        b"a" * 1_000_000 + f"\n\n{_LINE}\n".encode(),
    ],
    ids=lambda data: ascii(data[:30]),
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(NoteError):
        Note.parse(data)


def test_limits_of_a_note_are_accepted() -> None:
    signature = Signature("x", b"1234", b"5")
    assert len(Note.parse(Note("a\n", (signature,) * 100).format()).signatures) == 100
    rest = len(Note("a\n", (signature,)).format()) - 1
    longest = Note("a" * (notes.MAX_NOTE - rest) + "\n", (signature,))
    assert len(longest.format()) == notes.MAX_NOTE
    assert Note.parse(longest.format()) == longest
    with pytest.raises(NoteError, match="more than 1000000 bytes"):
        Note(f"a{longest.text}", (signature,))
    with pytest.raises(NoteError, match="1 to 100 signatures"):
        Note("a\n", (signature,) * 100).with_signatures(signature)
    with pytest.raises(NoteError, match="1 to 100 signatures"):
        Note("a\n", ())


# --- Signatures.


@settings(deadline=None)
@given(note_texts, names, st.binary(min_size=32, max_size=32))
def test_a_signed_note_verifies(text: str, name: str, seed: bytes) -> None:
    signer = Key(seed)
    key = VerifierKey(name, ED25519, signer.public_key)
    assert VerifierKey.parse(key.format()) == key
    note = Note.parse(notes.sign_note(text, name, signer).format())
    assert notes.verify_note(note, [OTHER_KEY, key]) == [(key, None)]
    with pytest.raises(NoteError, match="is not valid"):
        notes.verify_note(Note("x" + text, note.signatures), [key])
    # The same name or the same key alone is an unknown key.
    renamed = VerifierKey(name + "x", ED25519, signer.public_key)
    rekeyed = VerifierKey(name, ED25519, OTHER.public_key)
    for unknown in (renamed, rekeyed):
        with pytest.raises(NoteError, match="no signature of a known key"):
            notes.verify_note(note, [unknown])


@settings(deadline=None)
@given(checkpoints, names, st.integers(1, 2**63 - 1))
def test_a_cosignature_verifies_and_gives_its_time(
    checkpoint: Checkpoint, name: str, time: int
) -> None:
    text = checkpoint.format()
    key = VerifierKey(name, COSIGNATURE, WITNESS.public_key)
    cosignature = notes.cosign(text, name, WITNESS, time)
    note = Note.parse(notes.sign_note(text, ORIGIN, LOG).with_signatures(cosignature).format())
    assert notes.verify_note(note, [key]) == [(key, time)]
    assert notes.verify_note(note, [key, LOG_KEY]) == [(LOG_KEY, None), (key, time)]
    # Another time, or the same signature taken for one of a note.
    value = (time ^ 1).to_bytes(8, "big") + cosignature.value[8:]
    plain = VerifierKey(name, ED25519, WITNESS.public_key)
    for signature, known in (
        (Signature(name, key.id, value), key),
        (Signature(name, plain.id, cosignature.value), plain),
        (Signature(name, plain.id, cosignature.value[8:]), plain),
    ):
        with pytest.raises(NoteError, match="is not valid"):
            notes.verify_note(Note(text, (signature,)), [known])


def test_every_flipped_bit_of_a_signed_checkpoint_is_noticed() -> None:
    data = cosigned().format()
    keys = [LOG_KEY, WITNESS_KEY]
    assert [found.key for found in notes.verify_note(Note.parse(data), keys)] == keys
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = notes.verify_note(Note.parse(bytes(flipped)), keys)
        except NoteError:
            continue
        # The name or the key ID of one signature: it is then one of an unknown key.
        assert len(found) == 1
        assert Note.parse(bytes(flipped)).text == CHECKPOINT.format()


def test_a_known_key_with_a_bad_signature_spoils_the_note() -> None:
    note = cosigned()
    for key, at in ((LOG_KEY, 0), (WITNESS_KEY, 1)):
        good = note.signatures[at]
        for value in (bytes(len(good.value)), good.value[:-1], good.value + b"\0", b"\0"):
            bad = Signature(good.name, good.key_id, value)
            for order in ((*note.signatures, bad), (bad, *note.signatures)):
                with pytest.raises(NoteError, match="not valid"):
                    notes.verify_note(Note(note.text, order), [LOG_KEY, WITNESS_KEY])
            others = [known for known in (LOG_KEY, WITNESS_KEY) if known != key]
            found = notes.verify_note(Note(note.text, (*note.signatures, bad)), others)
            assert [verified.key for verified in found] == others


def test_a_key_counts_once() -> None:
    text = CHECKPOINT.format()
    first, second = (notes.cosign(text, WITNESS_KEY.name, WITNESS, TIME + at) for at in (0, 5))
    note = notes.sign_note(text, ORIGIN, LOG).with_signatures(first, second, first)
    assert notes.verify_note(note, [WITNESS_KEY, WITNESS_KEY]) == [(WITNESS_KEY, TIME)]


def test_two_keys_of_one_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "chained_logging.format.vkey.key_id", lambda name, type, public_key: b"same"
    )
    keys = [VerifierKey("x", ED25519, key.public_key) for key in (LOG, OTHER)]
    note = notes.sign_note("text\n", "x", LOG)
    assert notes.verify_note(note, [keys[0], keys[0]]) == [(keys[0], None)]
    with pytest.raises(NoteError, match="two different keys"):
        notes.verify_note(note, keys)


def test_a_cosignature_is_one_of_a_checkpoint() -> None:
    with pytest.raises(NoteError, match="not a checkpoint"):
        notes.cosign("any text\n", "w", WITNESS, TIME)
    value = TIME.to_bytes(8, "big") + WITNESS.sign(f"cosignature/v1\ntime {TIME}\nx\n".encode())
    signature = Signature(WITNESS_KEY.name, WITNESS_KEY.id, value)
    with pytest.raises(NoteError, match="not a checkpoint"):
        notes.verify_note(Note("x\n", (signature,)), [WITNESS_KEY])


def test_times_of_cosignatures() -> None:
    text = CHECKPOINT.format()
    for time in (-1, 0, 2**63, 2**64):
        with pytest.raises(NoteError, match="time of a cosignature"):
            notes.cosign(text, "w", WITNESS, time)

    def signed_at(time: int) -> Note:
        value = WITNESS.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        value = time.to_bytes(8, "big") + value
        return Note(text, (Signature(WITNESS_KEY.name, WITNESS_KEY.id, value),))

    # Only a witness must not leave the time out; tlog-cosignature itself lets it be 0.
    assert notes.verify_note(signed_at(0), [WITNESS_KEY]) == [(WITNESS_KEY, 0)]
    assert notes.verify_note(signed_at(2**63 - 1), [WITNESS_KEY]) == [(WITNESS_KEY, 2**63 - 1)]
    with pytest.raises(NoteError, match=r"beyond 2\*\*63"):
        notes.verify_note(signed_at(2**63), [WITNESS_KEY])


class _BadSigner:
    def __init__(self, public_key: bytes, signature: bytes) -> None:
        self.public_key, self._signature = public_key, signature

    def sign(self, data: bytes) -> bytes:
        return self._signature


@pytest.mark.parametrize("signer", [_BadSigner(bytes(31), bytes(64)), _BadSigner(b"3" * 32, b"")])
def test_a_signer_that_is_none_is_refused(signer: _BadSigner) -> None:
    with pytest.raises(NoteError, match=r"32 bytes|64 bytes"):
        notes.sign_note("text\n", "x", signer)
    with pytest.raises(NoteError, match=r"32 bytes|64 bytes"):
        notes.cosign(CHECKPOINT.format(), "x", signer, TIME)


def test_a_public_key_that_is_no_point_verifies_nothing() -> None:
    for public_key in (b"\xff" * 32, b"\x02" + bytes(31)):
        note = notes.sign_note("text\n", "x", _BadSigner(public_key, bytes(64)))
        with pytest.raises(NoteError, match="is not valid"):
            notes.verify_note(note, [VerifierKey("x", ED25519, public_key)])


# --- Programs.


def test_openssl_verifies_a_note_and_a_cosignature(tmp_path: Path) -> None:
    program = oracles.openssl()
    note = cosigned()
    messages = {
        LOG: (note.text.encode(), note.signatures[0].value),
        # The header and the time as C2SP tlog-cosignature gives them, not as our code does.
        WITNESS: (
            b"cosignature/v1\ntime 1760000000\n" + note.text.encode(),
            note.signatures[1].value[8:],
        ),
    }
    for signer, (message, signature) in messages.items():
        # SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): a constant prefix, then the key.
        der = bytes.fromhex("302a300506032b6570032100") + signer.public_key
        pem = b"-----BEGIN PUBLIC KEY-----\n%b-----END PUBLIC KEY-----\n" % base64.encodebytes(der)
        (tmp_path / "pub.pem").write_bytes(pem)
        (tmp_path / "sig").write_bytes(signature)
        for text, holds in ((message, True), (message + b"x", False)):
            (tmp_path / "text").write_bytes(text)
            command = "pkeyutl -verify -pubin -inkey pub.pem -rawin -in text -sigfile sig"
            done = subprocess.run(
                [program, *command.split()], cwd=tmp_path, capture_output=True, check=False
            )
            assert (done.returncode == 0) is holds, done.stderr


_NODE = """
const crypto = require("crypto");
const { vkeys, notes, make } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const pem = Buffer.from("302a300506032b6570032100", "hex");
const id = (name, typed) =>
    crypto.createHash("sha256").update(name + "\\n").update(typed).digest().subarray(0, 4);

const known = new Map(vkeys.map((vkey) => {
    const [, name, hex, key] = /^([^ +]+)\\+([0-9a-f]{8})\\+(.*)$/.exec(vkey);
    const typed = Buffer.from(key, "base64");
    if (id(name, typed).toString("hex") !== hex) throw new Error("key ID of " + vkey);
    const der = Buffer.concat([pem, typed.subarray(1)]);
    const publicKey = crypto.createPublicKey({ key: der, format: "der", type: "spki" });
    return [name + " " + hex, { type: typed[0], publicKey }];
}));

const verify = (note) => {
    const at = note.lastIndexOf("\\n\\n");
    const text = note.slice(0, at + 1);
    return note.slice(at + 2).trimEnd().split("\\n").map((line) => {
        const [, name, encoded] = /^\\u2014 (\\S+) (\\S+)$/u.exec(line);
        const data = Buffer.from(encoded, "base64");
        const key = known.get(name + " " + data.subarray(0, 4).toString("hex"));
        if (!key) return null;
        if (key.type === 1) {
            return crypto.verify(null, Buffer.from(text), key.publicKey, data.subarray(4));
        }
        const message = `cosignature/v1\\ntime ${data.readBigUInt64BE(4)}\\n${text}`;
        return crypto.verify(null, Buffer.from(message), key.publicKey, data.subarray(12));
    });
};

const { privateKey, publicKey } = crypto.generateKeyPairSync("ed25519");
const typed = Buffer.concat([
    Buffer.from([1]), publicKey.export({ format: "der", type: "spki" }).subarray(12),
]);
const signature = crypto.sign(null, Buffer.from(make.text), privateKey);
const line = Buffer.concat([id(make.name, typed), signature]).toString("base64");
console.log(JSON.stringify({
    verdicts: notes.map(verify),
    vkey: `${make.name}+${id(make.name, typed).toString("hex")}+${typed.toString("base64")}`,
    note: `${make.text}\\n\\u2014 ${make.name} ${line}\\n`,
}));
"""


def test_node_verifies_our_notes_and_we_verify_its() -> None:
    note = cosigned()
    plain = notes.sign_note("Ça va?\n\nيَ \U0001f600\n", OTHER_KEY.name, OTHER)
    unknown = notes.sign_note("text\n", "unknown", OTHER)
    given = [
        note,
        plain,
        unknown,
        Note(note.text.replace("13", "14", 1), note.signatures),
        Note(plain.text, (*plain.signatures, *unknown.signatures)),
    ]
    answer = oracles.node(
        _NODE,
        {
            "vkeys": [key.format() for key in (LOG_KEY, OTHER_KEY, WITNESS_KEY)],
            "notes": [each.format().decode() for each in given],
            "make": {"name": "node.example/log", "text": "Grüße\n\n\u2028 \U0001f600\n"},
        },
    )
    expected = [[True, True], [True], [None], [False, False], [True, None]]
    assert answer["verdicts"] == expected
    key = VerifierKey.parse(answer["vkey"])
    theirs = Note.parse(answer["note"].encode())
    assert notes.verify_note(theirs, [key, LOG_KEY]) == [(key, None)]
