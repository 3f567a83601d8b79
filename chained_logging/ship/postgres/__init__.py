"""PostgreSQL: central storage that can be asked, and that checks what it is given.

The database itself refuses a gap, a fork, a duplicate and an edited entry, whoever inserts it, and
derives every column from the exact text that was hashed; ``schema.sql`` has it all, readable for a
DBA. Nobody who owns a database can be kept from changing it. So what weakens it is noticed: see
:meth:`PostgresDestination.inspect`.

``connection`` knows libpq and sessions, ``destination`` what a shipper and a reader need, ``setup``
makes the schema; ``catalog``, ``columns`` and ``indexes`` compare the database with what
``schema.sql`` makes, columns with bodies, and indexes with tables.
"""

from chained_logging.ship.postgres.destination import PostgresDestination
from chained_logging.ship.postgres.setup import init, statements

__all__ = ["PostgresDestination", "init", "statements"]
