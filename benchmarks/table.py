"""The figures of a benchmark, printed as they come, and how long a command takes."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path


class Table:
    """Figures by name, printed as they come."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}

    def line(self, name: str, value: float, unit: str, *ratios: str) -> None:
        self.found[name] = value
        text = f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        print(f"{name:<44} {text:>12} {unit:<11} {'; '.join(ratios)}", flush=True)

    def head(self, text: str) -> None:
        print(f"\n{text}")

    def ratio(self, name: str, other: str) -> float:
        return self.found[name] / self.found[other]


def run(*command: str) -> tuple[float, float]:
    """Return a command's seconds and its peak of resident memory in MiB.

    The peak is looked at while it runs: what Linux reports afterwards counts its parent's memory.
    """
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while True:
        with contextlib.suppress(OSError, IndexError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = int(status.partition("VmHWM:")[2].split()[0])
        try:
            process.wait(0.02)
            break
        except subprocess.TimeoutExpired:
            continue
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return time.monotonic() - began, peak / 1024
