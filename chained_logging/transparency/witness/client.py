"""The client of a witness: it asks for a cosignature and puts it under the checkpoint."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Final
from urllib.parse import urlsplit

from chained_logging.errors import ChainedLoggingError, NetError
from chained_logging.format.note import MAX_SIGNATURES, Note, Signature, verify_note
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURES, VerifierKey
from chained_logging.net.client import Client
from chained_logging.transparency.witness.wire import TEXT_TYPE, format_request

MAX_REPLY: Final = 256 * 1024
"""The longest answer in bytes that :func:`ask` reads."""


class WitnessError(ChainedLoggingError):
    """A witness gave no cosignature.

    :ivar status: the HTTP status; ``None`` if there was no answer, or none that made sense.
    :ivar temporary: whether the same request may succeed later. How often and when to ask again is
        the caller's decision.
    """

    def __init__(self, sentence: str, status: int | None = None, *, temporary: bool = False):
        super().__init__(sentence)
        self.status = status
        self.temporary = temporary


class WitnessConflict(WitnessError):
    """The witness holds another size than `old_size` (409).

    With a proof from that size on the request can be made again. A size beyond what the log has
    means that the log was rolled back, or that the key signs elsewhere too.

    :ivar size: the size of the last checkpoint that it cosigned.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness holds a checkpoint over {size} entries", 409)
        self.size = size


_REFUSALS: Final = {
    400: "finds the request malformed, or the old size beyond the new one",
    403: "finds no valid signature of a key that it trusts for this log",
    404: "does not know this log, or is not a witness",
    408: "waited too long for the request",
    413: "does not take a request of this length",
    422: "finds that this checkpoint does not continue the one it cosigned: the proof is wrong, or "
    "the log's history was changed",
    429: "is asked too often",
}


def ask(
    url: str,
    old_size: int,
    proof: Sequence[bytes],
    checkpoint_note: bytes,
    *,
    timeout: float = 10.0,
    client: Client | None = None,
) -> list[Signature]:
    """Ask a witness to cosign a checkpoint (C2SP ``tlog-witness``, ``add-checkpoint``).

    The witness must hold `old_size`. If you do not know what it holds, ask with 0 and take the
    size from :class:`WitnessConflict`. Redirects are not followed.

    :param url: the witness's submission prefix, ``http://…`` or ``https://…``. The proxy and the
        certificates are those that the environment names (``https_proxy``, ``SSL_CERT_FILE``).
    :param old_size: the size of the last checkpoint that it cosigned, 0 if none.
    :param proof: the consistency proof from there, as
        :func:`chained_logging.format.merkle.consistency_proof` makes it.
    :param checkpoint_note: the new checkpoint, signed by the log.
    :param timeout: seconds, from the name's lookup to the last byte of the answer.
    :param client: what keeps the connection for the next request; by default it is closed.
    :returns: at least one signature. None was verified: see :func:`with_cosignatures`.
    :raises WitnessConflict: if the witness holds another size.
    :raises WitnessError: if it refuses, does not answer, or answers something else.
    :raises ValueError: if the URL or the proof cannot be sent.
    """
    body = format_request(old_size, proof, checkpoint_note)
    headers = {"Content-Type": TEXT_TYPE, "User-Agent": "chained_logging"}
    with ExitStack() as closing:
        client = client or closing.enter_context(Client())
        try:
            answered = client.post(endpoint(url), body, headers, timeout=timeout, limit=MAX_REPLY)
        except (OSError, NetError, http.client.HTTPException) as error:
            raise WitnessError(f"{url} did not answer: {error!r}", temporary=True) from error
    status, answer = answered.status, answered.body
    if status == 200:
        return _signatures(url, answer)
    if status == 409:
        size = _number(answer.removesuffix(b"\n"))
        # It would be asked the same again and again.
        if size is None or size == old_size:
            raise WitnessError(f"{url} reports a conflict with no other size", status)
        raise WitnessConflict(size)
    temporary = status in (408, 429) or status >= 500
    refusal = _REFUSALS.get(status, "cannot answer now" if temporary else "answers something else")
    words = ascii(answer[:200].decode("ascii", "replace")) if answer else "nothing"
    raise WitnessError(
        f"{url} {refusal} (status {status}; it says {words})", status, temporary=temporary
    )


def with_cosignatures(
    checkpoint_note: bytes, signatures: Iterable[Signature], keys: Iterable[VerifierKey]
) -> bytes:
    """Return a checkpoint with the cosignatures of known witnesses under it.

    Signatures of keys that are not among `keys` are left out. A cosignature replaces an earlier
    one of the same key.

    :param keys: those of the witnesses that are trusted, of type 0x04 or 0x06.
    :raises NoteError: if a known key's cosignature does not hold, or no known key made one.
    """
    note = Note.parse(checkpoint_note)
    known = {(key.name, key.id): key for key in keys}
    given = {
        (each.name, each.key_id): each
        for each in signatures
        if (each.name, each.key_id) in known and known[each.name, each.key_id].type in COSIGNATURES
    }
    if not given:
        raise NoteError("the witness gave no cosignature of a known key")
    for found in verify_note(Note(note.text, tuple(given.values())), known.values()):
        if not found.time:  # C2SP tlog-witness: it must be there
            raise NoteError(f"the cosignature of {found.key.name} states no time")
    kept = [each for each in note.signatures if (each.name, each.key_id) not in given]
    return Note(note.text, (*kept, *given.values())).format()


def endpoint(url: str) -> str:
    """Return where a witness takes checkpoints.

    :raises ValueError: if this is not a witness's URL.
    """
    if "@" in url:  # also behind a slash: it may be one in a password, which is not to be shown
        raise ValueError("a witness's URL must not have a user name or a password")
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.query
        or parts.fragment
        or not re.fullmatch("[!-~]+", url)
    ):
        raise ValueError(
            f"a witness's URL must be http or https with a host and a path only, not {url!r}"
        )
    parts.port  # noqa: B018 -- raises ValueError if it is not a number
    return f"{url.rstrip('/')}/add-checkpoint"


def _signatures(url: str, answer: bytes) -> list[Signature]:
    try:
        lines = answer.decode().split("\n")
        if lines.pop() or not 1 <= len(lines) <= MAX_SIGNATURES:
            raise NoteError("it is not lines of signatures")
        return [Signature.parse(line) for line in lines]
    except ValueError as error:  # NoteError, or no UTF-8
        raise WitnessError(f"{url} answered something other than signatures: {error}") from None


def _number(text: bytes) -> int | None:
    return int(text) if re.fullmatch(rb"0|[1-9][0-9]{0,18}", text) else None
