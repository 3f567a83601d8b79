"""The fixtures that the tests of PostgreSQL share."""

from __future__ import annotations

from postgres_logs import database, filled, records

__all__ = ["database", "filled", "records"]
