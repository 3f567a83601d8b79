"""Join the parts of ``verifier/`` into ``chained_logging/verify.py``, the auditor's one file.

    python tools/build_verify.py            # write the file
    python tools/build_verify.py --check    # exit 1 if the file is not what the parts make

The parts are joined in the order of their names, which is the order to read them in. Each begins
with a comment that says what it is about. They are no modules: a name that one of them defines is
used in the others. The schema that a database is compared with is put in from the writer's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ROOT / "verifier"
TARGET = ROOT / "chained_logging" / "verify.py"
SCHEMA = "chained_logging/sinks/schema.sql"

HEAD = """\
#!/usr/bin/env python3
# Generated from the parts in verifier/. To change it, change them and run tools/build_verify.py.
# /// script
# requires-python = ">=3.9"
# dependencies = ["cryptography>=42"]
# ///
"""
RULE = "# " + "-" * 92 + "\n"


def joined() -> str:
    """Return the file that the parts make."""
    first, *others = [part.read_text(encoding="utf-8") for part in sorted(PARTS.glob("*.py"))]
    text = HEAD + first + "".join(f"\n\n{RULE}{part}" for part in others)
    schema = (ROOT / SCHEMA).read_text(encoding="utf-8")
    if "\\" in schema or '"""' in schema:
        raise SystemExit(f"{SCHEMA} must hold no backslash and no three quotation marks")
    return text.replace("{{ %s }}\n" % SCHEMA, schema)  # noqa: UP031  # braces are meant


def main() -> int:
    """Write the file, or check it."""
    text = joined()
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text(encoding="utf-8") == text:
            return 0
        print(f"{TARGET.relative_to(ROOT)} is not what verifier/ makes: run {sys.argv[0]}")
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
