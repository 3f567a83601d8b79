"""The detectors of the package, each under a name of its own."""

from __future__ import annotations

from chained_logging.review.detect.shipped import shipped


def test_their_names_differ() -> None:
    names = [detector.name for detector in shipped()]
    assert len(names) == len(set(names))
