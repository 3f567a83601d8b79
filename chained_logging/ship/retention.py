"""How long entries are kept: a number of days, or the name of the rule that requires it."""

from __future__ import annotations

import re
from typing import Final

PERIODS: Final = {
    "soc2": 365,  # the usual audit period; the criteria name none
    "hipaa": 6 * 365 + 2,  # 45 CFR 164.316(b)(2)(i): six years, with two leap days
    "pci": 2 * 365 + 1,  # 12 months online (PCI DSS 10.5.1), and 12 in the archive
}
"""Days, by rule. GDPR names no period: it requires a purpose and an end that you set yourself."""

_UNITS: Final = {"d": 1, "w": 7, "m": 31, "y": 366}
_PERIOD = re.compile(r"([1-9][0-9]{0,4})([dwmy])")


def retention_days(text: str) -> int:
    """Return a period in days, rounded up: ``hipaa``, ``soc2``, ``pci``, ``90d``, ``18m``, ``6y``.

    :raises ValueError: for any other text.
    """
    name = text.strip().lower()
    if name in PERIODS:
        return PERIODS[name]
    found = _PERIOD.fullmatch(name)
    if found is None:
        raise ValueError(
            f"a retention must be one of {', '.join(PERIODS)}, or a number of days, weeks, months "
            f"or years such as 90d, 18m or 6y, not {text!r}"
        )
    return int(found[1]) * _UNITS[found[2]]
