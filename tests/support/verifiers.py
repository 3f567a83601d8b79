"""Both verifiers: the package's, and its file alone, which has the standard library and no more."""

from __future__ import annotations

import functools
import importlib.util
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
import ready

import chained_logging.verify  # noqa: F401  # the module, which a function of its name hides

MODULE = sys.modules["chained_logging.verify"]
FILE = Path(MODULE.__file__ or "")


def _alone() -> ModuleType:
    """Import the file as it is where nothing is installed."""
    spec = importlib.util.spec_from_file_location("verify_alone", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with mock.patch.dict(sys.modules, orjson=None):
        spec.loader.exec_module(module)
    return module


ALONE = _alone()


def check(*paths: Path, **options: Any) -> Any:
    """Verify with both, which must agree in all that they say, and return the report."""
    reports = [module.verify(*paths, **options) for module in (MODULE, ALONE)]
    assert asdict(reports[0]) == asdict(reports[1])
    return reports[0]


class _Here:
    """What `_Started` is, without the process: most of a small part's time is its start."""

    def __init__(self, module: ModuleType, task: dict[str, Any]) -> None:
        self._said = json.dumps(module._found_in_part(json.loads(json.dumps(task)))).encode()

    def result(self) -> bytes:
        return self._said

    def stop(self) -> None:
        pass


def parts_of(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both verify parts of a few bytes each, by themselves, where ``jobs`` are asked for."""
    for module in (MODULE, ALONE):
        monkeypatch.setattr(module, "_PART", size)
        for start in ("_Forked", "_Started"):
            monkeypatch.setattr(module, start, functools.partial(_Here, module))


ALONE_COMMAND = [sys.executable, "-I", "-S", str(FILE)]


def cpu_of(command: Sequence[object], said: list[str] | None = None) -> float:
    """Return the seconds of a processor that a program takes, and keep what it says."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if said is not None:
        said.append(done.stdout)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def kinds(*paths: Path, **options: Any) -> set[tuple[str, str | None]]:
    """Return the kind and the field of each fault."""
    return {(fault.kind, fault.field) for fault in check(*paths, **options).faults}


def run(*arguments: object, alone: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the file alone, as an auditor does; or the command."""
    if not alone and not options:
        return ready.run(["verify", *map(str, arguments)])
    command = list(ALONE_COMMAND)
    if not alone:
        command = [sys.executable, "-m", "chained_logging", "verify"]
    command += map(str, arguments)
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, **options
    )
