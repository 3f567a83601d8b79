"""The checklist itself: the ten points and a standard's clauses, each with its answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from chained_logging.review.checklist.answer import Answer, Found, Status
from chained_logging.review.checklist.asked import Checklist, now
from chained_logging.review.checklist.clauses import Standard, standard
from chained_logging.review.checklist.points import POINTS
from chained_logging.review.checklist.probes.every import asked
from chained_logging.review.checklist.subject import Subject
from chained_logging.review.verdict import Evidence


def checked(
    log: str,
    name: str,
    *,
    origin: str | None = None,
    stores: Sequence[str] = (),
    evidence: Evidence | None = None,
) -> list[Answer]:
    """Return how it is with the ten points, and with each clause of a standard.

    Nothing is changed, and nothing is raised for what cannot be looked at: the answer says so.

    :param log: the path of a log, or the URL of a central store.
    :param name: of :data:`chained_logging.review.checklist.clauses.NAMES`.
    :param origin: the name of the log, where a store holds several.
    :param stores: URLs of stores that hold the log, beside those that are configured.
    :param evidence: what to check the log with.
    :raises ValueError: if there is no such standard.
    """
    return list(gone_through(log, name, origin, tuple(stores), evidence or Evidence()).answers)


def gone_through(
    log: str, name: str, origin: str | None, stores: tuple[str, ...], evidence: Evidence
) -> Checklist:
    """Return the same with what was asked, and when.

    :raises: as :func:`checked`.
    """
    wanted, begun = standard(name), now()
    subject = Subject(log, origin, stores, evidence)
    try:
        answers = tuple(_answers(subject, wanted))
        return Checklist(subject.name, wanted, answers, begun, now())
    finally:
        subject.close()


def _answers(subject: Subject, wanted: Standard) -> Iterator[Answer]:
    look = cache(lambda call: asked(subject, call))  # many clauses ask the same

    def found(probes: Iterable[str]) -> tuple[Found, ...]:
        return tuple(look(one.format(days=wanted.days, review=wanted.review)) for one in probes)

    for number, point in enumerate(POINTS, 1):
        yield Answer(
            "point", str(number), point.title, found(point.probes), point.gives, point.yours
        )
    for clause in wanted.clauses:
        yield Answer(
            "clause",
            clause.clause,
            clause.quote,
            found(clause.probes),
            clause.gives,
            clause.yours,
            clause.beyond,
        )


def worst(answers: Iterable[Answer]) -> Status:
    """Return how it is with all of them: not met if one is not met."""
    statuses = {one.status for one in answers}
    return next((s for s in (Status.NOT_MET, Status.UNSEEN) if s in statuses), Status.MET)
