"""Whether a log is looked after, in one answer: for a load balancer, a timer, a person."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chained_logging.errors import FAILURES, ChainedLoggingError
from chained_logging.review.opening import open_log
from chained_logging.review.watch.check import Check
from chained_logging.review.watch.conditions import Limits, conditions


@dataclasses.dataclass(frozen=True)
class Health:
    """What was looked at, at a time in seconds since 1970. Nothing was verified."""

    at: float
    checks: tuple[Check, ...]

    @property
    def status(self) -> str:
        """``well``; ``unwell`` if a check says so; or ``unknown``, if one could not be made."""
        if any(check.ok is False for check in self.checks):
            return "unwell"
        return "unknown" if any(check.ok is None for check in self.checks) else "well"

    def to_dict(self) -> dict[str, Any]:
        """Return it as programs get it."""
        checks = [check.to_dict() for check in self.checks]
        return {"status": self.status, "at": round(self.at, 3), "checks": checks}


def health(log: str, limits: Limits | None = None, *, witness_keys: Sequence[str] = ()) -> Health:
    """Look at everything around a log. What a watch verified, the log's entries say.

    :param log: the path of a log.
    :param witness_keys: keys of its witnesses, each as a ``vkey``.
    """
    now, path = time.time(), Path(log)
    try:
        with open_log(log) as engine:
            found = conditions(path, engine, limits or Limits(), witness_keys=witness_keys, now=now)
            return Health(now, tuple(found))
    except (*FAILURES, ChainedLoggingError, ValueError) as error:
        return Health(now, (Check("readable", path.name, False, str(error), "critical"),))
