"""One state of the read models in PostgreSQL, as those who ask see it."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Self, TypeVar

import numpy as np
from sqlalchemy import Connection

from services.adapters.sql_store.packed_columns import IntColumn
from services.adapters.sql_store.snapshot import SqlSnapshot

_T = TypeVar("_T")

MAX_QUERY_SECONDS: Final = 60.0
"""The longest that a question may take."""
HANG_GRACE_SECONDS: Final = 1.0
"""A server that says nothing for so long after that hangs."""


class PostgresSnapshot(SqlSnapshot):
    """Reads columns of integers in PostgreSQL's binary format."""

    @classmethod
    def begin(cls, connection: Connection, partition: int) -> Self:
        """The state as it is now, until the connection is given back."""
        _driver(connection).begin_snapshot()
        return cls(connection, partition)

    def run(self, question: Callable[[Any, _T], Coroutine[Any, Any, _T]], about: _T) -> _T:
        """What a question, put to asyncpg's connection, has as an answer."""
        driver = _driver(self.connection)
        answer: _T = driver.run(question(driver.raw, about))
        return answer

    def limit_statement_time(self, seconds: float) -> None:
        seconds = max(0.001, min(seconds, MAX_QUERY_SECONDS))
        driver = _driver(self.connection)
        driver.patience_seconds = seconds + HANG_GRACE_SECONDS  # for a server that hangs
        driver.run(driver.raw.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))

    @staticmethod
    def read_numbers(
        connection: Connection, expressions: Sequence[str], source: str, values: Sequence[int]
    ) -> Sequence[IntColumn]:
        """See `integers.NumberReader`."""
        query = f"SELECT {', '.join(expressions)} FROM {source}"
        for value in values:
            query = query.replace("?", str(int(value)), 1)
        return _numbers(_driver(connection).copy_out(query), len(expressions))


def _driver(connection: Connection) -> Any:
    """The `PostgresConnection` of a connection of SQLAlchemy."""
    return connection.connection.driver_connection


def _numbers(content: bytes, width: int) -> Sequence[IntColumn]:
    """Columns of 64-bit integers from rows in PostgreSQL's binary format.

    A header of 19 bytes; then for each row the number of its fields, and for each field its length
    and its value; then -1 as the number of fields.
    """
    fields = [(f"{kind}{place}", kind) for place in range(width) for kind in (">i4", ">i8")]
    rows = np.frombuffer(content, dtype=[("width", ">i2"), *fields], offset=19, count=0)
    count = (len(content) - 19 - 2) // rows.itemsize
    rows = np.frombuffer(content, dtype=rows.dtype, offset=19, count=count)
    return [rows[f">i8{place}"].astype(np.int64) for place in range(width)]
