"""What every run does, and what only ``nox -s thorough`` does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def some(values: Iterable[Any], every: int) -> list[Any]:
    """Return parameters for a test: one of `every` runs always, the others if it is thorough.

    :param values: each one value, or a tuple for several names.
    """
    return [
        value
        if number % every == 0
        else pytest.param(
            *(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.long
        )
        for number, value in enumerate(values)
    ]
