"""Notes, checkpoints, cosignatures and proof files against their specifications and programs."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oracles
import pytest
from chains import often
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from note_keys import LOG, LOG_KEY, ORIGIN, OTHER, OTHER_KEY, WITNESS, WITNESS_KEY, Key, ed25519
from verifiers import ALONE as VERIFY

from chained_logging.format import merkle
from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.note import Note, Signature, Verified
from chained_logging.format.proof import TlogProof
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURE, ED25519, VerifierKey, key_id
from chained_logging.keys import load_public

LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(13)]
CHECKPOINT = Checkpoint(ORIGIN, 13, merkle.root(LEAVES))
TIME = 1_760_000_000


def _cosigned(checkpoint: Checkpoint = CHECKPOINT) -> Note:
    text = checkpoint.format()
    note = notes.sign_note(text, ORIGIN, LOG)
    return note.with_signatures(notes.cosign(text, "witness.example/w1", WITNESS, TIME))


PROOF = TlogProof(5, tuple(merkle.inclusion_proof(LEAVES, 5, 13)), _cosigned(), b"extra")


# --- What others signed. The worked example of C2SP signed-note, and those of Go's sumdb/note.

FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""  # noqa: E501 -- a signature line is one line
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
PETER_TEXT = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.
"""
PETER_LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="  # noqa: E501
ENOCH_LINE = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ="  # noqa: E501
# A real checkpoint of a Certificate Transparency log, cosigned by real witnesses in May 2026.
ARCHE = "arche2025h1.staging.ct.transparency.dev"
ARCHE_KEYS = [
    f"{ARCHE}+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
]
ARCHE_NOTE = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
"""  # noqa: E501


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


def test_a_mangled_verifier_key_is_refused() -> None:
    # As in the tests of Go's sumdb/note: every part of it, and every byte made one more.
    parts = {PETER[i:j] for i in range(len(PETER)) for j in range(i + 1, len(PETER) + 1)}
    parts |= {PETER[:i] + chr(ord(PETER[i]) + 1) + PETER[i + 1 :] for i in range(len(PETER))}
    for vkey in parts - {PETER}:
        with pytest.raises(NoteError):
            VerifierKey.parse(vkey)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "++",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
        " PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        # A key of another length and one of another type, each with the ID that fits it.
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "rekor.sigstore.dev+12345678+AwEB",
        "rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!",
        "x\ud800+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "x+c74f20a3+\u0661",
    ],
)
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize("type", [-1, 256])
def test_a_type_that_is_no_byte_has_no_key_id(type: int) -> None:
    with pytest.raises(NoteError):
        key_id("x", type, bytes(32))


@pytest.mark.parametrize("type", [0, 1, 255])
def test_a_key_id_is_the_hash_that_signed_note_says(type: int) -> None:
    expected = hashlib.sha256(b"x\n" + bytes([type]) + bytes(32)).digest()[:4]
    assert key_id("x", type, bytes(32)) == expected


# --- What may be in a note.

names = st.text(st.characters(exclude_characters="+", exclude_categories=["Cs", "Cc"]), min_size=1)
names = names.filter(lambda name: not any(map(str.isspace, name)))
texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]))
lines = texts.filter(bool)
note_texts = st.lists(texts | st.sampled_from(["", "— a b", "\x85", "\u2028", "\x7f"])).map(
    lambda lines: "".join(line + "\n" for line in [*lines, "end"])
)
signatures = st.builds(
    Signature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)
)
checkpoints = st.builds(
    Checkpoint,
    lines,
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(lines, max_size=3).map(tuple),
)


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
    data = _cosigned().format()
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
    note = _cosigned()
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


# --- Checkpoints.


@given(checkpoints)
@example(Checkpoint("x", 0, merkle.EMPTY_ROOT))
@example(Checkpoint("an origin with spaces + more", 1, bytes(32), ("\x85", "\u2028")))
def test_a_checkpoint_is_read_as_it_was_written(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(checkpoint.format()) == checkpoint


def test_the_example_of_tlog_checkpoint() -> None:
    root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    checkpoint = Checkpoint.parse(f"example.com/behind-the-sofa\n20852163\n{root}\n")
    expected = Checkpoint("example.com/behind-the-sofa", 20_852_163, base64.b64decode(root))
    assert checkpoint == expected


_ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n\n",
        f"x\n1\n{_ROOT}",
        f"x\n1\n{_ROOT}\n\n",
        f"x\n1\n{_ROOT}\n\nmore\n",
        f"x\n1\n{_ROOT}\nmore",
        f"\n1\n{_ROOT}\n",
        f"x\n\n{_ROOT}\n",
        "x\n1\n\n",
        "x\n1\n",
        f"x\n01\n{_ROOT}\n",
        f"x\n+1\n{_ROOT}\n",
        f"x\n-1\n{_ROOT}\n",
        f"x\n1_0\n{_ROOT}\n",
        f"x\n 1\n{_ROOT}\n",
        f"x\n1 \n{_ROOT}\n",
        f"x\n1\r\n{_ROOT}\n",
        f"x\n0x1\n{_ROOT}\n",
        f"x\n٣\n{_ROOT}\n",
        f"x\n{2**63}\n{_ROOT}\n",
        f"x\n{'9' * 5000}\n{_ROOT}\n",
        f"x\n0\n{_ROOT}\n",  # the root of the empty tree is another
        f"x\n1\n{_ROOT[:-1]}\n",
        f"x\n1\n{_ROOT[:-2]}B=\n",
        f"x\n1\n{_ROOT} \n",
        f"x\n1\n{bytes(32).hex()}\n",
        f"x\n1\n{_ROOT.replace('A', '-', 1)}\n",
        f"x\n1\n{base64.b64encode(bytes(31)).decode()}\n",
        f"x\n1\n{base64.b64encode(bytes(33)).decode()}\n",
        f"x\0\n1\n{_ROOT}\n",
        f"x\ud800\n1\n{_ROOT}\n",
        f"x\n1\n{_ROOT}\n\t\n",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("", 1, bytes(32)),
        ("a\nb", 1, bytes(32)),
        ("x", -1, bytes(32)),
        ("x", 2**63, bytes(32)),
        ("x", 1, bytes(20)),
        ("x", 0, bytes(32)),
        ("x", 1, bytes(32), ("",)),
        ("x", 1, bytes(32), ("a\n",)),
    ],
)
def test_a_checkpoint_that_cannot_be_is_refused(arguments: Any) -> None:
    with pytest.raises(NoteError):
        Checkpoint(*arguments)


# --- Proof files.


def test_a_proof_file_looks_like_the_specification_says() -> None:
    lines = PROOF.format().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra ZXh0cmE=", "index 5"]
    assert [base64.b64decode(line) for line in lines[3:7]] == list(PROOF.hashes)
    assert lines[7:11] == ["", *CHECKPOINT.format().splitlines()]
    assert lines[11] == ""
    assert lines[12].startswith(f"— {ORIGIN} ")
    assert lines[13].startswith("— witness.example/w1 ")
    assert lines[14:] == [""]
    plain = TlogProof(5, PROOF.hashes, PROOF.checkpoint)
    assert plain.format().decode().split("\n") == [lines[0], *lines[2:]]


def test_a_proof_file_is_verified_as_its_documentation_says() -> None:
    proof = TlogProof.parse(PROOF.format())
    found = notes.verify_note(proof.checkpoint, [LOG_KEY, WITNESS_KEY])
    assert found == [(LOG_KEY, None), (WITNESS_KEY, TIME)]
    checkpoint = Checkpoint.parse(proof.checkpoint.text)
    assert checkpoint.origin == ORIGIN
    leaf = merkle.leaf_hash(b"5")
    merkle.verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)


@given(
    st.integers(0, 2**63 - 2),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple),
    checkpoints,
    st.lists(signatures, min_size=1, max_size=3).map(tuple),
    st.binary(),
)
def test_a_proof_file_is_read_as_it_was_written(
    index: int,
    hashes: tuple[bytes, ...],
    checkpoint: Checkpoint,
    under: tuple[Signature, ...],
    extra: bytes,
) -> None:
    proof = TlogProof(index, hashes, Note(checkpoint.format(), under), extra)
    assert TlogProof.parse(proof.format()) == proof


def _replaced(old: str, new: str) -> bytes:
    text = PROOF.format().decode()
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"c2sp.org/tlog-proof@v1\n",
        b"c2sp.org/tlog-proof@v1\n\n" + PROOF.checkpoint.format(),
        b"c2sp.org/tlog-proof@v1\nindex 0\n\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n\nno checkpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + FOO_NOTE.encode(),
        _replaced("@v1", "@v2"),
        _replaced("c2sp", " c2sp"),
        _replaced("\nextra ", "\nextra  "),
        _replaced("extra ZXh0cmE=", "extra "),
        _replaced("extra ZXh0cmE=", "extra"),
        _replaced("extra ZXh0cmE=", "extra ZXh0cmF="),
        _replaced("extra ZXh0cmE=", "extra ZXh0cmE=\nextra ZXh0cmE="),
        _replaced("extra ZXh0cmE=\nindex 5", "index 5\nextra ZXh0cmE="),
        _replaced("index 5", "index 05"),
        _replaced("index 5", "index -5"),
        _replaced("index 5", "index 5 "),
        _replaced("index 5", "index"),
        _replaced("index 5", "Index 5"),
        _replaced("index 5", f"index {2**63}"),
        _replaced("index 5", f"index {2**63 - 1}"),
        _replaced("index 5", "index 5\nindex 5"),
        _replaced("index 5\n", ""),
        _replaced("index 5", "index 5\nAAAA"),
        _replaced("index 5", "index 5" + f"\n{_ROOT}" * 60),
        _replaced("index 5", "index 5\r"),
        _replaced("index 5", "index 5\n"),
        _replaced("index 5", "index ٥"),
        PROOF.format()[:-1],
        PROOF.format() + b"\n",
        _replaced("ZXh0cmE=", base64.b64encode(bytes(1_500_000)).decode()),
    ],
    ids=lambda data: ascii(data[:60]),
)
def test_what_is_no_proof_file_is_refused(data: bytes) -> None:
    with pytest.raises(NoteError):
        TlogProof.parse(data)


@pytest.mark.parametrize(
    "arguments",
    [
        (-1, (), PROOF.checkpoint),
        (2**63 - 1, (), PROOF.checkpoint),
        (0, (bytes(31),), PROOF.checkpoint),
        (0, (bytes(32),) * 64, PROOF.checkpoint),
        (0, (), Note.parse(FOO_NOTE.encode())),
        (0, (), PROOF.checkpoint, bytes(1_500_000)),
    ],
    ids=["negative", "large", "short", "many", "note", "extra"],
)
def test_a_proof_that_cannot_be_is_refused(arguments: Any) -> None:
    with pytest.raises(NoteError):
        TlogProof(*arguments)


# --- Whatever the bytes are, there is one error.

Parse = Callable[[bytes], bytes]
PARSERS: dict[str, tuple[Parse, list[bytes]]] = {
    "note": (lambda data: Note.parse(data).format(), [FOO_NOTE.encode(), ARCHE_NOTE.encode()]),
    "proof": (lambda data: TlogProof.parse(data).format(), [PROOF.format()]),
    "checkpoint": (
        lambda data: Checkpoint.parse(data.decode("utf-8", "surrogateescape")).format().encode(),
        [CHECKPOINT.format().encode(), Checkpoint("x", 1, bytes(32), ("é", "z")).format().encode()],
    ),
    "vkey": (
        lambda data: VerifierKey.parse(data.decode("utf-8", "surrogateescape")).format().encode(),
        [FOO.encode(), ARCHE_KEYS[1].encode()],
    ),
    "line": (
        lambda data: Signature.parse(data.decode("utf-8", "surrogateescape")).format().encode(),
        [PETER_LINE.encode()],
    ),
}
pieces = st.binary(max_size=4) | st.sampled_from(
    [b"\n", b"\n\n", "— ".encode(), b" ", b"+", b"=", b"index 1\n", b"extra ", b"0", b"\xc2\x85"]
)
edits = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 3), pieces), max_size=4)


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=often(400))
@given(st.data())
def test_bytes_are_in_one_form_or_refused(kind: str, data: st.DataObject) -> None:
    parse, seeds = PARSERS[kind]
    given = bytearray(data.draw(st.sampled_from([*seeds, b""]) | st.binary()))
    for at, length, piece in data.draw(edits):
        at %= len(given) + 1
        given[at : at + length] = piece
    try:
        formatted = parse(bytes(given))
    except NoteError:
        assume(bytes(given) not in seeds)
    else:
        assert formatted == bytes(given)


# --- Programs.


def test_openssl_verifies_a_note_and_a_cosignature(tmp_path: Path) -> None:
    program = oracles.openssl()
    note = _cosigned()
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
    note = _cosigned()
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


def test_sigstore_verifies_a_proof_file(pytestconfig: pytest.Config) -> None:
    dist = oracles.sigstore(pytestconfig.cache)
    script = f"""
        const crypto = require("crypto");
        const {{ verifyCheckpoint }} = require({json.dumps(str(dist / "tlog" / "checkpoint.js"))});
        const {{ verifyMerkleInclusion }} = require({json.dumps(str(dist / "tlog" / "merkle.js"))});
        const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const bytes = (text) => Buffer.from(text, "hex");
        const der = bytes("302a300506032b6570032100" + given.publicKey);
        const tlog = {{
            logID: bytes(given.keyId),
            baseURL: "https://" + given.name,
            publicKey: crypto.createPublicKey({{ key: der, format: "der", type: "spki" }}),
        }};
        console.log(JSON.stringify(given.files.map((file) => {{
            const [head, ...rest] = file.split("\\n\\n");
            const [, index, ...hashes] = head.split("\\n");
            const entry = {{
                canonicalizedBody: Buffer.from(given.body),
                inclusionProof: {{
                    logIndex: index.slice("index ".length),
                    hashes: hashes.map((hash) => Buffer.from(hash, "base64")),
                    checkpoint: {{ envelope: rest.join("\\n\\n") }},
                }},
            }};
            try {{
                verifyMerkleInclusion(entry, verifyCheckpoint(entry, [tlog]));
                return "holds";
            }} catch (error) {{
                return error.message;
            }}
        }})));
    """
    proof = TlogProof(5, PROOF.hashes, PROOF.checkpoint)
    changed = Checkpoint(ORIGIN, 13, bytes(32)).format()
    files = [
        proof,
        TlogProof(6, PROOF.hashes, PROOF.checkpoint),
        TlogProof(5, PROOF.hashes[1:], PROOF.checkpoint),
        TlogProof(5, PROOF.hashes, Note(changed, PROOF.checkpoint.signatures)),
    ]
    answer = oracles.node(
        script,
        {
            "name": ORIGIN,
            "keyId": LOG_KEY.id.hex(),
            "publicKey": LOG.public_key.hex(),
            "body": "5",
            "files": [file.format().decode() for file in files],
        },
    )
    assert answer == [
        "holds",
        "calculated root hash does not match inclusion proof",
        "invalid hash count",
        "invalid checkpoint signature",
    ]


def _points_of_small_order() -> set[bytes]:
    """Return every spelling of the points of order 1, 2, 4 and 8 on edwards25519 (RFC 8032, 5.1).

    Those of order 8 have 2y² = 1 - dy⁴: doubled, they give the points with y = 0.
    """
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p

    def root(square: int) -> int:
        found = pow(square, (p + 3) // 8, p)
        return found if found * found % p == square % p else found * pow(2, (p - 1) // 4, p) % p

    halves = [(sign * root(1 + d) - 1) * pow(d, -1, p) % p for sign in (1, -1)]
    eighths = [y for half in halves for y in (root(half), p - root(half)) if y * y % p == half]
    numbers = [y + more for y in (0, 1, p - 1, *eighths) for more in (0, p) if y + more < 2**255]
    return {(y + sign * 2**255).to_bytes(32, "little") for y in numbers for sign in (0, 1)}


def test_a_key_for_which_anybody_can_sign_is_none() -> None:
    points = _points_of_small_order()
    assert len(points) == 14
    # What makes such a key worthless: R = A, S = 0 holds for any text, under the neutral point.
    neutral = ed25519.Ed25519PublicKey.from_public_bytes(b"\x01" + bytes(31))
    neutral.verify(b"\x01" + bytes(63), b"any text")
    for point in points:
        for kind in (ED25519, COSIGNATURE):
            with pytest.raises(NoteError, match="small order"):
                VerifierKey("example.com/log", kind, point)
            id = key_id("example.com/log", kind, point).hex()
            vkey = f"example.com/log+{id}+{base64.b64encode(bytes([kind]) + point).decode()}"
            with pytest.raises(ValueError, match="small order"):
                VERIFY._Key(vkey, kind)
        der = bytes.fromhex("302a300506032b6570032100") + point
        body = base64.b64encode(der).decode()
        pem = f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"
        for read in (VERIFY._Key, load_public):
            with pytest.raises(ValueError, match="small order"):
                read(pem)
