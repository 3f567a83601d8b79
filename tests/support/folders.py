"""Where the files lie that tests read."""

from __future__ import annotations

from pathlib import Path

SUPPORT = Path(__file__).parent
"""What tests and the programs that they start import: on ``PYTHONPATH`` of those programs."""

ROOT = SUPPORT.parent.parent
VECTORS = SUPPORT.parent / "vectors"
