"""A Parquet file for each table, and about.json. Needs pyarrow."""

import json
from pathlib import Path
from typing import Any, Final

import pyarrow as arrow
import pyarrow.parquet

from services.exports.graph_tables import ColumnType, TableColumn
from services.exports.tables.cell_text import format_timeset
from services.exports.tables.csv_files import write_about
from services.exports.tables.table_set import ABOUT, TableSet

_TYPES: Final = {
    ColumnType.TEXT: arrow.string(),
    ColumnType.WHOLE: arrow.int64(),
    ColumnType.NUMBER: arrow.float64(),
    ColumnType.FLAG: arrow.bool_(),
    ColumnType.DATE: arrow.date32(),
    ColumnType.SPELLS: arrow.string(),
}


def write_parquet_files(tables: TableSet, folder: Path) -> None:
    """Writes ids as text and absent values as null; `about` is in the metadata of each file."""
    metadata = {ABOUT: json.dumps(tables.about, ensure_ascii=False)}
    for table in tables.tables:
        schema = arrow.schema(
            [(column.name, _TYPES[column.type]) for column in table.columns], metadata
        )
        columns = [[_value(column, row) for row in table.rows] for column in table.columns]
        pyarrow.parquet.write_table(
            arrow.table(columns, schema=schema), folder / f"{table.name}.parquet"
        )
    write_about(tables, folder)


def _value(column: TableColumn, row: Any) -> Any:
    value = column.read(row)
    return format_timeset(value) or None if isinstance(value, tuple) else value
