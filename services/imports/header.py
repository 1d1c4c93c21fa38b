"""Finds the row of column names among the sheets and first rows of a file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import Final, NamedTuple, Self

from services.imports.column_mapping import Field, count_fields
from services.imports.headerless_table import HeaderlessError, find_layout, suggest_columns
from services.imports.options import ImportOptions
from services.imports.report import ImportRefusedError
from services.imports.table import ImportTable, RawTable, TableRow

_SEARCHED_ROWS: Final = 30
# Qualtrics writes the names, the questions, and a row such as {"ImportId":"QID1_TEXT"}.
_IMPORT_ID: Final = '{"ImportId"'
_IMPORT_ID_ROWS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRequest:
    """Selects the table of a file whose columns have the required `fields`.

    `column_by_field` and `constants` are the user's, as in `map_columns`. `sheet` and `header_row`
    select by hand; "" and None search. `preferred_sheet` is searched first.
    """

    fields: Sequence[Field]
    column_by_field: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    sheet: str = ""
    preferred_sheet: str = ""
    header_row: int | None = None
    has_header: bool = True

    @classmethod
    def of(cls, options: ImportOptions, fields: Sequence[Field], *, preferred_sheet: str) -> Self:
        """The table that the user's options select."""
        return cls(
            fields=fields,
            column_by_field=options.map,
            constants=options.set,
            sheet=options.sheet,
            preferred_sheet=preferred_sheet,
            header_row=options.header_row,
            has_header=not options.no_header,
        )

    @property
    def head_rows(self) -> int:
        return max(_SEARCHED_ROWS, self.header_row or 0)


class _Place(NamedTuple):
    """The position of a header in the head of its table."""

    grid: RawTable
    position: int


def find_table(name: str, grids: Iterable[RawTable], request: TableRequest) -> ImportTable:
    """Finds the first table with the required columns, else one headed by the file's first row.

    Raises ImportRefusedError when the file `name` has no row, or lacks the row that the user names,
    and HeaderlessError when its first row looks like data.
    """
    first: RawTable | None = None
    for grid in grids:
        if not grid.head:
            continue
        if not request.has_header:
            return _table_by_number(name, grid)
        if place := _find_header(grid, request):
            return _table_below(name, place, request)
        if layout := find_layout(grid.head, request.fields):
            note = f"{name} has no row with column names; it was read as {layout.description}."
            rows = _fit_rows(grid, grid.read_rows(), layout.columns)
            return ImportTable(layout.columns, rows, grid.separator, (note,), name, grid.title)
        first = first or grid
    if first is None:
        where = f"Sheet {request.sheet!r} of {name}" if request.sheet else name
        raise ImportRefusedError(
            f"{where} has no row with the column names: write them in its first row."
        )
    if request.header_row:
        return _table_below(name, _header_at(name, first, request.header_row), request)
    if flaws := first.head[0].flaws:
        raise ImportRefusedError(
            f"{name} has no row with the column names: {next(iter(flaws.values()))}."
        )
    return _table_below(name, _Place(first, 0), request)


def _find_header(grid: RawTable, request: TableRequest) -> _Place | None:
    """The row that has the required columns and the most others; None when no row has them."""
    counts = {
        index: count_fields(
            request.fields,
            _column_names(row),
            column_by_field=request.column_by_field,
            constants=request.constants,
        )
        for index, row in enumerate(grid.head)
        if request.header_row in (None, row.line)
    }
    best = max(counts, key=lambda index: counts[index], default=None)
    return _Place(grid, best) if best is not None and counts[best] else None


def _header_at(name: str, grid: RawTable, line: int) -> _Place:
    for index, row in enumerate(grid.head):
        if row.line == line:
            return _Place(grid, index)
    raise ImportRefusedError(
        f"--header-row {line}: {name} has no text there. Its first row with text is "
        f"{grid.head[0].line}."
    )


def _table_below(name: str, place: _Place, request: TableRequest) -> ImportTable:
    grid, position = place
    if not request.header_row:
        suggestion = suggest_columns(grid.head[position:], request.fields, request.constants)
        if suggestion is not None:
            raise HeaderlessError(name, grid.head[position], suggestion)
    header = grid.head[position]
    columns = _column_names(header)
    last, notes = header.line, []
    in_sheet = f" of sheet {grid.title!r}" if grid.title else ""
    if position and not request.header_row:
        notes.append(
            f"The column names were read from row {header.line}{in_sheet}; --header-row names "
            "another."
        )
    for row in grid.head[position + 1 :][:_IMPORT_ID_ROWS]:
        if any(cell.startswith(_IMPORT_ID) for cell in row.cells):
            last = row.line
            notes.append(
                f"The rows down to {last} were left out: Qualtrics explains columns there."
            )
    rows = dropwhile(lambda row: row.line <= last, grid.read_rows())
    where = f"{name}{f', sheet {grid.title!r}' if grid.title else ''}, row {header.line}"
    return ImportTable(
        columns, _fit_rows(grid, rows, columns), grid.separator, tuple(notes), where, grid.title
    )


def _table_by_number(name: str, grid: RawTable) -> ImportTable:
    width = max(len(row.cells) for row in grid.head)
    columns = tuple(str(number) for number in range(1, width + 1))
    where = f"{name}, sheet {grid.title!r}" if grid.title else name
    return ImportTable(
        columns, _fit_rows(grid, grid.read_rows(), columns), grid.separator, (), where, grid.title
    )


def _column_names(row: TableRow) -> tuple[str, ...]:
    """Column names on one line each, without the empty ones at the end."""
    names = [" ".join(cell.split()) for cell in row.cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _fit_rows(
    grid: RawTable, rows: Iterator[TableRow], columns: Sequence[str]
) -> Iterator[TableRow]:
    """Rows as wide as the header; missing cells at the end are empty."""
    width = len(columns)
    for row in rows:
        line, cells, flaws, _ = row
        if len(cells) != width:
            if len(cells) < width:
                cells = cells + [""] * (width - len(cells))
            elif not (grid.keeps_surplus and any(map(str.strip, cells[width:]))):
                cells = cells[:width]
            flaws = {index: flaw for index, flaw in flaws.items() if index < width}
            row = TableRow(line, cells, flaws)
        if flaws or any(map(str.strip, cells)):
            yield row
