"""Random draws that are the same on each machine and in each version of Python."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any


class Chance:
    """Draws that depend on names alone, such as a seed, a person and a day.

    ``random.Random.random`` is the one method whose results Python promises to keep, so all else is
    made from it.
    """

    def __init__(self, *names: object) -> None:
        self.random = random.Random("/".join(map(str, names))).random

    def happens(self, probability: float) -> bool:
        return self.random() < probability

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.random()

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.random() * len(choices))]

    def skewed(self, choices: Sequence[Any]) -> Any:
        """Return one of some choices. The first ones come most often."""
        return choices[int(self.random() ** 2 * len(choices))]

    def weighted(self, choices: Sequence[Any], weights: Sequence[float]) -> Any:
        left = self.random() * sum(weights)
        for choice, weight in zip(choices, weights, strict=True):
            left -= weight
            if left < 0:
                return choice
        return choices[-1]

    def some(self, choices: Sequence[Any], count: int) -> list[Any]:
        """Return up to `count` different ones of some choices, in a random order."""
        left = list(choices)
        found = []
        while left and len(found) < count:
            found.append(left.pop(int(self.random() * len(left))))
        return found

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        angle, size = self.random() * math.tau, 1.0 - self.random()
        return mean + deviation * math.sqrt(-2.0 * math.log(size)) * math.cos(angle)

    def scaled(self, median: float, spread: float) -> float:
        """Return a number around a median, log-normal: `spread` 0.35 is about a third."""
        return median * math.exp(self.normal(0.0, spread))

    def count(self, mean: float) -> int:
        """Return how often something happens that happens `mean` times (Poisson)."""
        if mean > 30:
            return max(0, round(self.normal(mean, math.sqrt(mean))))
        left, found = math.exp(-mean), 0
        product = self.random()
        while product > left:
            product *= self.random()
            found += 1
        return found
