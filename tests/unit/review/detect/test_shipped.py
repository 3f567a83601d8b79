"""The detectors of the package, each under a name of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chained_logging.review import detect
from chained_logging.review.detect.baselines.detector import Baselines
from chained_logging.review.detect.bench import RuleError
from chained_logging.review.detect.shipped import shipped


def test_their_names_differ() -> None:
    names = [detector.name for detector in shipped()]
    assert len(names) == len(set(names))


def test_rules_of_ones_own_are_a_detector_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sigma.backends.sqlite", reason="pySigma-backend-sqlite is not installed")
    (tmp_path / "one.yml").write_text(
        "title: It\nlogsource: {product: aws}\ndetection: {s: {a: b}, condition: s}\n"
    )
    names = [detector.name for detector in shipped([tmp_path])]
    assert names[: len(shipped())] == [detector.name for detector in shipped()]
    assert names[-1] == "own rules"
    monkeypatch.setenv("CHAINED_LOGGING_ALERT_RULES", str(tmp_path))
    assert [detector.name for detector in shipped()] == names
    (tmp_path / "two.yml").write_text("title: It\n")
    with pytest.raises(RuleError, match=r"two\.yml"):
        shipped([tmp_path])


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "chained_logging.review.detect.sigma", None)
    monkeypatch.delattr(detect, "sigma", raising=False)
    assert shipped()
    with pytest.raises(ImportError, match=r"chained_logging\[sigma\]"):
        shipped([tmp_path])


def test_the_zone_and_the_holidays_are_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINED_LOGGING_PEOPLE_ZONE", "Europe/Berlin")
    monkeypatch.setenv("CHAINED_LOGGING_PEOPLE_HOLIDAYS", "2026-12-25 2026-12-26")
    (found,) = [one for one in shipped() if isinstance(one, Baselines)]
    assert found.calendar.name == "Europe/Berlin,2026-12-25,2026-12-26"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [("ZONE", "Nowhere/Land", "no zone"), ("HOLIDAYS", "christmas", "must be dates")],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(f"CHAINED_LOGGING_PEOPLE_{name}", value)
    with pytest.raises(ValueError, match=problem):
        shipped()
