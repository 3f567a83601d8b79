"""Writes labelled logs: events for ``chained-logging append``, and the labels beside them.

python examples/labelled clinic shop office --seed 1 --into FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from labelled.dataset import DAYS, HISTORY, Dataset, make
from labelled.organisations import ORGANISATIONS


def write(found: Dataset, folder: Path) -> tuple[Path, Path]:
    """Write a log and its labels, and return both files."""
    folder.mkdir(parents=True, exist_ok=True)
    events, labels = folder / f"{found.name}.jsonl", folder / f"{found.name}.labels.json"
    with open(events, "w", encoding="utf-8") as file:
        for event in found.events:
            file.write(json.dumps(event) + "\n")
    labels.write_text(json.dumps(found.about(), indent=1) + "\n", encoding="utf-8")
    return events, labels


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("domains", nargs="+", choices=sorted(ORGANISATIONS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=DAYS, help="days of the log")
    parser.add_argument("--history", type=int, default=HISTORY, help="days before the stories")
    parser.add_argument("--into", type=Path, default=Path())
    given = parser.parse_args()
    for domain in given.domains:
        found = make(domain, given.seed, days=given.days, history=given.history)
        events, labels = write(found, given.into)
        print(f"{events}: {len(found.events):,} events; {labels}: {len(found.labels)} stories")


if __name__ == "__main__":
    main()
