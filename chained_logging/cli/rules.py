"""``rules``: what the detectors look for, and whether rules of one's own can be run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from chained_logging.cli.output import complain, say
from chained_logging.cli.types import FilePath
from chained_logging.review.detect.rule import Rule, shipped


@click.command()
@click.argument("paths", type=FilePath(exists=True), nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one rule a line, with its SQL.")
def rules(paths: Sequence[str], as_json: bool) -> None:
    """List the rules of the package; or of PATHS, files or folders in Sigma's form.

    Exit status 0: all can be run. 2: some cannot, and standard error says why.
    """
    found, refused = (list(shipped()), []) if not paths else _loaded(paths)
    for rule in found:
        if as_json:
            say(json.dumps(_plain(rule)))
        elif rule.raises:
            say(f"{rule.severity:<13} {rule.name}: {rule.why}")
    for problem in refused:
        complain(problem)
    sys.exit(2 if refused else 0)


def _loaded(paths: Sequence[str]) -> tuple[list[Rule], list[str]]:
    from chained_logging.review.detect.shipped import sigma

    found, refused = sigma().load_some(map(Path, paths))
    return found, refused


def _plain(rule: Rule) -> dict[str, Any]:
    return {**rule._asdict(), "correlation": rule.correlation and rule.correlation._asdict()}
