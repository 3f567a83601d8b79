"""The log that the tests of S3 ship."""

from __future__ import annotations

from s3_logs import log

__all__ = ["log"]  # a fixture
