"""The fixtures that the tests of capture share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from chained_logging import diagnostics
from chained_logging.integrations import listening


@pytest.fixture
def app(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    """A logger as a program has one, and nothing of it left behind."""
    logger = logging.getLogger("app")
    logger.setLevel(logging.INFO)
    listening._renew_last = None
    diagnostics._told.clear()
    yield logger
    for name in ("app", "app.part"):
        logger = logging.getLogger(name)
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
            handler.close()
        logger.filters.clear()
        logger.disabled, logger.propagate = False, True
        logger.setLevel(logging.NOTSET)
    logging.disable(logging.NOTSET)
    structlog.reset_defaults()
