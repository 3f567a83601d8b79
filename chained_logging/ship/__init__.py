"""Central storage: an entry that has left the machine cannot be deleted with it.

A :class:`~chained_logging.ship.destination.Destination` keeps entries; a
:class:`~chained_logging.ship.shipper.Shipper` delivers them from a
:class:`~chained_logging.ship.source.Source`, verified.
"""

from __future__ import annotations

from chained_logging.errors import Refused
from chained_logging.format.vkey import Signer
from chained_logging.ship.destination import (
    ArchivedDestination,
    Destination,
    HoldingDestination,
    JudgingDestination,
    OpenDestination,
    Ours,
    PurgingDestination,
    RememberingDestination,
    SharedDestination,
    StubDestination,
    pin,
    stored,
)
from chained_logging.ship.feeds import FEEDS

__all__ = [
    "ArchivedDestination",
    "Destination",
    "HoldingDestination",
    "JudgingDestination",
    "OpenDestination",
    "Ours",
    "PurgingDestination",
    "RememberingDestination",
    "SharedDestination",
    "StubDestination",
    "destination_name",
    "init_destination",
    "open_destination",
    "pin",
    "require_retries",
    "stored",
]

_NONE = (
    "a destination is postgresql://…, s3://bucket/prefix, nats://host/STREAM, or a feed: "
    "syslog+tls://host, https://…, otlp+https://host"
)


def destination_name(url: str) -> str:
    """Return a destination's name: its URL without the secrets in it.

    :raises: as :func:`open_destination`.
    """
    destination = open_destination(url)
    destination.close()
    return destination.name


def require_retries() -> None:
    """Check that the library for retries is installed.

    :raises ImportError: if it is not; the message names the extras that bring it.
    """
    try:
        import tenacity  # noqa: F401
    except ImportError:
        raise ImportError(
            "shipping needs the extra of its destination: pip install chained_logging[postgres], "
            "[s3], [nats] or [otlp]; syslog and webhooks need [ship]"
        ) from None


def open_destination(url: str, *, signer: Signer | None = None) -> Destination:
    """Return the destination for a URL: ``postgresql://…``, ``s3://bucket/prefix``, ``nats://…``,
    or that of a feed (:mod:`chained_logging.ship.feeds`).

    Nothing is connected yet.

    :param signer: signs what the destination itself states, such as the digests of S3.
    :raises ValueError: if the URL names no destination.
    :raises ImportError: if its extra is not installed.
    """
    scheme = url.partition("://")[0].lower()
    if scheme in ("postgresql", "postgres"):
        from chained_logging.ship.postgres import PostgresDestination

        return PostgresDestination(url)
    if scheme == "s3":
        from chained_logging.ship.s3 import S3Destination

        return S3Destination(url, signer=signer)
    if scheme in ("nats", "tls"):
        from chained_logging.ship.nats import NatsDestination

        return NatsDestination(url)
    if scheme in FEEDS:
        return FEEDS[scheme](url)
    raise ValueError(_NONE)


def init_destination(
    url: str,
    *,
    retention: str | None = None,
    mode: str = "COMPLIANCE",
    partitions: int = 16,
    replicas: int = 1,
    max_bytes: int | None = None,
    signer: Signer | None = None,
) -> list[str]:
    """Prepare a destination, and return sentences about what was done.

    A repeat changes nothing that is there. PostgreSQL then gets partitions for further months.

    :param retention: see :func:`chained_logging.ship.retention.retention_days`; S3 needs one.
    :param mode: of S3's Object Lock, ``COMPLIANCE`` or ``GOVERNANCE``.
    :param partitions: of NATS, as `replicas` and `max_bytes`: see :func:`.nats.init`.
    :param signer: of S3, the key that may make the retention longer later.
    :raises Refused: if it cannot be prepared; the message says what is missing and how to set it.
    :raises DestinationError: if it does not answer.
    :raises ValueError: if the URL names no destination, or the retention is not a period.
    """
    scheme = url.partition("://")[0].lower()
    if scheme == "s3":
        from chained_logging.ship import s3

        if retention is None:
            raise ValueError(
                "S3 needs a retention, how long to keep entries: --retention hipaa, 400d, 6y …"
            )
        missing = s3.init(url, retention=retention, mode=mode, signer=signer)
        if missing:
            raise Refused("; ".join(missing))
        return [f"{destination_name(url)} keeps entries for {retention}, locked in mode {mode}."]
    if scheme in ("postgresql", "postgres"):
        from chained_logging.ship import postgres

        return postgres.init(url, retention=retention)
    if scheme in ("nats", "tls"):
        from chained_logging.ship import nats

        return nats.init(
            url,
            retention=retention,
            partitions=partitions,
            replicas=replicas,
            max_bytes=max_bytes,
        )
    if scheme in FEEDS:
        raise ValueError(f"{destination_name(url)} is a feed: it needs no preparation")
    raise ValueError(_NONE)
