"""How long entries are kept: a number of days, or the name of the rule that requires it.

Each rule is here once: a store that locks entries and a policy that removes them read the same.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Standard(NamedTuple):
    """What a rule says of a period.

    :ivar clause: where it says so.
    :ivar days: how long entries are kept; None where the rule names no period.
    :ivar at_hand: for how many of these days they must be there without being fetched; None where
        the rule does not say.
    :ivar purpose: whether a purpose must be named.
    """

    clause: str
    days: int | None
    at_hand: int | None = None
    purpose: bool = False


_YEAR: Final = 366  # never shorter than twelve months

STANDARDS: Final = {
    "hipaa": Standard("45 CFR 164.316(b)(2)(i)", 6 * 365 + 2),  # six years, with two leap days
    "pci": Standard("PCI DSS 4.0.1, 10.5.1", _YEAR, 92),
    "pci-archive": Standard("PCI DSS 4.0.1, 10.5.1, and 12 months more", 2 * 365 + 1, _YEAR),
    "soc2": Standard("SOC 2, the audit period; the criteria name none", 365),
    "gdpr": Standard("GDPR Article 5(1)(e)", None, purpose=True),
    "federal": Standard("NIST SP 800-53 AU-11: 6 months at hand, 12 archived", 184 + _YEAR, 184),
}
"""The rules, by name."""

PERIODS: Final = {name: rule.days for name, rule in STANDARDS.items() if rule.days is not None}
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
