"""Databases of PostgreSQL as the tests need them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from services.adapters.postgres_driver import PostgresConnection


def execute(url: str, *statements: str) -> None:
    with closing(PostgresConnection(url, {})) as connection:
        for statement in statements:
            connection.run(connection.raw.execute(statement))


def drop_read_models(url: str) -> None:
    """As if nothing had been projected."""
    schemas = ("mutua_control", "mutua_read_1")
    execute(url, *(f"DROP SCHEMA IF EXISTS {name} CASCADE" for name in schemas))


@contextmanager
def away(server: str, url: str) -> Iterator[None]:
    """Within the block nobody reaches the database; `server` is another one on the same server."""
    name = url.rpartition("/")[2]
    execute(
        server,
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    try:
        yield
    finally:
        execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
