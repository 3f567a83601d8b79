"""Witnesses: others who sign that they never saw two histories of a log (C2SP ``tlog-witness``).

A log that signs alone can show one history to one auditor and another to the next. A witness makes
that impossible without its help: it keeps the last checkpoint of each log that it knows, cosigns a
new one only with a proof that the log merely grew since, and states the time. Two teams run one
for each other; neither sees anything of the other's entries but their number and a hash.

- :func:`ask` is the client: it brings a checkpoint to a witness and returns what that signed.
  :func:`with_cosignatures` verifies it and puts it under the checkpoint.
- :class:`Witness` is the witness itself, without a network: bytes in, an :class:`Answer` out.
- :func:`serve` and :class:`WitnessServer` put it on HTTP. TLS, if it leaves the machine, is left
  to a reverse proxy.

Cosignatures are of type 0x04, timestamped Ed25519 (C2SP ``tlog-cosignature``).
"""

from chained_logging.transparency.witness.client import (
    MAX_REPLY,
    WitnessConflict,
    WitnessError,
    ask,
    endpoint,
    with_cosignatures,
)
from chained_logging.transparency.witness.server import WitnessServer, serve
from chained_logging.transparency.witness.service import CLOCK_STEP, Answer, Witness
from chained_logging.transparency.witness.wire import (
    MAX_PROOF_LINES,
    MAX_REQUEST,
    Submission,
    format_request,
    parse_request,
)

__all__ = [
    "CLOCK_STEP",
    "MAX_PROOF_LINES",
    "MAX_REPLY",
    "MAX_REQUEST",
    "Answer",
    "Submission",
    "Witness",
    "WitnessConflict",
    "WitnessError",
    "WitnessServer",
    "ask",
    "endpoint",
    "format_request",
    "parse_request",
    "serve",
    "with_cosignatures",
]
