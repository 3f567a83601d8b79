"""The trace that an event belongs to, from OpenTelemetry's current span.

OpenTelemetry is never imported here: where nobody else has, there is no span.
"""

from __future__ import annotations

import sys
from typing import Final

TRACED: Final = "opentelemetry.trace"
"""The module that is imported where there may be a span."""


def trace_id() -> str | None:
    """Return the W3C trace id of the current span; None without one. Raises nothing."""
    trace = sys.modules.get(TRACED)
    if trace is None:
        return None
    try:
        span = trace.get_current_span().get_span_context()
        return f"{span.trace_id:032x}" if span.is_valid else None
    except Exception:  # a span of somebody's own; a module that is still being imported
        return None
