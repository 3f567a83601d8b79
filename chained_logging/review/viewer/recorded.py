"""Each page that shows entries passes here before it is sent: reading the log is an entry in it."""

from __future__ import annotations

from chained_logging.review.reading import NotRecorded, Reader, Reading, Rules, record
from chained_logging.review.viewer.access import Access


def recorded(log: str, access: Access, reading: Reading, rules: Rules) -> str | None:
    """Record that somebody reads a log.

    :param log: a path, or the URL of a central store.
    :returns: why it could not be recorded, for the page to say; None if it was.
    :raises NotRecorded: if it must be.
    """
    rules.check(reading)
    try:
        record(log, reading, Reader(access.user, access.about), rules.elsewhere)
    except NotRecorded as problem:
        why = f": {problem}" if access.whole else ""  # it names files of the server
        if rules.recorded:
            raise NotRecorded(f"this reading must be recorded, and it cannot be{why}") from problem
        return f"This reading is not recorded{why}"
    return None
