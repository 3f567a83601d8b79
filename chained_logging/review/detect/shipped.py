"""The detectors that this package has."""

from __future__ import annotations

from chained_logging.review.detect.detector import RuleDetector
from chained_logging.review.detect.finding import Detector


def shipped() -> list[Detector]:
    """Return new ones of each kind."""
    return [RuleDetector()]
