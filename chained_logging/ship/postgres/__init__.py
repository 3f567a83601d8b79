"""PostgreSQL: central storage that can be queried, and that checks what it receives.

The database itself refuses a gap, a fork, a duplicate and an edited entry from any user, and
derives every column from the exact text that was hashed. All of this is in ``schema.sql``, where a
DBA can read it. The owner of a database can always change it, so whatever weakens it is reported:
see :meth:`PostgresDestination.inspect`.

``connection`` knows libpq and sessions, ``destination`` what a shipper and a reader need, ``setup``
makes the schema; ``catalog``, ``columns`` and ``indexes`` compare the database with what
``schema.sql`` makes, columns with bodies, and indexes with tables.
"""

from chained_logging.ship.postgres.destination import PostgresDestination
from chained_logging.ship.postgres.setup import init, statements

__all__ = ["PostgresDestination", "init", "statements"]
