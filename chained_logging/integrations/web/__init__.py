"""What ASGI, WSGI and Django share: one entry for each request, and what it says.

``docs/web.md`` has the rules. An :class:`Auditor` holds what a middleware was configured with, and
makes an :class:`Exchange` for each request. The middleware adds what it learns to that exchange,
and has the entry stored before the last byte of the answer is sent.
"""

from chained_logging.integrations.web.auditor import Auditor
from chained_logging.integrations.web.exchange import Exchange, annotate, set_actor
from chained_logging.integrations.web.marks import audited
from chained_logging.integrations.web.people import Person
from chained_logging.integrations.web.shown import shown

__all__ = ["Auditor", "Exchange", "Person", "annotate", "audited", "set_actor", "shown"]
