"""What a data directory keeps that is not on the log: coordinates of organizations on the map."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from services.adapters.sqlite.database_file import insert_rows, make_write_error, open_file

_VERSION: Final = 1
_CREATE: Final = """
    CREATE TABLE IF NOT EXISTS map_place (
        programme TEXT NOT NULL,
        organization TEXT NOT NULL,
        x REAL NOT NULL,
        y REAL NOT NULL,
        PRIMARY KEY (programme, organization)
    ) WITHOUT ROWID
"""


class SqliteControlStore:
    """Implements `ports.MapStore` in a file, which is created when something is first written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_places(self, programme_id: str) -> Mapping[str, tuple[float, float]]:
        if not self._path.exists():
            return {}
        with closing(self._open()) as connection:
            rows = connection.execute(
                "SELECT organization, x, y FROM map_place WHERE programme = ?", (programme_id,)
            )
            return {organization: (x, y) for organization, x, y in rows}

    def add_places(self, programme_id: str, places: Mapping[str, tuple[float, float]]) -> None:
        rows = [(programme_id, organization, *place) for organization, place in places.items()]
        try:
            with closing(self._open()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                insert_rows(connection, "INSERT OR IGNORE INTO map_place VALUES (?, ?, ?, ?)", rows)
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise make_write_error(error, self._path) from error

    def _open(self) -> sqlite3.Connection:
        connection = open_file(self._path, version=_VERSION, durable=False, read_only=False)
        connection.execute(_CREATE)
        return connection
