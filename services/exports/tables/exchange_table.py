"""Exchanges as a table that `mutua import exchanges` reads as it is."""

from collections.abc import Callable, Mapping
from typing import Final

from services.exports.exchange_rows import COLUMNS, list_exchange_rows
from services.exports.graph_tables import ColumnType, TableColumn, Value
from services.exports.tables.table_source import NamedTable, TableSource
from services.notation.exchange_cells import MINUTE_FIELDS

Cells = Mapping[str, str]
_WHOLE: Final = frozenset(MINUTE_FIELDS)


def make_exchanges(source: TableSource) -> NamedTable:
    """One row for each standing exchange.

    Programs for graphs take rows of one pair for parallel ties, and then find reciprocity where
    there is none: they need the table of edges.
    """
    pages = source.client.list_exchanges(
        source.question, standing_only=True, min_position=source.graph.position
    )
    rows = list_exchange_rows(source.collect(pages), source.directory)
    columns = [
        TableColumn(name, ColumnType.WHOLE, _read_number(name))
        if name in _WHOLE
        else TableColumn(name, ColumnType.TEXT, _read_text(name))
        for name in COLUMNS
    ]
    return NamedTable("exchanges", columns, rows)


def _read_number(name: str) -> Callable[[Cells], Value | None]:
    return lambda cells: int(cells[name]) if cells[name] else None


def _read_text(name: str) -> Callable[[Cells], Value | None]:
    return lambda cells: cells[name] or None
