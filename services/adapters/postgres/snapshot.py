"""One consistent view of the read models in PostgreSQL."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Self, TypeVar

import numpy as np
from sqlalchemy import Connection

from services.adapters.postgres.driver import PostgresConnection
from services.adapters.sql_store.packed_columns import IntColumn
from services.adapters.sql_store.snapshot import SqlSnapshot

_T = TypeVar("_T")

MAX_QUERY_SECONDS: Final = 60.0
"""Maximum time of one statement."""
HANG_GRACE_SECONDS: Final = 1.0
"""A server that is silent for this long after the maximum time hangs."""


class PostgresSnapshot(SqlSnapshot):
    """Reads columns of integers in PostgreSQL's binary format."""

    @classmethod
    def begin(cls, connection: Connection, partition: int) -> Self:
        """Begins a snapshot, which lasts until the connection is returned to its pool."""
        _get_driver(connection).begin_snapshot()
        return cls(connection, partition)

    def run(self, query: Callable[[Any, _T], Coroutine[Any, Any, _T]], argument: _T) -> _T:
        """Runs a query on asyncpg's connection and returns its result."""
        driver = _get_driver(self.connection)
        result: _T = driver.run(query(driver.raw, argument))
        return result

    def limit_statement_time(self, seconds: float) -> None:
        seconds = max(0.001, min(seconds, MAX_QUERY_SECONDS))
        driver = _get_driver(self.connection)
        driver.timeout_seconds = seconds + HANG_GRACE_SECONDS  # for a server that hangs
        driver.run(driver.raw.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))

    @staticmethod
    def read_numbers(
        connection: Connection, expressions: Sequence[str], source: str, values: Sequence[int]
    ) -> Sequence[IntColumn]:
        """See `packed_columns.NumberReader`."""
        query = f"SELECT {', '.join(expressions)} FROM {source}"
        for value in values:
            query = query.replace("?", str(int(value)), 1)
        return _parse_columns(_get_driver(connection).copy_out(query), len(expressions))


def _get_driver(connection: Connection) -> PostgresConnection:
    """Returns the `PostgresConnection` of an SQLAlchemy connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, PostgresConnection)
    return driver


def _parse_columns(content: bytes, width: int) -> Sequence[IntColumn]:
    """Parses columns of 64-bit integers from rows in PostgreSQL's binary format.

    The format is a header of 19 bytes; for every row the number of its fields, and for every field
    its length and value; then -1 as the number of fields.
    """
    fields = [(f"{kind}{place}", kind) for place in range(width) for kind in (">i4", ">i8")]
    rows = np.frombuffer(content, dtype=[("width", ">i2"), *fields], offset=19, count=0)
    count = (len(content) - 19 - 2) // rows.itemsize
    rows = np.frombuffer(content, dtype=rows.dtype, offset=19, count=count)
    return [rows[f">i8{place}"].astype(np.int64) for place in range(width)]
