"""A checker of OSCAL assessment results by NIST's own schema."""

from __future__ import annotations

import json
from typing import Any

from folders import VECTORS
from jsonschema import Draft7Validator, FormatChecker

_TEXT = (VECTORS / "oscal" / "oscal_assessment-results_schema.json").read_text()
# The schema's letters and digits are those of ECMAScript's expressions; Python has other names.
_CLASSES = {r"\\p{L}": r"[^\\W\\d_]", r"\\p{N}": r"\\d"}
for _theirs, _ours in _CLASSES.items():
    _TEXT = _TEXT.replace(_theirs, _ours)
_VALIDATOR = Draft7Validator(json.loads(_TEXT), format_checker=FormatChecker())


def faults(document: dict[str, Any]) -> list[str]:
    """Return what the schema refuses in a document."""
    return [
        f"{error.json_path}: {error.message[:200]}" for error in _VALIDATOR.iter_errors(document)
    ]
