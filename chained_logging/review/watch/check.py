"""What a check found."""

from __future__ import annotations

from typing import Any, NamedTuple

from chained_logging.review.detect.finding import Finding, Severity


class Check(NamedTuple):
    """One thing that was looked at.

    :ivar name: of the check, such as ``intact``.
    :ivar subject: what it is about, such as a destination. It holds no secret.
    :ivar ok: whether all is well; None if that could not be found out.
    :ivar sentence: what was found, in plain words.
    :ivar severity: how bad it is if it is not well.
    :ivar value: the number that was looked at, if there is one.
    """

    name: str
    subject: str
    ok: bool | None
    sentence: str
    severity: Severity = "high"
    value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as programs get it."""
        return self._asdict()

    def finding(self, now: str) -> Finding:
        """Return it as something that somebody should look at.

        :param now: the time, in the form of an entry's ``timestamp``.
        """
        rule = f"watch-{self.name}"
        return Finding(rule, self.severity, self.subject, (), 0, now, now, self.sentence)
