"""Anchors: have others, outside this host, sign what the log said about itself.

A checkpoint that only its own log keeps proves nothing against a holder of the log's keys. Here the
newest one is taken to witnesses, which cosign it if the log merely grew since they last saw it
(:mod:`chained_logging.transparency.witness`), and to a timestamp authority
(:mod:`chained_logging.transparency.timestamps`). What they answer is kept beside the log, with the
checkpoint, and ``verify --witness-key`` and ``--timestamp-root`` check it without a network.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from chained_logging.errors import BrokenLog, NetError, NoCheckpoint
from chained_logging.format.merkle import Frontier
from chained_logging.format.note import Signature
from chained_logging.format.record import StoredCheckpoint
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import VerifierKey
from chained_logging.log import AuditLog
from chained_logging.net.client import Client
from chained_logging.sinks.checkpoints import frontier, signed_by_any
from chained_logging.transparency import timestamps
from chained_logging.transparency.proof import growth_proof
from chained_logging.transparency.witness.client import (
    WitnessConflict,
    WitnessError,
    ask,
    endpoint,
    with_cosignatures,
)


class Anchored(NamedTuple):
    """What became of a checkpoint."""

    note: bytes
    """With the cosignatures under it: keep a copy elsewhere."""
    failures: list[str]
    """A sentence for each witness or authority that did not sign."""


def anchor(
    log: AuditLog,
    *,
    witnesses: Sequence[str] = (),
    witness_keys: Sequence[VerifierKey] = (),
    timestamp_url: str | None = None,
    timeout: float = 10.0,
    client: Client | None = None,
) -> Anchored:
    """Have the newest checkpoint of a log cosigned and timestamped, and keep that beside it.

    A witness that does not answer hinders no other; call this again later. Nothing is locked
    while others are asked, so the log goes on meanwhile.

    :param witnesses: the submission prefix of each, ``https://witness.example/w1``.
    :param witness_keys: their keys, of type 0x04 or 0x06; what others sign is not kept.
    :param timestamp_url: an RFC 3161 authority.
    :param timeout: seconds, for each request to each of them.
    :param client: what keeps connections to the witnesses until the next call; by default they are
        kept for this one.
    :raises NoCheckpoint: if the log has no checkpoint.
    :raises OSError: if it cannot be read or written; also LogError.
    :raises ValueError: if a URL is not valid.
    :raises ImportError: if `timestamp_url` is given and `rfc3161-client` is not installed.
    """
    check_urls(witnesses, timestamp_url)
    newest = log.last_checkpoint()
    if newest is None:
        raise NoCheckpoint(f"{log.path} has no checkpoint to anchor: give the log a key")
    note, failures = newest.note.encode(), []
    with ExitStack() as closing:
        kept = client or closing.enter_context(Client())
        for url in witnesses:
            try:
                signatures = _cosignatures(log, newest, url, witness_keys, timeout, kept)
                note = with_cosignatures(note, signatures, witness_keys)
            except (WitnessError, NoteError) as error:
                failures.append(f"{url}: {error}")
    stamp = None
    if timestamp_url is not None:
        try:
            # Last: it is over all signatures under the note.
            stamp = timestamps.encode(timestamps.fetch(timestamp_url, note, timeout))
        except (OSError, NetError, timestamps.TimestampError) as error:
            failures.append(str(error))
    if stamp is not None or note != newest.note.encode():
        log.keep_anchored(note, stamp)
    return Anchored(note, failures)


def check_urls(witnesses: Sequence[str], timestamp_url: str | None) -> None:
    """Check the URLs that :func:`anchor` takes.

    :raises ValueError: if one is not valid.
    """
    for url in witnesses:
        endpoint(url)
    if timestamp_url is not None:
        timestamps.shown_url(timestamp_url)


def _cosignatures(
    log: AuditLog,
    newest: StoredCheckpoint,
    url: str,
    keys: Sequence[VerifierKey],
    timeout: float,
    client: Client,
) -> list[Signature]:
    """Ask one witness; what size it holds is known from its last cosignature, or from itself."""
    held = _cosigned_size(log, keys)
    for _ in range(3):  # another process may have been there in between
        proof = growth_proof(_tree(log, held), log.stored(held), newest.size) if held else []
        try:
            return ask(url, held, proof, newest.note.encode(), timeout=timeout, client=client)
        except WitnessConflict as conflict:
            held = conflict.size
            if held > newest.size:
                raise WitnessError(
                    f"it cosigned {held:,} entries of this log, which now has {newest.size:,}: the "
                    "log was rolled back, or its key signs another log of this name"
                ) from None
    raise WitnessError("it names another size each time it is asked")


def _cosigned_size(log: AuditLog, keys: Sequence[VerifierKey]) -> int:
    """Return how many entries the newest checkpoint covers that one of these witnesses signed."""
    names = [key.name for key in keys]  # looked for first: parsing each would take minutes
    named = [one for one in log.checkpoints() if any(name in one.note for name in names)]
    named.sort(key=lambda one: -one.size)
    return next((one.size for one in named if signed_by_any(one, keys)), 0)


def _tree(log: AuditLog, size: int) -> Frontier:
    # Those first of which it is known here that they are the log's own: others may write there.
    for one in (*log.own_checkpoints(), *log.checkpoints()):
        if one.size == size:
            with contextlib.suppress(BrokenLog):  # its tree was edited
                return frontier(one)
    tree = Frontier()
    for record in itertools.islice(log.stored(), size):
        tree.append(bytes.fromhex(record.hash))
    if tree.size < size:
        raise WitnessError(f"it cosigned {size:,} entries, and the log has {tree.size:,}")
    return tree
