"""Shows the columns of a file before it is imported: their fields as guessed, and sample cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from services.adapters.wire.values import tidy
from services.imports.column_mapping import Field, find_missing, guess_sources
from services.imports.header import TableRequest
from services.imports.options import ImportOptions
from services.imports.table import TableRow
from services.imports.table_file import open_table

_SAMPLED_ROWS: Final = 200
_MAX_SAMPLES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPreview:
    """A column: its field, "" for none, and its first different texts, three at most."""

    name: str
    field: str
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePreview:
    """The table of a file. `missing_fields` are required, and have no column and no constant.

    `sheet` is the one that was read of `sheets`; a text file has none.
    """

    columns: tuple[ColumnPreview, ...]
    missing_fields: tuple[str, ...]
    sheet: str = ""
    sheets: tuple[str, ...] = ()


def preview_columns(
    path: Path, fields: Sequence[Field], options: ImportOptions, *, preferred_sheet: str
) -> TablePreview:
    """Reads the first rows.

    Raises ImportRefusedError when the file is no table or lacks a column that options name, and
    HeaderlessError when its first row looks like data.
    """
    request = TableRequest.of(options, fields, preferred_sheet=preferred_sheet)
    with open_table(path, request) as table:
        sources = guess_sources(fields, table.header, options.map, options.set)
        field_by_place = {place: field for field, place in sources.items()}
        rows = list(islice(table.rows, _SAMPLED_ROWS))
        columns = [
            ColumnPreview(
                name=name, field=field_by_place.get(place, ""), samples=_pick_samples(rows, place)
            )
            for place, name in enumerate(table.header)
            if name
        ]
        return TablePreview(
            columns=tuple(columns),
            missing_fields=tuple(find_missing(fields, sources)),
            sheet=table.sheet,
            sheets=table.sheets,
        )


def _pick_samples(rows: Sequence[TableRow], place: int) -> tuple[str, ...]:
    texts = (tidy(row.cells[place]) for row in rows if place < len(row.cells))
    return tuple(islice(dict.fromkeys(filter(None, texts)), _MAX_SAMPLES))
