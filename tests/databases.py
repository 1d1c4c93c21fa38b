"""Databases of PostgreSQL as the tests need them."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from services.adapters.postgres_driver import PostgresConnection


@contextmanager
def fresh_database(postgres: str) -> Iterator[str]:
    """The URL of an empty database, deleted afterwards."""
    name = f"test_{uuid4().hex}"
    execute(postgres, f"CREATE DATABASE {name}")
    try:
        yield f"{postgres.rpartition('/')[0]}/{name}"
    finally:
        execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, *statements: str) -> None:
    connection = PostgresConnection(url, {})
    for statement in statements:
        connection.run(connection.raw.execute(statement))
    connection.close()
