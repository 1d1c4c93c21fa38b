"""Databases of PostgreSQL as the tests need them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from services.adapters.postgres.driver import PostgresConnection


def execute_sql(url: str, *statements: str) -> None:
    with closing(PostgresConnection(url, {})) as connection:
        for statement in statements:
            connection.run(connection.raw.execute(statement))


def drop_read_models(url: str) -> None:
    """As if nothing had been projected."""
    schemas = ("mutua_control", "mutua_read_1")
    execute_sql(url, *(f"DROP SCHEMA IF EXISTS {name} CASCADE" for name in schemas))


def copy_database(server: str, url: str) -> str:
    """Where a copy of a database is that is of one moment, files and all; nobody reaches the
    database meanwhile.
    """
    with block_connections(server, url):
        return create_sibling(server, url, f"TEMPLATE {url.rpartition('/')[2]}")


def create_sibling(server: str, url: str, like: str = "") -> str:
    """Where a database is that is new, to take the place of another one; see `replaced`."""
    execute_sql(server, f"CREATE DATABASE {url.rpartition('/')[2]}_beside {like}")
    return f"{url}_beside"


def replace_database(server: str, url: str, by: str) -> None:
    """Has another database, which is not used, take the place of one that is."""
    name, other = (each.rpartition("/")[2] for each in (url, by))
    execute_sql(
        server,
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"DROP DATABASE {name} WITH (FORCE)",
        f"ALTER DATABASE {other} RENAME TO {name}",
    )


@contextmanager
def block_connections(server: str, url: str) -> Iterator[None]:
    """Within the block nobody reaches the database; `server` is another one on the same server."""
    name = url.rpartition("/")[2]
    execute_sql(
        server,
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    try:
        yield
    finally:
        execute_sql(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
