"""S3 with Object Lock: segments of the log as objects that nobody can change or delete in time.

``docs/s3.md`` describes the objects, the permissions, and the attacks with what catches them. In
short: a write is one object with the entries, the exact stored lines compressed with gzip, after an
object for each checkpoint. Only the segment counts: checkpoints beyond the last segment are not
shown, so a write is there as a whole or not at all. Every object is put once and locked. An hourly
digest lists them, and an inspection compares the two.

From below upward: :mod:`.store` gets, puts and lists objects; :mod:`.objects` says what one holds;
:mod:`.path` finds the log's entries among what anybody may have added; :mod:`.reader` reads,
:mod:`.policies` says how long objects are locked, :mod:`.digests` lists it, :mod:`.destination`
    puts it, and :mod:`.inspect` names what is wrong.
"""

from chained_logging.ship.s3.destination import S3Destination
from chained_logging.ship.s3.digests import SLACK, Stands
from chained_logging.ship.s3.objects import (
    MAX_ENTRIES,
    Facts,
    describe,
    entries,
    gzip_of,
    log_key,
    parse_checkpoint,
    unpack,
)
from chained_logging.ship.s3.policies import POLICY, init
from chained_logging.ship.s3.reader import MAX_KEY
from chained_logging.ship.s3.store import MAX_CONTENT, Version

__all__ = [
    "MAX_CONTENT",
    "MAX_ENTRIES",
    "MAX_KEY",
    "POLICY",
    "SLACK",
    "Facts",
    "S3Destination",
    "Stands",
    "Version",
    "describe",
    "entries",
    "gzip_of",
    "init",
    "log_key",
    "parse_checkpoint",
    "unpack",
]
