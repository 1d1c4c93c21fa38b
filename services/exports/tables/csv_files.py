"""A CSV file for each table, and about.json."""

import csv
import json
from pathlib import Path

from services.exports.tables.cell_text import format_cell
from services.exports.tables.table_set import ABOUT, TableSet


def write_csv_files(tables: TableSet, folder: Path) -> None:
    """Writes UTF-8 with a header line; see `format_cell`."""
    for table in tables.tables:
        with (folder / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(column.name for column in table.columns)
            writer.writerows(
                [format_cell(column.read(row)) for column in table.columns] for row in table.rows
            )
    write_about(tables, folder)


def write_about(tables: TableSet, folder: Path) -> None:
    """Writes what the figures are of, as JSON."""
    text = json.dumps(tables.about, ensure_ascii=False, indent=2)
    (folder / f"{ABOUT}.json").write_text(f"{text}\n", encoding="utf-8")
