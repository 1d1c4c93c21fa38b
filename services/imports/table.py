"""Tables of files: rows of text, below a row of column names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

_NO_FLAWS: Final[Mapping[int, str]] = MappingProxyType({})


class TableRow(NamedTuple):
    """A row. `line` is its number for people: a sheet's row, or the line on which it starts.

    `flaws` has, by column index, why a cell cannot be read and what to do. `original` has the cells
    of the file if those of the row were derived from them.
    """

    line: int
    cells: list[str]
    flaws: Mapping[int, str] = _NO_FLAWS
    original: Sequence[str] | None = None

    @property
    def is_blank(self) -> bool:
        return not self.flaws and not any(map(str.strip, self.cells))


class RawTable(NamedTuple):
    """A sheet or text file before its row of column names is found.

    `head` has the first rows with text; `read_rows` reads all of them, `head` included. If
    `keeps_surplus` is false, text to the right of the header is left out because a sheet may have
    remarks there. In a text file such text is a sign of a cell that was split.
    """

    title: str
    head: Sequence[TableRow]
    read_rows: Callable[[], Iterator[TableRow]]
    separator: str = ","
    keeps_surplus: bool = False


class ImportTable(NamedTuple):
    """Trimmed column names and the rows below them, which are read on demand.

    Rows without text are left out. A row has as many cells as columns, or more when the file has
    text beyond the columns. `location` names file, sheet and row of the column names; `sheets` has
    all visible sheets of a workbook.
    """

    header: tuple[str, ...]
    rows: Iterator[TableRow]
    separator: str = ","
    notes: tuple[str, ...] = ()
    location: str = "the file"
    sheet: str = ""
    sheets: tuple[str, ...] = ()
