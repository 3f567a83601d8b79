"""Write the rules that come with the package as they are run: conditions in SQL.

``python tools/build_rules.py`` writes chained_logging/review/detect/rules/compiled.json. With
``--check`` it only says whether that file is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from chained_logging.review.detect.rule import to_json
from chained_logging.review.detect.sigma import load

RULES: Final = Path(__file__).parents[1] / "chained_logging/review/detect/rules"
TARGET: Final = RULES / "compiled.json"


def main() -> int:
    """Write the file, or check it."""
    text = to_json(load([RULES]))
    if "--check" not in sys.argv:
        TARGET.write_text(text)
        return 0
    if TARGET.exists() and TARGET.read_text() == text:
        return 0
    print(f"{TARGET} is not up to date: run python tools/build_rules.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
