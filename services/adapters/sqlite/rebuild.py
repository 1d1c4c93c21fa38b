"""Read models while they are built, by one process that nobody waits for."""

from pathlib import Path
from typing import Final

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, DropIndex

from services.adapters.sql_store.tables import ExchangeRow
from services.adapters.sqlite.store import SqliteStore

_SETTINGS: Final = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -262144")
_LATER: Final = ExchangeRow.table().indexes
"""Indexes that projecting does not read: cheaper made of all rows at once."""
_DIALECT: Final = sqlite.dialect()


# decision 0042: embedded read models are numbered files
class SqliteRebuildStore(SqliteStore):
    """Writes without a journal: what a crash or a failure leaves is of no use."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        for setting in _SETTINGS:
            self._writer.execute(f"PRAGMA {setting}")
        for index in _LATER:
            self._writer.execute(str(DropIndex(index).compile(dialect=_DIALECT)))

    def finish(self) -> None:
        """Makes what is left to the end; then these are read models like any others."""
        for index in _LATER:
            self._writer.execute(str(CreateIndex(index).compile(dialect=_DIALECT)))
