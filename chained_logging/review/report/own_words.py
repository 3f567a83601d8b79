"""What a log says about itself, in words for people who do not run it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.review.filter import Filter
from chained_logging.review.overview import own_entries
from chained_logging.review.query import Engine

MOST: Final = 50
KEYS: Final = ("log.open", "key.add", "key.rotate", "key.revoke")
RECOVERIES: Final = ("log.recover", "log.reopen")


class Told(NamedTuple):
    """What an entry of the log's own says.

    :ivar what: what happened, as a sentence.
    :ivar ask: what an auditor asks then.
    :ivar grave: whether somebody may have done it.
    """

    seq: int
    timestamp: str
    what: str
    ask: str = ""
    grave: bool = False


def told(engine: Engine, wanted: Filter, actions: tuple[str, ...]) -> tuple[list[Told], int]:
    """Return the newest :data:`MOST` entries with some actions, in words, and how many there are.

    They are in the order of the log.
    """
    own = own_entries(wanted, *actions)
    entries = engine.entries(own, limit=MOST).entries
    count = engine.count(own) if len(entries) == MOST else len(entries)
    return [in_words(entry) for entry in reversed(entries)], count


def in_words(entry: AuditEntry) -> Told:
    """Return what an entry of the log's own says."""
    words = _KEYS if entry.action in KEYS else _reopened if entry.action == "log.reopen" else None
    what, ask, grave = (words or _recovered)(entry)
    return Told(entry.seq, entry.timestamp, what, ask, grave)


_Words = tuple[str, str, bool]


def _keys(entry: AuditEntry) -> _Words:
    about: dict[str, Any] = entry.context
    key = _key_name(about.get("public_key"))
    if entry.action == "log.open":
        signed = f" Its key is {key}." if key else " It had no key."
        ask = "" if entry.seq == 0 else "Why did a log begin here, and not at number 0?"
        return f"The log began.{signed}", ask, entry.seq != 0
    if entry.action == "key.add":
        return f"The log got its first key: {key}.", "Was that announced? Who has the key?", False
    if entry.action == "key.rotate":
        old = _key_name(about.get("old_public_key"))
        return f"The key {old} was replaced by {key}.", "Was that planned? Who has the key?", False
    reason = f" Reason given: {entry.reason}" if entry.reason else ""
    stolen = _key_name(entry.resource_id)
    return f"The key {stolen} was revoked.{reason}", "What did it sign since it was stolen?", True


_KEYS = _keys


def _key_name(key: object) -> str:
    """Return a key as people compare it: its name and its short hash."""
    return "+".join(str(key).split("+")[:2]) if key else ""


def _reopened(entry: AuditEntry) -> _Words:
    cause = str(entry.context.get("cause", ""))
    if cause.startswith("the file was cut"):
        return (
            f"{_sentence(cause)} while a program was writing to it.",
            "Who cut it? Entries may be missing: see the verdict.",
            True,
        )
    return (
        "The file was moved, deleted or replaced while a program was writing to it. The log went "
        "on in a new file.",
        "Was it rotation? Where is the old file?",
        False,
    )


def _recovered(entry: AuditEntry) -> _Words:
    about: dict[str, Any] = entry.context
    cause, kept = str(about.get("cause", "")), about.get("kept_in")
    if about.get("rewritten") is True:
        return (
            f"The log was rewritten between two runs: {cause}.",
            "What do a shipped copy or a kept checkpoint say? This is tampering, or somebody put "
            "another file there.",
            True,
        )
    if "lost" in about:
        return _lost(cause, about["lost"])
    for start, what, ask in _CAUSES:
        if cause.startswith(start):
            piece = f" The piece was moved to {kept}." if kept else ""
            return what + piece, ask, False
    return f"The log was repaired: {cause or 'no cause was given'}.", "What happened then?", False


def _lost(cause: str, lost: object) -> _Words:
    count = f"{lost:,}" if isinstance(lost, int) else str(lost)
    entries = "entry" if lost == 1 else "entries"
    for start, doubt in (("the machine was", "was"), ("the machine may", "may have been")):
        if cause.startswith(start):
            return (
                f"The machine {doubt} restarted, and the last {count} {entries} before that had "
                "not reached the disk.",
                "Was there a power failure at that time?",
                False,
            )
    return (
        f"{count} {entries} that had been written {'is' if lost == 1 else 'are'} gone.",
        "Who cut or replaced the file?",
        True,
    )


_CAUSES: Final = (
    (
        "a torn line",
        "A program was stopped in the middle of writing an entry.",
        "Was there a crash at that time?",
    ),
    (
        "lines damaged by a power failure",
        "Power failed, and the last lines were damaged. Nothing that was promised to be on the "
        "disk was lost.",
        "Was there a power failure?",
    ),
    (
        "a sync failed",
        "The disk reported an error: entries before this one may not have reached it.",
        "What did the system's own log say of the disk?",
    ),
    (
        "the last entry was followed by lines",
        "The last entry was followed by lines that are not entries.",
        "Who wrote them?",
    ),
    (
        "lines of the spill file",
        "Some waiting events could not be read, and were set aside.",
        "What wrote to the spill file?",
    ),
)
"""How a cause begins, what happened, and what an auditor asks."""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
