"""A table of people: named columns, and rows of text below them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

_NO_FLAWS: Final[Mapping[int, str]] = MappingProxyType({})


class TableRow(NamedTuple):
    """`line` is the number that people see: a sheet's row, or the line on which a row starts.

    `flaws` says, by column index, why a cell cannot be read as it stands, and what to do.
    `original` has the cells of the file where those of the row were made from them.
    """

    line: int
    cells: list[str]
    flaws: Mapping[int, str] = _NO_FLAWS
    original: Sequence[str] | None = None

    @property
    def is_blank(self) -> bool:
        return not self.flaws and not any(map(str.strip, self.cells))


class RawTable(NamedTuple):
    """Rows of a sheet or text file before it is known which row names the columns.

    `head` has the first rows with any text; `rows` reads all of them, `head` included. Text right
    of the header is left out when `keeps_surplus` is false: a sheet may have remarks there, whereas
    in a text file it is a sign of cells that were split.
    """

    title: str
    head: Sequence[TableRow]
    read_rows: Callable[[], Iterator[TableRow]]
    separator: str = ","
    keeps_surplus: bool = False


class ImportTable(NamedTuple):
    """Column names, trimmed, and the rows below them, which are read as they are asked for.

    Rows without any text are left out. A row has as many cells as there are columns, or more when
    the file has text where no column is. `where` names file, sheet and row of the column names.
    """

    header: tuple[str, ...]
    rows: Iterator[TableRow]
    separator: str = ","
    notes: tuple[str, ...] = ()
    location: str = "the file"
    sheet: str = ""
