"""Databases of PostgreSQL as the tests need them."""

from contextlib import closing

from services.adapters.postgres_driver import PostgresConnection


def execute(url: str, *statements: str) -> None:
    with closing(PostgresConnection(url, {})) as connection:
        for statement in statements:
            connection.run(connection.raw.execute(statement))


def drop_read_models(url: str) -> None:
    """As if nothing had been projected."""
    schemas = ("mutua_control", "mutua_read_1")
    execute(url, *(f"DROP SCHEMA IF EXISTS {name} CASCADE" for name in schemas))
