"""One session of PostgreSQL, in which names mean what PostgreSQL's own catalog says.

The owner of a database may set a ``search_path`` on it, with own functions and operators first. So
the settings of a session here are part of its start, which takes precedence over what is set on a
role or a database. They are set once more by statements that call no function, since PostgreSQL 17
runs a trigger of the database at each login.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from chained_logging.errors import DestinationError, Refused, Unfit
from chained_logging.net import urls

if TYPE_CHECKING:
    import psycopg

# What the URL does not say. A dead server, or a cut line, is noticed within half a minute.
_DEFAULTS: Final = {
    "application_name": "chained_logging",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
LOCK_TIMEOUT: Final = 10
"""Seconds that a shipper or a reader waits for a lock of somebody else."""
# Of every session, in the server. The first three are how definitions are shown, and read.
_SETTINGS: Final = {
    "search_path": "pg_catalog, pg_temp",
    "timezone": "UTC",
    "datestyle": "ISO",
    "row_security": "on",
    "statement_timeout": "60000",
    "lock_timeout": f"{LOCK_TIMEOUT * 1000}",
    "idle_in_transaction_session_timeout": "60000",  # a shipper that hangs keeps others waiting
    # Entries are read along the index. Without statistics, right after many entries came, the
    # planner would read and sort all of them for each page.
    "enable_bitmapscan": "off",
    "enable_seqscan": "off",
    "enable_sort": "off",
    # To the planner, what is off costs more than any limit, so it would compile each such query
    # (LLVM): 6 seconds for the catalog alone.
    "jit": "off",
}
# By the class of an SQLSTATE (PostgreSQL's manual, appendix A): connections, a transaction that
# was rolled back or is read-only, resources, locks, an operator's hand, the system, a bug.
_PASSING: Final = frozenset({"08", "25", "40", "53", "55", "57", "58", "XX"})
# Malformed data, constraints, too deep or too large, what the schema's own triggers refuse.
_UNFIT: Final = frozenset({"22", "23", "54", "CL"})
_STANDS_ALREADY: Final = frozenset({"CL002", "23505"})
_PORTS: Final = re.compile(r"\d*(,\d*)*", re.ASCII)


class Session:
    """A connection that is made when it is needed, and made again after it broke. For one thread.

    :param url: ``postgresql://user:password@host:5432/database``, or what else libpq takes,
        ``?sslmode=verify-full`` among it.
    :raises ValueError: if it is not such a URL.
    :raises ImportError: if psycopg is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ImportError:
            raise ImportError(
                "PostgreSQL needs the package psycopg: pip install chained_logging[postgres]"
            ) from None
        self._psycopg = psycopg
        urls.checked(url)
        try:
            given: dict[str, Any] | None = conninfo_to_dict(url)
        except psycopg.Error:
            given = None
        if given is None or not url.startswith(("postgresql://", "postgres://")):
            # The error of libpq is not shown: it quotes the URL, and the password in it.
            raise ValueError("the URL of a PostgreSQL database must be postgresql://host/database")
        shown = str(given.get("dbname")) + str(given.get("host"))
        if "@" in shown or not _PORTS.fullmatch(str(given.get("port", ""))):
            # libpq took a part of the password for the port or the database: it would be shown.
            raise ValueError(
                "that URL cannot be read: in its password / is written %2F, @ %40, : %3A, ? %3F"
            )
        self.name = _shown(given)
        self._secrets = [given.get(name) for name in ("password", "sslpassword")]
        options = " ".join(
            [str(given.get("options") or "")]
            + [f"-c {name}={value.replace(' ', '')}" for name, value in _SETTINGS.items()]
        )
        self._parameters = _DEFAULTS | given | {"client_encoding": "utf8", "options": options}
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def rows(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Return what a query returns.

        :raises DestinationError: if the database cannot be asked now.
        :raises Refused: if it refuses.
        """
        with self.asking() as connection:
            return connection.execute(query.encode(), values).fetchall()

    @contextlib.contextmanager
    def asking(self, advice: str = "grant it") -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Yield the connection, and turn its errors into ours.

        Only the first line of an error is shown: its details quote rows.
        """
        try:
            yield self._connect()
        except self._psycopg.Error as error:
            state = error.sqlstate or ""
            reason = error.diag.message_primary or str(error).strip()
            message = f"{self.name}: {urls.without(reason, self._secrets)}"
            unfit = state[:2] in _UNFIT or isinstance(error, self._psycopg.DataError)
            passing = state[:2] in _PASSING or (
                isinstance(error, self._psycopg.OperationalError) and not unfit
            )
            if passing:
                self.close()
            if state in _STANDS_ALREADY:
                raise DestinationError(
                    f"{self.name}: these entries are there already, or another process ships this "
                    "log at the same time"
                ) from None
            if passing:
                raise DestinationError(message) from None
            if unfit:
                raise Unfit(message) from None
            if state == "42501":
                message += f": {advice}"
            elif state in ("3F000", "42P01", "42883"):
                message += ": run init first"
            raise Refused(message) from None

    @contextlib.contextmanager
    def snapshot(
        self, settings: Mapping[str, str]
    ) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Yield the connection in a transaction that sees one state of the database.

        :param settings: of this transaction.
        """
        with self.asking() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(_set("SET LOCAL", settings))
            yield connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            connection = self._psycopg.connect(**self._parameters, autocommit=True)
            try:
                connection.execute(_set("SET", _SETTINGS))
                # What is acknowledged is on the disk, whatever the server's or the role's default.
                if connection.execute("SHOW synchronous_commit").fetchone() in _FORGETFUL:
                    connection.execute("SET synchronous_commit = on")
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


_FORGETFUL: Final = (("off",), ("local",))


def _set(statement: str, settings: Mapping[str, str]) -> bytes:
    """Return statements that set values of this module or its neighbours, never of a user."""
    return "; ".join(f"{statement} {name} = {value}" for name, value in settings.items()).encode()


def _shown(given: Mapping[str, Any]) -> str:
    """Return the URL without any secret."""
    user = f"{given['user']}@" if given.get("user") else ""
    host = str(given.get("host") or given.get("hostaddr") or "")
    port = f":{given['port']}" if given.get("port") else ""
    if host.startswith("/"):  # the folder of a socket
        return f"postgresql://{user}{port}/{given.get('dbname') or ''}?host={host}"
    return f"postgresql://{user}{host}{port}/{given.get('dbname') or ''}"
