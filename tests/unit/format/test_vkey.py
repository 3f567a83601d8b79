"""Names and keys of notes against C2SP signed-note, and keys that anybody can sign for."""

from __future__ import annotations

import base64
import hashlib

import pytest
from note_keys import ed25519
from signed_notes import PETER
from verifiers import ALONE as VERIFY

from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURE, ED25519, VerifierKey, key_id
from chained_logging.keys import load_public


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
