"""asyncpg as a synchronous DB-API driver for SQLAlchemy, with an event loop for every connection.

A connection may be used on any thread without a running event loop, by one thread at a time.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGDialect, PGTypeCompiler
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

_T = TypeVar("_T")

CONNECT_SECONDS: Final = 5.0
# A connection is checked when a question takes it: a proxy or a lost route swallows answers
# without an error. Keepalives find dead connections without a question.
_PING_SECONDS: Final = 2.0
STATEMENT_SECONDS: Final = 8.0
"""Shorter than the grace period of a process manager that stops a process."""
LOCK_SECONDS: Final = 3.0
IDLE_SECONDS: Final = 2.0
"""A process that stops inside a transaction loses it, and its locks, after this time."""
_ANSWER_SECONDS: Final = STATEMENT_SECONDS + 1.0
"""A server that is silent for this long is away."""
_UNSENT_MILLISECONDS: Final = 5_000
_KEEPALIVE: Final = {"idle": 5, "interval": 2, "count": 3}
"""Seconds and probes after which a caller notices that the connection broke."""
_MAX_PREPARED: Final = 200
_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LOST_CODES: Final = ("08", "57P")
"""Classes of PostgreSQL's codes after which a connection is lost."""
_LOST_ERRORS: Final = (OSError, asyncpg.InternalClientError)
"""Errors that mean the same; asyncpg raises its own when a server ended between two calls."""
FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, *_LOST_ERRORS)
"""Everything that asyncpg raises about the server or the network."""

paramstyle = "numeric_dollar"


def describe_error(cause: BaseException) -> str:
    """Returns the message of an error on one line."""
    if isinstance(cause, TimeoutError) and not str(cause):
        return "it does not answer"
    return " ".join(str(cause).split()) or type(cause).__name__


class Error(Exception):
    """A failure of PostgreSQL: its `code`, and whether the connection is `lost`."""

    def __init__(self, cause: BaseException) -> None:
        self.code: str = getattr(cause, "sqlstate", None) or ""
        self.lost = isinstance(cause, _LOST_ERRORS) or self.code.startswith(_LOST_CODES)
        super().__init__(describe_error(cause))


class DatabaseError(Error):
    """The error under the DB-API name that SQLAlchemy looks up."""


def find_cause(error: DBAPIError | Error) -> BaseException | None:
    """Returns the driver's error, unwrapped from SQLAlchemy's."""
    return error.orig if isinstance(error, DBAPIError) else error


def is_lost(error: DBAPIError | Error) -> bool:
    """Whether the connection is lost."""
    cause = find_cause(error)
    return isinstance(cause, Error) and cause.lost


async def connect(
    url: str, settings: Mapping[str, str], *, timeout_seconds: float = _ANSWER_SECONDS
) -> Any:
    """Opens an asyncpg connection with our time limits, which `settings` may override."""
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_SECONDS,
        command_timeout=timeout_seconds,
        server_settings={
            "lock_timeout": f"{LOCK_SECONDS:g}s",
            "statement_timeout": f"{STATEMENT_SECONDS:g}s",
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS:g}s",
            "tcp_user_timeout": f"{_UNSENT_MILLISECONDS}ms",
            **{f"tcp_keepalives_{name}": str(value) for name, value in _KEEPALIVE.items()},
            "jit": "off",
            "plan_cache_mode": "force_custom_plan",  # a cached plan ages
            **settings,
        },
    )
    # asyncpg has no settings for the client side: without these, a dead network goes unnoticed.
    client_socket = connection._transport.get_extra_info("socket")
    if client_socket is not None and client_socket.family != socket.AF_UNIX:
        client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_USER_TIMEOUT, _UNSENT_MILLISECONDS),
            (socket.TCP_KEEPIDLE, _KEEPALIVE["idle"]),
            (socket.TCP_KEEPINTVL, _KEEPALIVE["interval"]),
            (socket.TCP_KEEPCNT, _KEEPALIVE["count"]),
        ):
            client_socket.setsockopt(socket.IPPROTO_TCP, option, value)
    return connection


# decision 0070: both databases share their SQL
class PostgresConnection:
    """A DB-API 2.0 connection, as far as SQLAlchemy needs it; `raw` is asyncpg's connection."""

    def __init__(
        self, url: str, settings: Mapping[str, str], *, timeout_seconds: float = _ANSWER_SECONDS
    ) -> None:
        self.timeout_seconds: float | None = None
        """What is left of that, until another transaction begins; None is all of it."""
        self._loop = asyncio.new_event_loop()
        self._prepared: dict[str, Any] = {}
        try:
            self.raw = self.run(connect(url, settings, timeout_seconds=timeout_seconds))
        except BaseException:
            self._loop.close()
            raise

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Returns what the coroutine returns. Raises Error for every failure of the server."""
        try:
            if self.timeout_seconds is None:
                return self._loop.run_until_complete(work)
            return self._loop.run_until_complete(asyncio.wait_for(work, self.timeout_seconds))
        except FAILURES as error:
            failure = DatabaseError(error)
            if failure.lost and hasattr(self, "raw"):
                self.raw.terminate()  # otherwise it would continue work that nobody waits for
            failure.lost |= not hasattr(self, "raw") or self.raw.is_closed()
            raise failure from error

    def cursor(self) -> "PostgresCursor":
        return PostgresCursor(self)

    def ping(self) -> None:
        """Raises Error when the server does not answer at once.

        Begins a snapshot, because the caller reads next.
        """
        self.timeout_seconds = _PING_SECONDS
        self.run(self.raw.execute(_SNAPSHOT))
        self.timeout_seconds = None

    def begin_snapshot(self) -> None:
        """Begins a read-only transaction of one state, unless `ping` has begun it.

        The state is that of the first statement.
        """
        self.timeout_seconds = None
        if not self.raw.is_in_transaction():
            self.run(self.raw.execute(_SNAPSHOT))

    def commit(self) -> None:
        """Raises Error when the server has closed the connection, which ended the transaction."""
        if self.raw.is_closed():
            raise DatabaseError(ConnectionResetError("the connection ended before the commit"))
        self._end("COMMIT")

    def rollback(self) -> None:
        """Rolls back, or closes the connection so that the server rolls back."""
        try:
            self._end("ROLLBACK")
        except Error:
            self.raw.terminate()

    def copy_out(self, query: str) -> bytes:
        """Returns the rows of a query in PostgreSQL's binary format."""
        parts: list[bytes] = []

        async def add(part: bytes) -> None:
            parts.append(part)

        self.run(self.raw.copy_from_query(query, output=add, format="binary"))
        return b"".join(parts)

    async def prepare(self, statement: str) -> Any:
        """Returns a cached statement, because asyncpg's own cache does not expose column names."""
        prepared = self._prepared.get(statement)
        if prepared is None:
            if len(self._prepared) >= _MAX_PREPARED:
                self._prepared.clear()
            prepared = self._prepared[statement] = await self.raw.prepare(statement)
        return prepared

    def close(self) -> None:
        """Closes the connection at once; the server rolls back its transaction."""
        if not self._loop.is_closed():
            self._prepared.clear()
            self.raw.terminate()
            self._loop.run_until_complete(asyncio.sleep(0))  # the transport closes its socket
            self._loop.close()

    def _end(self, statement: str) -> None:
        if not self.raw.is_closed() and self.raw.is_in_transaction():
            self.run(self.raw.execute(statement))


class PostgresCursor:
    """A DB-API 2.0 cursor that fetches all rows at once."""

    arraysize = 1
    rowcount = -1

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Sequence[Sequence[Any]] | None = None

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        async def fetch() -> None:
            prepared = await self._connection.prepare(statement)
            self._rows = await prepared.fetch(*values)
            self.description = [
                (attribute.name, attribute.type.oid, None, None, None, None, None)
                for attribute in prepared.get_attributes()
            ] or None

        self._connection.run(fetch())

    def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = arraysize) -> list[Any]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    def close(self) -> None:
        self._rows = []


class _Types(PGTypeCompiler):
    def visit_VARCHAR(self, *_: Any, **__: Any) -> str:  # noqa: N802, the name is SQLAlchemy's
        """Orders text by code point, whatever the collation of the database is."""
        return 'TEXT COLLATE "C"'


class PostgresDialect(PGDialect):
    """SQLAlchemy's dialect for this driver. Statements autocommit until a snapshot begins."""

    driver = "mutua"
    supports_statement_cache = True
    default_paramstyle = paramstyle
    type_compiler_cls = _Types

    @classmethod
    def import_dbapi(cls) -> Any:
        return __import__(__name__, fromlist=["paramstyle"])

    def do_ping(self, dbapi_connection: Any) -> bool:
        dbapi_connection.ping()
        return True

    def is_disconnect(self, e: Any, *_: Any) -> bool:
        return is_lost(e)


def make_dialect() -> Any:
    """Returns the dialect that our statements are compiled with."""
    untyped: Any = PostgresDialect
    return untyped()


def make_engine(
    open_connection: Callable[[], PostgresConnection], size: int, *, checks_connections: bool
) -> Engine:
    """Returns an engine that reads through up to `size` connections and replaces lost ones.

    With `checks_connections` it checks a connection before every use, so callers see no error.
    """
    registry.register("postgresql.mutua", __name__, PostgresDialect.__name__)
    return create_engine(
        "postgresql+mutua://",
        creator=open_connection,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_pre_ping=checks_connections,
    )
