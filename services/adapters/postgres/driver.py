"""asyncpg as SQLAlchemy wants a driver: synchronous, with an event loop for each connection.

A connection may be used on any thread where no event loop runs, by one at a time.
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
_PING_SECONDS: Final = 2.0
STATEMENT_SECONDS: Final = 8.0
"""Below the time in which whoever stops a process loses patience."""
LOCK_SECONDS: Final = 3.0
IDLE_SECONDS: Final = 2.0
"""A process that stops in the middle of a transaction loses it, and its locks, after so long."""
_ANSWER_SECONDS: Final = STATEMENT_SECONDS + 1.0
"""A server that says nothing for so long is away."""
_UNSENT_MILLISECONDS: Final = 5_000
_KEEPALIVE: Final = {"idle": 5, "interval": 2, "count": 3}
"""In seconds and probes: whoever waits for an answer notices that it was lost on the way."""
_MAX_PREPARED: Final = 200
_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LOST: Final = ("08", "57P")
"""Classes of PostgreSQL's codes after which a connection is of no use."""
_OVER: Final = (OSError, asyncpg.InternalClientError)
"""After these too; asyncpg does not know what to make of a server that ended between two calls."""
FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, *_OVER)
"""Everything that asyncpg raises where something is wrong with the server, or the way to it."""

paramstyle = "numeric_dollar"


def describe_error(cause: BaseException) -> str:
    """What went wrong, in one line."""
    if isinstance(cause, TimeoutError) and not str(cause):
        return "it does not answer"
    return " ".join(str(cause).split()) or type(cause).__name__


class Error(Exception):
    """What went wrong with PostgreSQL: its `code`, and whether the connection is `lost`."""

    def __init__(self, cause: BaseException) -> None:
        self.code: str = getattr(cause, "sqlstate", None) or ""
        self.lost = isinstance(cause, _OVER) or self.code.startswith(_LOST)
        super().__init__(describe_error(cause))


class DatabaseError(Error):
    """The same under the name by which SQLAlchemy knows it."""


def find_cause(error: DBAPIError | Error) -> BaseException | None:
    """What went wrong, also where SQLAlchemy was asked."""
    return error.orig if isinstance(error, DBAPIError) else error


def is_lost(error: DBAPIError | Error) -> bool:
    """Whether the connection is of no use any more."""
    cause = find_cause(error)
    return isinstance(cause, Error) and cause.lost


async def connect(
    url: str, settings: Mapping[str, str], *, timeout_seconds: float = _ANSWER_SECONDS
) -> Any:
    """A connection of asyncpg with our time limits, where `settings` has no others."""
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
            "plan_cache_mode": "force_custom_plan",  # a kept one may be of when a table was small
            **settings,
        },
    )
    # asyncpg has no settings for it: what a server does not acknowledge is otherwise sent for long,
    # and what it does not say waited for.
    found = connection._transport.get_extra_info("socket")
    if found is not None and found.family != socket.AF_UNIX:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_USER_TIMEOUT, _UNSENT_MILLISECONDS),
            (socket.TCP_KEEPIDLE, _KEEPALIVE["idle"]),
            (socket.TCP_KEEPINTVL, _KEEPALIVE["interval"]),
            (socket.TCP_KEEPCNT, _KEEPALIVE["count"]),
        ):
            found.setsockopt(socket.IPPROTO_TCP, option, value)
    return connection


# decision 0070: both databases share their SQL
class PostgresConnection:
    """A connection of DB-API 2.0, as far as SQLAlchemy needs it; `raw` is that of asyncpg."""

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
        """What the work returns. Raises Error for whatever goes wrong with the server."""
        try:
            if self.timeout_seconds is None:
                return self._loop.run_until_complete(work)
            return self._loop.run_until_complete(asyncio.wait_for(work, self.timeout_seconds))
        except FAILURES as error:
            failure = DatabaseError(error)
            if failure.lost and hasattr(self, "raw"):
                self.raw.terminate()  # else it would go on with what nobody waits for
            failure.lost |= not hasattr(self, "raw") or self.raw.is_closed()
            raise failure from error

    def cursor(self) -> "PostgresCursor":
        return PostgresCursor(self)

    def ping(self) -> None:
        """Raises Error when the server does not answer at once.

        Begins a snapshot: whoever sees whether it answers reads next.
        """
        self.timeout_seconds = _PING_SECONDS
        self.run(self.raw.execute(_SNAPSHOT))
        self.timeout_seconds = None

    def begin_snapshot(self) -> None:
        """Begins a transaction that sees one state of the database and changes nothing.

        It does so with what is asked first, and may have been begun by `ping`.
        """
        self.timeout_seconds = None
        if not self.raw.is_in_transaction():
            self.run(self.raw.execute(_SNAPSHOT))

    def commit(self) -> None:
        """Raises Error where the server has ended the connection, and the transaction with it."""
        if self.raw.is_closed():
            raise DatabaseError(ConnectionResetError("the connection ended before the commit"))
        self._end("COMMIT")

    def rollback(self) -> None:
        """Ends the connection where that can no longer be said: then the server does it."""
        try:
            self._end("ROLLBACK")
        except Error:
            self.raw.terminate()

    def copy_out(self, query: str) -> bytes:
        """The rows of a query in PostgreSQL's binary format."""
        parts: list[bytes] = []

        async def add(part: bytes) -> None:
            parts.append(part)

        self.run(self.raw.copy_from_query(query, output=add, format="binary"))
        return b"".join(parts)

    async def prepare(self, statement: str) -> Any:
        """Kept by the connection: asyncpg's own cache does not tell the names of the columns."""
        found = self._prepared.get(statement)
        if found is None:
            if len(self._prepared) >= _MAX_PREPARED:
                self._prepared.clear()
            found = self._prepared[statement] = await self.raw.prepare(statement)
        return found

    def close(self) -> None:
        """At once; the server rolls back what is under way."""
        if not self._loop.is_closed():
            self._prepared.clear()
            self.raw.terminate()
            self._loop.run_until_complete(asyncio.sleep(0))  # the transport closes its socket
            self._loop.close()

    def _end(self, statement: str) -> None:
        if not self.raw.is_closed() and self.raw.is_in_transaction():
            self.run(self.raw.execute(statement))


class PostgresCursor:
    """A cursor of DB-API 2.0 that has all rows."""

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
                (each.name, each.type.oid, None, None, None, None, None)
                for each in prepared.get_attributes()
            ] or None

        self._connection.run(fetch())

    def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = arraysize) -> list[Any]:
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def fetchall(self) -> list[Any]:
        taken, self._rows = self._rows, []
        return taken

    def close(self) -> None:
        self._rows = []


class _Types(PGTypeCompiler):
    def visit_VARCHAR(self, *_: Any, **__: Any) -> str:  # noqa: N802, the name is SQLAlchemy's
        """Text is in order of code points, whatever the database is set to."""
        return 'TEXT COLLATE "C"'


class PostgresDialect(PGDialect):
    """PostgreSQL through this module. Each statement is by itself, until a snapshot is begun."""

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
    """PostgreSQL as we write it."""
    untyped: Any = PostgresDialect
    return untyped()


def make_engine(
    open_connection: Callable[[], PostgresConnection], size: int, *, checks_connections: bool
) -> Engine:
    """Reads through up to `size` connections, of which those that were lost are opened anew.

    With `checks_connections` that is found out before a connection is used, so that nobody notices.
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
