"""What signing and proving cost: one table, each figure a ratio measured in this run.

python benchmarks/signing.py [--entries 1000000] [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chained_logging import AuditLog
from chained_logging.format.proof import TlogProof
from chained_logging.keys import PrivateKey
from chained_logging.keys.statements import verifier_key
from chained_logging.transparency.proof import LogTree
from chained_logging.verify import verify_proof

EVENT = {
    "actor": "user-123",
    "ip": "10.0.0.1",
    "resource": "patient_record/456",
    "session_id": "s-4711",
    "user_agent": "Mozilla/5.0",
    "duration_ms": 12,
    "http_status": 200,
}


def appending(path: Path, count: int, **options: Any) -> float:
    """Return the seconds of `count` appends to a new log, with its last checkpoint."""
    started = time.perf_counter()
    with AuditLog(path, **options) as log:
        for _ in range(count):
            log.append("read", **EVENT)
    return time.perf_counter() - started


def signing(folder: Path, count: int, rounds: int) -> list[tuple[str, str, str]]:
    """Append in turns to new logs, so that what disturbs the machine disturbs all."""
    key = PrivateKey.generate()
    kinds: dict[str, dict[str, Any]] = {
        "unsigned": {},
        "checkpoint": {"key": key},
        "each": {"key": key, "sign": "each"},
    }
    seconds = dict.fromkeys((*kinds, "bare"), 0.0)
    few = count // 5
    for number in range(rounds):
        for name, options in kinds.items():
            path = folder / f"{name}-{number}.jsonl"
            seconds[name] += appending(path, few if name == "each" else count, **options)
        started = time.perf_counter()
        for _ in range(few):
            key.sign(b"chained-logging entry v1\n" + b"0" * 64 + b"\n")
        seconds["bare"] += time.perf_counter() - started
    each = {
        name: spent / rounds / (few if name in ("each", "bare") else count) * 1e6
        for name, spent in seconds.items()
    }
    added = each["checkpoint"] / each["unsigned"] - 1
    more = each["each"] - each["unsigned"]
    return [
        ("append, no key", f"{each['unsigned']:.1f} µs", ""),
        (
            "the same with checkpoints at the default interval",
            f"{each['checkpoint']:.1f} µs",
            f"{added:+.1%}  (target: at most +5 %)",
        ),
        ("one bare Ed25519 signature", f"{each['bare']:.1f} µs", ""),
        ("sign='each' adds", f"{more:.1f} µs", f"{more / each['bare']:.2f} times that"),
    ]


def proving(folder: Path, count: int) -> list[tuple[str, str, str]]:
    """Prove entries of a large log, and check the proofs."""
    path, key = folder / "large.jsonl", PrivateKey.generate()
    with AuditLog(path, key=key, origin="example.com/large") as log:
        fill(log, count)
        log.checkpoint()
    started = time.perf_counter()
    tree = LogTree(path)
    opened = time.perf_counter() - started
    public = verifier_key("example.com/large", key)
    proofs: list[tuple[int, TlogProof]] = []

    def prove() -> None:
        seq = len(proofs) * 7919 % count
        proofs.append((seq, tree.inclusion(seq)))

    made = [timed(prove) for _ in range(200)]
    checked = []
    for _, proof in proofs:
        data = proof.format()
        checked.append(timed(lambda data=data: _proven(data, public)))  # type: ignore[misc]
    bytes_ = len(proofs[0][1].format())
    return [
        (f"opening a log of {count:,} entries", f"{opened:.1f} s", "reads all of it, once"),
        (
            "an inclusion proof then",
            f"{statistics.median(made):.2f} ms, worst {max(made):.1f}",
            "(target: under 50 ms)",
        ),
        (
            f"checking it ({bytes_:,} bytes, {len(proofs[0][1].hashes)} hashes)",
            f"{statistics.median(checked):.2f} ms, worst {max(checked):.1f}",
            "(target: under 5 ms)",
        ),
    ]


def _proven(data: bytes, public: str) -> None:
    if verify_proof(data, public)["status"] != "proven":
        raise SystemExit("a proof does not hold")


def fill(log: AuditLog, count: int) -> None:
    for start in range(0, count, 5_000):
        log.append_many([{"action": f"a-{n}", **EVENT} for n in range(start, start + 5_000)])


def timed(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it runs")
    options = parser.parse_args()
    entries, count, rounds = (20_000, 5_000, 2) if options.quick else (options.entries, 100_000, 5)
    with tempfile.TemporaryDirectory() as folder:
        rows = signing(Path(folder), count, rounds)
        rows += proving(Path(folder), entries)
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
