"""What a cluster keeps that is not on the log: coordinates of organizations on the map."""

from collections.abc import Mapping
from contextlib import closing
from typing import Final

from services.adapters.postgres.driver import Error, PostgresConnection
from services.ledger.errors import LogUnavailableError

_SELECT: Final = "SELECT organization, x, y FROM mutua_control.map_place WHERE programme = $1"
_INSERT: Final = """
    INSERT INTO mutua_control.map_place
    SELECT $1, * FROM unnest($2::text[], $3::float8[], $4::float8[]) ON CONFLICT DO NOTHING
"""


class PostgresControlStore:
    """Implements `ports.MapStore` in the schema `mutua_control`, which projectors create."""

    def __init__(self, url: str) -> None:
        self._url = url

    def read_places(self, programme_id: str) -> Mapping[str, tuple[float, float]]:
        try:
            with closing(PostgresConnection(self._url, {})) as connection:
                rows = connection.run(connection.raw.fetch(_SELECT, programme_id))
        except Error as error:
            raise LogUnavailableError(f"the map cannot be read: {error}") from error
        return {organization: (x, y) for organization, x, y in rows}

    def add_places(self, programme_id: str, places: Mapping[str, tuple[float, float]]) -> None:
        columns = list(places), [x for x, _ in places.values()], [y for _, y in places.values()]
        try:
            with closing(PostgresConnection(self._url, {})) as connection:
                connection.run(connection.raw.execute(_INSERT, programme_id, *columns))
        except Error as error:
            raise LogUnavailableError(f"the map cannot be written: {error}") from error
