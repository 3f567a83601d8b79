"""The detectors that this package has."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from chained_logging import config
from chained_logging.review.detect.baselines.detector import Baselines
from chained_logging.review.detect.detector import RuleDetector
from chained_logging.review.detect.finding import Detector


def shipped(rules: Iterable[Path] = ()) -> list[Detector]:
    """Return new ones of each kind, as they are configured.

    :param rules: files or folders of rules in Sigma's form, which are run as well; none for those
        of the setting ``alert_rules``.
    :raises RuleError: if one of these cannot be run.
    :raises ImportError: without the extra ``sigma``, if there are such files.
    :raises ConfigError: if the configuration cannot be read.
    :raises ValueError: if a time zone or a holiday in it is not one.
    """
    configured = config.alerting().get("rules")
    paths = list(rules) or [Path(path) for path in (configured,) if path is not None]
    found: list[Detector] = [RuleDetector(), _baselines()]
    if paths:
        found.append(RuleDetector(sigma().load(paths), name="own rules"))
    return found


def _baselines() -> Baselines:
    given = config.detecting()
    holidays = [_date(day) for day in given.get("holidays", ())]
    return Baselines(given.get("zone", "UTC"), holidays)


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"people_holidays must be dates such as 2026-12-25, not {text!r}"
        ) from None


def sigma() -> ModuleType:
    """Return the module that makes rules of YAML.

    :raises ImportError: without the extra ``sigma``.
    """
    try:
        from chained_logging.review.detect import sigma as module
    except ImportError:
        raise ImportError("rules need pip install 'chained_logging[sigma]'") from None
    return module
