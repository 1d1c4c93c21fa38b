"""A build of the read models in SQLite, by one process without readers."""

from pathlib import Path
from typing import Final

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, DropIndex

from services.adapters.sql_store.tables import ExchangeRow
from services.adapters.sqlite.store import SqliteStore

_SETTINGS: Final = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -262144")
_DEFERRED_INDEXES: Final = ExchangeRow.table().indexes
"""Indexes that projection does not read; creating them once all rows exist is cheaper."""
_DIALECT: Final = sqlite.dialect()


# decision 0042: embedded read models are numbered files
class SqliteRebuildStore(SqliteStore):
    """Writes without a journal, so a crash or a failure makes the file useless."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        for setting in _SETTINGS:
            self._writer.execute(f"PRAGMA {setting}")
        for index in _DEFERRED_INDEXES:
            self._writer.execute(str(DropIndex(index).compile(dialect=_DIALECT)))

    def finish(self) -> None:
        """Creates the missing indexes."""
        for index in _DEFERRED_INDEXES:
            self._writer.execute(str(CreateIndex(index).compile(dialect=_DIALECT)))
