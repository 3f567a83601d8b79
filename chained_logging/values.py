"""Values as JSON: see :mod:`chained_logging.event.values`."""

from chained_logging.event.values import (
    MAX_DEPTH,
    MAX_NODES,
    ORJSON,
    PLAIN,
    clean,
    encode,
    jsonable,
    timestamp_text,
    type_name,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_NODES",
    "ORJSON",
    "PLAIN",
    "clean",
    "encode",
    "jsonable",
    "timestamp_text",
    "type_name",
]
