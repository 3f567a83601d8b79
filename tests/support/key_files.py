"""Key files as this package, OpenSSL and others write them, and what may be said of a bad one."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import oracles
from chains import often
from hypothesis import HealthCheck, settings

from chained_logging.errors import FAILURES
from chained_logging.format.vkey import COSIGNATURE, ED25519, VerifierKey
from chained_logging.keys import PrivateKey

ed25519 = oracles.module("cryptography.hazmat.primitives.asymmetric.ed25519")

# RFC 8410, 10.1 and 10.3.
RFC_PRIVATE = """\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
"""
RFC_PUBLIC = """\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
SEED = base64.b64decode("1O5y2/kTWErVttjx92n4rTr+fCjL8dT74Jeoj0R1WEI=")
RAW = base64.b64decode("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")
KEY = PrivateKey(ed25519.Ed25519PrivateKey.from_private_bytes(SEED))
VKEY = VerifierKey("example.com/log", ED25519, RAW).format()
WITNESS = VerifierKey("witness.example/w", COSIGNATURE, RAW).format()
MESSAGE = b"example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
PASSPHRASE = "correct horse"


def ssl(*arguments: str | Path, given: bytes | None = None) -> bytes:
    command = [oracles.openssl(), *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def private(path: Path, data: str | bytes = RFC_PRIVATE, mode: int = 0o600) -> Path:
    """Write a file as somebody else would."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    path.chmod(mode)
    return path


def one_sentence(call: Callable[[], object]) -> None:
    """Call something that may refuse, with a sentence and without what other code said."""
    try:
        call()
        return
    except (*FAILURES, ValueError) as error:
        caught = error
    assert not isinstance(caught, UnicodeError)
    assert "\n" not in str(caught)
    assert caught.__cause__ is None
    assert caught.__suppress_context__ or caught.__context__ is None
    assert "1O5y2" not in str(caught)  # how the base64 of the key begins


FUZZ = settings(
    max_examples=often(300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
