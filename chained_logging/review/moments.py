"""Times as people write them: dates, local times, and spans such as ``30d``."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from chained_logging.event.values import timestamp_text
from chained_logging.text import printable

_SPAN: Final = re.compile(r"([0-9]{1,9})\s*([smhdwy])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_DAYS_AGO: Final = {"today": 0, "yesterday": 1}
_DATE_IN_UTC: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Zz]")
_ZONED: Final = re.compile(r"(.+)\[([A-Za-z0-9_+/-]{1,64})\]")


def moment(text: str, *, now: dt.datetime | None = None, latest: bool = False) -> str:
    """Return a time in the form that entries have: UTC, with microseconds.

    :param text: a span before now (``90m``, ``12h``, ``30d``, ``2w``, ``1y``), ``now``, ``today``,
        ``yesterday``, a date for its beginning, or an RFC 3339 time. Without an offset or a zone
        (``2026-10-01[Europe/Berlin]``) it is in the local time of this machine.
    :param now: what spans are counted from; None for the clock.
    :param latest: of a local time that occurs twice, when clocks go back, take the later one.
    :raises ValueError: if it is something else.
    """
    now = now or dt.datetime.now(dt.UTC)
    text = text.strip()
    try:
        return timestamp_text(_parsed(text, now, latest))
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            "must be a date (2026-10-01), a time (2026-10-01T09:30, with Z or +02:00 unless it is "
            f"local), or a span before now (30d, 12h), not {printable(text)!r}"
        ) from None


def _parsed(text: str, now: dt.datetime, latest: bool) -> dt.datetime:
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now - dt.timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
    if text == "now":
        return now
    if text in _DAYS_AGO:
        day = now.astimezone().date() - dt.timedelta(days=_DAYS_AGO[text])
        return dt.datetime(day.year, day.month, day.day).astimezone()
    zoned = _ZONED.fullmatch(text)
    written = zoned[1] if zoned else _DATE_IN_UTC.sub(r"\1T00:00Z", text)
    found = dt.datetime.fromisoformat(written)
    if found.tzinfo is not None:
        return found
    if zoned:
        found = found.replace(tzinfo=_zone(zoned[2]))
    return found.replace(fold=int(latest)).astimezone(dt.UTC)


def _zone(name: str) -> dt.tzinfo:
    import zoneinfo  # only for who names a zone

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError):
        raise ValueError from None


def spoken(timestamp: str) -> str:
    """Return an entry's timestamp as short as it is exact: ``2026-10-01T09:30:00Z``."""
    return timestamp.replace(".000000Z", "Z")


def spoken_length(length: dt.timedelta) -> str:
    """Return a length of time in its two largest units: ``3 days 4 hours``."""
    seconds = int(length.total_seconds())
    parts = []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:,} {name}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "0 seconds"
