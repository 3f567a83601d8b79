"""The options of a log that its parts need, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

DURABILITIES: Final = ("os", "fsync")
POLICIES: Final = ("continue", "raise")
SIGNING: Final = ("checkpoint", "each", "follow")

ORIGIN: Final = re.compile(r"[^\s+\x00-\x1f\x7f]{1,1024}")
"""What a C2SP signed note allows as a name: no spaces, no plus sign."""


@dataclass(frozen=True, slots=True)
class Options:
    """See :class:`chained_logging.AuditLog`, which has the meaning and unit of each."""

    durability: str
    on_failure: str
    origin: str | None
    sync_interval: float
    max_bytes: int | None
    max_age: float | None
    timeout: float
    sign: str
    checkpoint_every: int
    checkpoint_interval: float
    heartbeat: float | None

    def __post_init__(self) -> None:
        """Check the values.

        :raises ValueError: if one is not valid.
        """
        if self.durability not in DURABILITIES:
            raise ValueError(f"durability must be 'os' or 'fsync', not {self.durability!r}")
        if self.on_failure not in POLICIES:
            raise ValueError(f"on_failure must be 'continue' or 'raise', not {self.on_failure!r}")
        if self.sign not in SIGNING:
            raise ValueError(f"sign must be 'checkpoint', 'each' or 'follow', not {self.sign!r}")
        if self.origin is not None and not ORIGIN.fullmatch(self.origin):
            raise ValueError(
                "origin must be 1 to 1,024 characters, without spaces, plus signs or control "
                "characters"
            )
        if self.timeout < 0:
            raise ValueError("timeout must be a number of seconds, 0 or more")
        if self.checkpoint_every <= 0 or self.checkpoint_interval <= 0:
            raise ValueError("checkpoint_every and checkpoint_interval must be above 0")
        _require_positive("sync_interval", self.sync_interval, "seconds")
        _require_positive("max_bytes", self.max_bytes, "bytes")
        _require_positive("max_age", self.max_age, "seconds")
        _require_positive("heartbeat", self.heartbeat, "seconds")

    @property
    def synced(self) -> bool:
        """Whether a call returns only once its entry is on the disk."""
        return self.durability == "fsync"

    @property
    def follows(self) -> bool:
        """Whether a tool opened somebody else's log, and signs as that log does."""
        return self.sign == "follow"


def _require_positive(name: str, value: float | None, unit: str) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{name} must be a number of {unit} above 0")
