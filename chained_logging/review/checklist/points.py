"""Ten points that hold for any audit log, whatever the standard."""

from __future__ import annotations

from typing import Final, NamedTuple


class Point(NamedTuple):
    """Something that an audit log must do.

    :ivar probes: the probes that it needs, as :func:`.probes.every.asked` takes them. ``{days}`` is
        the retention that the standard asks, ``{review}`` the days between two reviews.
    :ivar gives: what an audit log gives.
    :ivar yours: what stays the reader's own duty.
    """

    title: str
    probes: tuple[str, ...]
    gives: str
    yours: str


POINTS: Final = (
    Point(
        "All required fields",
        ("fields",),
        "who, what, on which resource, when, from where, with what result; an incomplete entry is "
        "marked and counted",
        "to tag each place that matters: an action that is not tagged leaves no entry",
    ),
    Point(
        "Tamper evidence",
        ("intact", "signed", "outside"),
        "a hash chain, signed checkpoints, and copies of them outside the log",
        "the private key, and an auditor who has the public key from elsewhere",
    ),
    Point(
        "Append-only storage",
        ("modes", "append_only"),
        "triggers and grants in PostgreSQL, Object Lock in S3",
        "who administers the stores",
    ),
    Point(
        "Central aggregation",
        ("shipped",),
        "the shipper, and the store's own word for how far it came",
        "the stores",
    ),
    Point(
        "Retention",
        ("kept {days}",),
        "stores that keep entries for a period, and a log from which none is missing",
        "to decide the period",
    ),
    Point(
        "Alerts",
        ("detection", "delivery"),
        "rules and baselines, and an entry for each alert",
        "to answer them",
    ),
    Point(
        "Periodic review",
        ("reviewed {review}",),
        "a review with a conclusion, signed and in the log",
        "to review",
    ),
    Point(
        "Access to the log is audited",
        ("reads",),
        "an entry for each reading by commands and the viewer: who, what, why",
        "the system's own audit of the file, and the database's of its tables",
    ),
    Point(
        "A backup apart from the log",
        ("backed_up",),
        "a backup that was restored and compared with the log",
        "another disk, account or place for it",
    ),
    Point(
        "Storage that nobody can delete from (WORM)",
        ("worm",),
        "Object Lock in COMPLIANCE mode, checked object by object",
        "the bucket and its account",
    ),
)
