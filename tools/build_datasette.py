"""Write the named questions of ``query`` as canned queries of Datasette.

``python tools/build_datasette.py`` writes chained_logging/review/questions/datasette.json. With
``--check`` it only says whether that file is up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from chained_logging.review.questions import NAMES, question

TARGET: Final = Path(__file__).parents[1] / "chained_logging/review/questions/datasette.json"

_FOUND: Final = {
    None: "SELECT * FROM entries",
    "actor": "SELECT * FROM entries WHERE actor_id = :actor",
    "resource": (
        "SELECT * FROM entries\n"
        "WHERE (resource_type = :resource_type AND resource_id = :resource_id)\n"
        "  OR seq IN (SELECT seq FROM resources WHERE type = :resource_type AND id = :resource_id)"
    ),
}
"""The entries that a question is about, by the field that it needs."""


def metadata() -> dict[str, Any]:
    """Return the metadata of Datasette, for a log in ``audit.db``."""
    queries = {}
    for name in NAMES:
        asked = question(name)
        sql = f"WITH found AS ({_FOUND[asked.needs]})\n{asked.sql.strip()}"
        queries[name] = {"title": asked.asks, "sql": sql}
    tables = {
        "entries": {"description": "One row for each entry. The columns are computed from body."},
        "resources": {"hidden": True},
        "checkpoints": {"description": "Signed notes over all entries before them."},
    }
    about = "An audit log. Datasette records no reading of it, and verifies nothing."
    return {
        "description": about,
        "databases": {"audit": {"allow_download": False, "tables": tables, "queries": queries}},
    }


def main() -> int:
    """Write the file, or check it."""
    text = json.dumps(metadata(), indent=2) + "\n"
    if "--check" not in sys.argv:
        TARGET.write_text(text)
        return 0
    if TARGET.read_text() == text:
        return 0
    print(f"{TARGET} is not up to date: run python tools/build_datasette.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
