"""The tables of one export with what they are of, and how a format writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from mutua.errors import MissingLibraryError
from services.exports.tables.table_source import NamedTable

FORMATS: Final = ("csv", "parquet", "xlsx")
WORKBOOK: Final = "tables.xlsx"
ABOUT: Final = "about"
"""The name of the file or sheet that says what the figures are of."""


@dataclass(frozen=True, slots=True)
class TableSet:
    """Tables in the order of the register. `about` says what the figures are of, for any reader."""

    tables: Sequence[NamedTable]
    about: Mapping[str, str | int]

    @property
    def row_counts(self) -> dict[str, int]:
        """The number of rows of each table by name."""
        return {table.name: len(table.rows) for table in self.tables}


class WriteTables(Protocol):
    """Writes a set into an empty folder."""

    def __call__(self, tables: TableSet, folder: Path) -> None: ...


def load_writer(form: str) -> WriteTables:
    """The writer of one of `FORMATS`. Raises MissingLibraryError for parquet without pyarrow."""
    if form == "csv":
        from services.exports.tables.csv_files import write_csv_files

        return write_csv_files
    if form == "xlsx":
        from services.exports.tables.workbook import write_workbook

        return write_workbook
    try:
        from services.exports.tables.parquet_files import write_parquet_files
    except ImportError as error:
        raise MissingLibraryError("pyarrow") from error
    return write_parquet_files


def list_file_names(table_names: Sequence[str]) -> list[str]:
    """The files of these tables in any format."""
    names = [f"{name}.{form}" for name in table_names for form in ("csv", "parquet")]
    return [*names, WORKBOOK, f"{ABOUT}.json"]
