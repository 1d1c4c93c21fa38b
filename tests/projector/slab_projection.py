"""Projects records into read models slab by slab, and reads the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

from services.adapters.postgres.store import PostgresStore
from services.adapters.sql_store.tables import ReadModelRow
from services.adapters.sqlite.store import SqliteStore
from services.ledger.records import Record
from services.projector.slab import project_slab

LOG_ID = "0" * 32
TableContents = dict[str, list[tuple[Any, ...]]]


@contextmanager
def open_empty_store() -> Iterator[SqliteStore]:
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder, "read.sqlite"))) as store:
        yield store


def project(
    store: SqliteStore, records: Sequence[Record], cuts: Sequence[int] = (), log_id: str = LOG_ID
) -> None:
    """Projects the records in slabs that end at `cuts`."""
    for slab in split_into_slabs(records, cuts):
        project_slab(store, log_id, slab)


def split_into_slabs(records: Sequence[Record], cuts: Sequence[int]) -> list[Sequence[Record]]:
    return [records[start:end] for start, end in pairwise((0, *cuts, len(records)))]


def read_tables(store: SqliteStore | PostgresStore) -> TableContents:
    """Returns all rows by table name, in order of the primary keys."""
    with store.open_snapshot(0) as snapshot:
        return {
            str(model.__tablename__): [
                tuple(row)
                for row in snapshot.fetch_all(
                    select(model.table()).order_by(*model.table().primary_key.columns)
                )
            ]
            for model in ReadModelRow.__subclasses__()
        }
