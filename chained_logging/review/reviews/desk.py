"""Beginning and signing reviews: the log gets an entry about each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chained_logging.event.values import timestamp_text
from chained_logging.format.canonical import MAX_SAFE_INTEGER, canonical
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.line import MAX_BODY
from chained_logging.format.note import Note, sign_note
from chained_logging.format.vkey import ED25519, Signer, VerifierKey
from chained_logging.log import AuditLog
from chained_logging.review.alerts.book import Book
from chained_logging.review.filter import ANY
from chained_logging.review.opening import open_log
from chained_logging.review.overview import origin_of, overview
from chained_logging.review.period import Period
from chained_logging.review.query import Engine
from chained_logging.review.reading import NotRecorded, why_unwritable
from chained_logging.review.reviews.register import Register, is_emergency
from chained_logging.review.reviews.review import SIGN, START, Review, digest, statement
from chained_logging.review.reviews.summary import summary
from chained_logging.review.verdict import Verdict, judge

MEANING: Final = "review"
"""What a signature means, if nothing else is said."""
_LONGEST: Final = 10_000  # characters of a conclusion
_ROOM: Final = MAX_BODY - 4_096  # bytes of what is said: a digest would replace what is longer


def register_of(log: str, engine: Engine, keys: Sequence[VerifierKey] = ()) -> tuple[Register, str]:
    """Return the reviews of a log, and the log's name.

    :param log: the path of the log.
    :param keys: the reviewers' keys, from outside the log.
    """
    origin = origin_of(engine) or Path(log).name
    register = Register(origin, keys)
    register.read(engine)
    return register, origin


def start(
    log: str,
    period: Period,
    who: str,
    *,
    about: Sequence[int] = (),
    verdict: Verdict | None = None,
) -> Review:
    """Begin a review: draw the summary of a period, and record it.

    :param log: the path of the log.
    :param who: the reviewer, as the machine or the application knows them.
    :param about: the ``seq`` of emergency accesses, for a review of these.
    :param verdict: on the log; by default, the log is verified now.
    :raises ValueError: if an entry in `about` is not about emergency access.
    :raises NotRecorded: if the log is a copy, or somebody else's.
    :raises OSError: if the log cannot be read or written; also LogError.
    """
    _require_writable(log)
    found = verdict or judge(log)
    with open_log(log) as engine:
        for seq in about:
            _require_emergency(engine, seq)
        book = Book()
        book.read(engine)
        drawn = summary(overview(engine, found, period), book)
    context: dict[str, Any] = {"since": period.since, "until": period.until, "summary": drawn}
    if about:
        context["about"] = list(about)
    with AuditLog(log, on_failure="raise", sign="follow") as opened:
        return Review.of(opened.note(START, on_behalf_of=who, **context))


def _require_writable(log: str) -> None:
    why = why_unwritable(log)
    if why is not None:
        raise NotRecorded(f"{why}: review the log itself")


def _require_emergency(engine: Engine, seq: int) -> None:
    there = 0 <= seq <= MAX_SAFE_INTEGER
    at = engine.entries(ANY.narrowed(first_seq=seq, last_seq=seq), limit=1).entries if there else []
    if not at or not is_emergency(at[0]):
        raise ValueError(f"entry {seq} must be about emergency access: see review list")


def sign(
    log: str,
    number: int,
    who: str,
    conclusion: str,
    *,
    name: str | None = None,
    meaning: str = MEANING,
    key: Signer | None = None,
    keys: Sequence[VerifierKey] = (),
    now: dt.datetime | None = None,
) -> Review:
    """Sign a review.

    :param log: the path of the log.
    :param number: of the review.
    :param who: the reviewer, as the machine or the application knows them.
    :param name: the reviewer's name as it is printed; `who` by default.
    :param meaning: what the signature means, such as ``review`` or ``approval``.
    :param key: the reviewer's own key.
    :param keys: the reviewers' keys, from outside the log.
    :raises ValueError: if there is no such review, or what is said is empty or too long.
    :raises NotRecorded: if the log is a copy, or somebody else's.
    :raises OSError: if the log cannot be read or written; also LogError.
    """
    _require_writable(log)
    _require(conclusion, "the conclusion")
    _require(meaning, "the meaning of the signature")
    with open_log(log) as engine:
        register, origin = register_of(log, engine, keys)
    review = register.reviews.get(number)
    if review is None:
        raise ValueError(f"there is no review {number}: see chained-logging review list")
    with AuditLog(log, on_failure="raise", sign="follow") as opened:
        said = {
            "name": name or who,
            "meaning": meaning,
            "conclusion": conclusion,
            "signed_at": timestamp_text(now or dt.datetime.now(dt.UTC)),
            "summary_sha256": digest(review.drawn),
            "checkpoint": _checkpoint(opened),
        }
        own = {} if key is None else _signed(statement(origin, review, said), who, key, keys)
        if len(canonical({"said": said, **own})) > _ROOM:
            raise ValueError("the conclusion and the name must be shorter, to fit into an entry")
        register.add(
            opened.note(SIGN, on_behalf_of=who, reason=meaning, review=number, said=said, **own)
        )
    return review


def _require(text: str, what: str) -> None:
    if not text.strip():
        raise ValueError(f"{what} must not be empty")
    if len(text) > _LONGEST:
        raise ValueError(f"{what} must have at most {_LONGEST:,} characters")


def _checkpoint(log: AuditLog) -> dict[str, Any] | None:
    """Return the checkpoint that a reviewer refers to: the newest of the log."""
    newest = log.last_checkpoint()
    if newest is None:
        return None
    checkpoint = Checkpoint.parse(Note.parse(newest.note.encode()).text)
    return {"size": checkpoint.size, "root": checkpoint.root.hex()}


def _signed(text: str, who: str, key: Signer, keys: Sequence[VerifierKey]) -> dict[str, str]:
    known = next((one for one in keys if one.public_key == key.public_key), None)
    named = known or VerifierKey(_key_name(who), ED25519, key.public_key)
    note = sign_note(text, named.name, key)
    return {"key": named.format(), "note": note.format().decode()}


def _key_name(who: str) -> str:
    """Return a name that a key can have: without blanks and plus signs."""
    return "".join("-" if char.isspace() or char == "+" else char for char in who) or "reviewer"
