"""When an event was recorded, and the identifier that this makes for it."""

from __future__ import annotations

import os
import re
import time


def uuid7(now: int) -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7) for a time in nanoseconds since 1970.

    All its other 74 bits are random, from the kernel. They are fetched for 16 at
    a time (for 256 it took 90 µs, which one call in 256 had to wait for), and
    thrown away by a forked child, which would repeat its parent's.
    """
    global _milli, _random_owner
    if _random_owner != os.getpid():  # 60 ns; C code that forks may call no hook
        _random.clear()
        _random_owner = os.getpid()
    ms = now // 1_000_000
    cached, text = _milli
    if cached != ms:
        digits = f"{min(max(ms, 0), _LAST_MILLI):012x}"  # a clock may say anything
        text = f"{digits[:8]}-{digits[8:]}-"
        _milli = (ms, text)
    try:
        return text + _random.pop()
    except IndexError:
        # This thread's own is not put with the rest: other threads may take all of these at once.
        own, *rest = _random_parts(bytearray(os.urandom(10 * 16)))
        _random.extend(rest)
        return text + own


def _random_parts(data: bytearray) -> list[str]:
    """Return the third to fifth part of as many UUIDs as there are ten bytes, version 7."""
    data[0::10] = data[0::10].translate(_VERSION)
    data[2::10] = data[2::10].translate(_VARIANT)
    return list(map("-".join, _PARTS.findall(data.hex())))


_PARTS = re.compile("(.{4})(.{4})(.{12})")
_VERSION = bytes(byte & 0x0F | 0x70 for byte in range(256))
_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))
_LAST_MILLI = 2**48 - 1
_milli: tuple[int, str] = (-1, "")
_random: list[str] = []
_random_owner = os.getpid()

# The first and the last second that RFC 3339 can write with Python's calendar.
_YEAR_1, _YEAR_9999 = -62_135_596_800, 253_402_300_799
_second: tuple[int, str] = (-1, "")


def timestamp(now: int) -> str:
    """Return nanoseconds since 1970 as RFC 3339 in UTC, with microseconds."""
    global _second
    second, nanos = divmod(now, 1_000_000_000)
    cached, text = _second  # strftime takes 1 µs and changes once a second
    if cached != second:
        year, month, day, *clock = time.gmtime(min(max(second, _YEAR_1), _YEAR_9999))[:6]
        text = "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}".format(year, month, day, *clock)
        _second = (second, text)
    return f"{text}.{nanos // 1000:06d}Z"
