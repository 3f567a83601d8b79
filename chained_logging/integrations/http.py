"""What code inside a request can say about its entry, in any framework.

``set_actor`` and ``annotate`` hold for the request that the calling code serves; ``audited`` marks
a view. The middlewares themselves are in ``asgi``, ``wsgi`` and ``django`` beside this module.
"""

from chained_logging.integrations.web import Auditor, annotate, audited, set_actor

__all__ = ["Auditor", "annotate", "audited", "set_actor"]
