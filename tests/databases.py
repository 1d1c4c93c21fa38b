"""Copies and replaces databases of PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from services.adapters.postgres.driver import PostgresConnection


def execute_sql(url: str, *statements: str) -> None:
    with closing(PostgresConnection(url, {})) as connection:
        for statement in statements:
            connection.run(connection.raw.execute(statement))


def drop_read_models(url: str) -> None:
    """Drops the read models, as before the first projection."""
    schemas = ("mutua_control", "mutua_read_1")
    execute_sql(url, *(f"DROP SCHEMA IF EXISTS {name} CASCADE" for name in schemas))


def copy_database(server: str, url: str) -> str:
    """Copies a database at one moment and returns the URL of the copy.

    Nobody can connect to the database meanwhile.
    """
    with block_connections(server, url):
        return create_sibling(server, url, f"TEMPLATE {url.rpartition('/')[2]}")


def create_sibling(server: str, url: str, like: str = "") -> str:
    """Creates a database for `replace_database` and returns its URL."""
    execute_sql(server, f"CREATE DATABASE {url.rpartition('/')[2]}_beside {like}")
    return f"{url}_beside"


def replace_database(server: str, url: str, by: str) -> None:
    """Replaces a database by another one, which nobody uses."""
    name, other = (each.rpartition("/")[2] for each in (url, by))
    execute_sql(
        server,
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"DROP DATABASE {name} WITH (FORCE)",
        f"ALTER DATABASE {other} RENAME TO {name}",
    )


@contextmanager
def block_connections(server: str, url: str) -> Iterator[None]:
    """Refuses connections to a database during the block. `server` is another one on its server."""
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
