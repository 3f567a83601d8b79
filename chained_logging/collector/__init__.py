"""The collector: entries from any language on this machine, over a Unix socket or loopback HTTP.

Each line of JSON is one event. It is answered with one line once it is durable, in order:
``{"id": …, "seq": …, "hash": …}``, or ``{"error": …}`` if it was refused. Each connection has a
thread of its own. The thread takes what has arrived, appends it in one write, answers, and only
then reads on. A client that is faster than the disk therefore waits, and no queue grows. Under
``durability="fsync"`` connections that wait at the same time share one sync. The protocol, and what
a client may rely on, is in ``docs/collector.md``.
"""

from chained_logging.collector.collector import Collector
from chained_logging.collector.events import MAX_KEY
from chained_logging.collector.http import MAX_REQUEST, read_token
from chained_logging.collector.keys import REMEMBERED
from chained_logging.event.input import MAX_LINE

__all__ = ["MAX_KEY", "MAX_LINE", "MAX_REQUEST", "REMEMBERED", "Collector", "read_token"]
