"""The landing of a stream: see :mod:`chained_logging.ship.nats.landing`."""

from chained_logging.ship.nats.landing import Landing

__all__ = ["Landing"]
