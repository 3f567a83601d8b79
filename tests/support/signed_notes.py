"""Notes that others signed and ours, and strategies that make more of them."""

from __future__ import annotations

import base64

from hypothesis import strategies as st
from note_keys import LOG, ORIGIN, WITNESS

from chained_logging.format import merkle
from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.note import Note, Signature
from chained_logging.format.proof import TlogProof

LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(13)]
CHECKPOINT = Checkpoint(ORIGIN, 13, merkle.root(LEAVES))
TIME = 1_760_000_000


def cosigned(checkpoint: Checkpoint = CHECKPOINT) -> Note:
    """Return a checkpoint signed by the log and cosigned by the witness."""
    text = checkpoint.format()
    note = notes.sign_note(text, ORIGIN, LOG)
    return note.with_signatures(notes.cosign(text, "witness.example/w1", WITNESS, TIME))


PROOF = TlogProof(5, tuple(merkle.inclusion_proof(LEAVES, 5, 13)), cosigned(), b"extra")
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
ZEROS = base64.b64encode(bytes(32)).decode()
