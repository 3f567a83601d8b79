"""Checkpoints: signed statements of a log's size and Merkle root, which vouch for all before them.

A checkpoint is a C2SP ``tlog-checkpoint`` in a ``signed-note``: three lines, origin, size and
root (RFC 6962 section 2.1, over the entries' bodies), and a signature. One costs what it takes
to hash the entries since the last one, and one signature.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterable

from chained_logging.errors import BrokenLog
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import Frontier, ProofError
from chained_logging.format.note import Note, sign_note, verify_note
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.format.spelling import NoteError
from chained_logging.format.stub import Stub
from chained_logging.format.vkey import Signer, VerifierKey


def frontier(stored: StoredCheckpoint | None) -> Frontier:
    """Return the tree at a checkpoint, checked against its root.

    :raises BrokenLog: if the two do not agree: the file of checkpoints was edited.
    """
    if stored is None:
        return Frontier()
    try:
        tree = Frontier.from_bytes(base64.b64decode(stored.state, validate=True))
        said = Checkpoint.parse(Note.parse(stored.note.encode()).text)
    except (NoteError, ProofError, ValueError) as error:
        raise BrokenLog(f"the stored checkpoint of size {stored.size} is broken: {error}") from None
    if (said.size, said.root, stored.size) != (tree.size, tree.root(), tree.size):
        raise BrokenLog(f"the stored checkpoint of size {stored.size} does not match its own tree")
    return tree


def tree_at(
    stored: StoredCheckpoint | None, read: Callable[[], Iterable[Record | Stub]]
) -> Frontier:
    """Return the tree at a checkpoint that a key of the log signed.

    The key did not sign the state that is kept with it. One that does not lead to the root that it
    did sign is not used: the tree is made of the entries.

    :param read: returns what the log holds, from the first entry on.
    :raises BrokenLog: if the entries have another root: they were changed since.
    """
    with contextlib.suppress(BrokenLog):
        return frontier(stored)
    said = Checkpoint.parse(Note.parse(stored.note.encode()).text) if stored else None
    tree = Frontier()
    for record in read():
        if said is None or record.seq != tree.size or tree.size == said.size:
            break
        tree.append(bytes.fromhex(record.hash))
    if said is None or (tree.size, tree.root()) != (said.size, said.root):
        raise BrokenLog(
            "the entries are not those that the log's key signed: they were changed since; the "
            "command verify names every change"
        )
    return tree


def make(
    tree: Frontier, records: Iterable[Record | Stub], origin: str, signer: Signer
) -> StoredCheckpoint:
    """Return the checkpoint after `records`, with which `tree` is grown.

    :raises BrokenLog: if the records do not continue the tree.
    :raises Exception: what the signer raises.
    """
    for record in records:
        if record.seq != tree.size:
            raise BrokenLog(f"entry {tree.size} is not in the log, and {record.seq} is")
        tree.append(bytes.fromhex(record.hash))
    return sign(tree, origin, signer)


def sign(tree: Frontier, origin: str, signer: Signer) -> StoredCheckpoint:
    """Return the checkpoint over a tree as it is now.

    :raises Exception: what the signer raises.
    """
    text = Checkpoint(origin, tree.size, tree.root()).format()
    note = sign_note(text, origin, signer).format().decode()
    return StoredCheckpoint(note, tree.size, base64.b64encode(tree.to_bytes()).decode())


def signed_by_any(stored: StoredCheckpoint, keys: Iterable[VerifierKey]) -> bool:
    """Whether one of these keys signed a stored checkpoint, and of the size it is kept under.
    Others may write to its file."""
    try:
        note = Note.parse(stored.note.encode())
        return Checkpoint.parse(note.text).size == stored.size and bool(verify_note(note, keys))
    except (NoteError, ValueError):
        return False


def pretends(stored: StoredCheckpoint, keys: Iterable[VerifierKey]) -> bool:
    """Whether a stored checkpoint is not a note, or bears the name of one of these keys, which did
    not sign it."""
    known = list(keys)
    try:
        signatures = Note.parse(stored.note.encode()).signatures
    except (NoteError, ValueError):
        return True
    ids = {(key.name, key.id) for key in known}
    named = any((each.name, each.key_id) in ids for each in signatures)
    return named and not signed_by_any(stored, known)
