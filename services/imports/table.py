"""A table of people: named columns, and rows of text below them."""

from collections.abc import Iterator
from typing import NamedTuple

from services.imports.report import ImportRefused


class Row(NamedTuple):
    """`line` is the line of the file that the row starts on; a CSV's header is line 1.

    `flaw` says why its cells cannot be read as they stand, and what to do.
    """

    line: int
    cells: list[str]
    flaw: str = ""


class Table(NamedTuple):
    """Column names, trimmed, and the rows below them, which are read as they are asked for.

    Rows without any text are left out; a row may have more or fewer cells than there are columns.
    """

    header: tuple[str, ...]
    rows: Iterator[Row]
    separator: str = ","
    notes: tuple[str, ...] = ()


def require_distinct(name: str, header: tuple[str, ...]) -> None:
    """Raises ImportRefused when two columns of the file `name` have one name."""
    named = [column for column in header if column]
    if twice := sorted({column for column in named if named.count(column) > 1}):
        raise ImportRefused(
            f"{name} has two columns named {twice[0]!r}: rename one, so that it is clear "
            "which is meant."
        )
