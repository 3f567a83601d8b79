"""Proof files against C2SP tlog-proof and Sigstore."""

from __future__ import annotations

import base64
import json
from typing import Any

import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from note_keys import LOG, LOG_KEY, ORIGIN, WITNESS_KEY
from signed_notes import CHECKPOINT, FOO_NOTE, PROOF, TIME, ZEROS, checkpoints, signatures

from chained_logging.format import merkle
from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.note import Note, Signature
from chained_logging.format.proof import TlogProof
from chained_logging.format.spelling import NoteError


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
        _replaced("index 5", "index 5" + f"\n{ZEROS}" * 60),
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
