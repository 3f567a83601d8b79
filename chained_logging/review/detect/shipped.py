"""The detectors that this package has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from chained_logging.review.detect.detector import RuleDetector
from chained_logging.review.detect.finding import Detector


def shipped(rules: Iterable[Path] = ()) -> list[Detector]:
    """Return new ones of each kind.

    :param rules: files or folders of rules in Sigma's form, which are run as well.
    :raises RuleError: if one of these cannot be run.
    :raises ImportError: without the extra ``sigma``, if there are such files.
    """
    paths = list(rules)
    found: list[Detector] = [RuleDetector()]
    if paths:
        found.append(RuleDetector(sigma().load(paths), name="own rules"))
    return found


def sigma() -> ModuleType:
    """Return the module that makes rules of YAML.

    :raises ImportError: without the extra ``sigma``.
    """
    try:
        from chained_logging.review.detect import sigma as module
    except ImportError:
        raise ImportError("rules need pip install 'chained_logging[sigma]'") from None
    return module
