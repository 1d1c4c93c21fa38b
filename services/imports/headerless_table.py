"""Recognizes files without column names and suggests how to import them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from mutua.v1.types_pb2 import ExchangeKind
from services.imports.column_mapping import Field, is_recognized_column
from services.imports.report import ImportRefusedError
from services.imports.table import TableRow
from services.notation.words import map_enum_words, normalize_word

_YEAR_FIRST: Final = re.compile(r"\d{4}([-/.])\d{1,2}(\1\d{1,2})?([T ].*)?|(19|20)\d{6}")
_YEAR_LAST: Final = re.compile(r"\d{1,2}([-/.])\d{1,2}\1(\d{4}|\d{2})(,? .*)?")
_NUMBER: Final = re.compile(r"-?\d+([.,]\d+)?")
_CODE: Final = re.compile(r"[A-Z0-9]{3,10}")
_DAY: Final = re.compile(r"[0-9]{8}")
_SHOWN_CELLS: Final = 6


class HeaderlessError(ImportRefusedError):
    """The row that would name the columns looks like data.

    `column_by_field` has the column number of each field that can be guessed. `is_complete` is true
    when no required field is missing. `remedy` has the options that import the file.
    """

    def __init__(self, name: str, row: TableRow, suggestion: "ColumnSuggestion") -> None:
        words = [f"--map {field}={column}" for field, column in suggestion.column_by_field.items()]
        words += [f"--set {field}=VALUE" for field in suggestion.missing_fields]
        cells = row.cells[:_SHOWN_CELLS]
        preview = " | ".join(cells) + (" | ..." if len(row.cells) > len(cells) else "")
        options = " ".join(("--no-header", *words))
        question = (
            f"{name} seems to have no row with column names: row {row.line} is {preview}, which "
            "looks like data."
        )
        super().__init__(
            f"{question} If it is data, say which column is what by number: {options}. "
            f"If it names the columns: --header-row {row.line}."
        )
        self.column_by_field = suggestion.column_by_field
        self.is_complete = not suggestion.missing_fields
        self.question, self.remedy = question, options


class ColumnSuggestion(NamedTuple):
    """Column numbers by field, and the required fields that have no column."""

    column_by_field: dict[str, str]
    missing_fields: tuple[str, ...]


class PublishedLayout(NamedTuple):
    """A published format without column names."""

    description: str
    key: str
    """The field that only tables of its kind have."""
    columns: tuple[str, ...]
    matches: Callable[[Sequence[str]], bool]


def _is_ods_row(cells: Sequence[str]) -> bool:
    code, opened, closed = cells[0], cells[10], cells[11]
    return bool(
        _CODE.fullmatch(code) and _DAY.fullmatch(opened) and (not closed or _DAY.fullmatch(closed))
    )


# Columns that the format leaves empty have no name.
_LAYOUTS: Final = (
    PublishedLayout(
        "organizations of the NHS Organisation Data Service (27 columns, such as etr.csv)",
        "organization_id",
        (
            "Organisation Code",
            "Name",
            "National Grouping",
            "High Level Health Geography",
            *(f"Address Line {number}" for number in range(1, 6)),
            "Postcode",
            "Open Date",
            "Close Date",
            *[""] * 5,
            "Telephone",
            *[""] * 3,
            "Amended Record Indicator",
            "",
            "GOR Code",
            *[""] * 3,
        ),
        _is_ods_row,
    ),
)


def find_layout(head: Sequence[TableRow], fields: Sequence[Field]) -> PublishedLayout | None:
    """The published format that every row of the head has."""
    for layout in _LAYOUTS:
        if any(field.name == layout.key for field in fields) and all(
            len(row.cells) == len(layout.columns) and layout.matches(row.cells) for row in head
        ):
            return layout
    return None


def suggest_columns(
    rows: Sequence[TableRow], fields: Sequence[Field], constants: Mapping[str, str]
) -> ColumnSuggestion | None:
    """Suggests columns when the first row looks like the rows below it; else returns None.

    It looks like data when no cell is a known column name, and one is a day, or at least half are
    numbers or occur again below.
    """
    first, below = rows[0].cells, rows[1:]
    texts = [(index, cell.strip()) for index, cell in enumerate(first) if cell.strip()]
    if not texts or any(is_recognized_column(text, fields) for _, text in texts):
        return None
    again = [{row.cells[i].strip() for row in below if i < len(row.cells)} for i, _ in texts]
    alike = [
        bool(_NUMBER.fullmatch(text)) or text in others
        for (_, text), others in zip(texts, again, strict=True)
    ]
    if not any(_is_day(text) for _, text in texts) and 2 * sum(alike) < len(alike):
        return None
    return _suggestion(rows, fields, constants)


def _suggestion(
    rows: Sequence[TableRow], fields: Sequence[Field], constants: Mapping[str, str]
) -> ColumnSuggestion:
    names = [field.name for field in fields]
    is_exchange = "giver" in names
    free = ["giver", "receiver"] if is_exchange else ["organization_id", "name"]
    mapped: dict[str, str] = {}
    for index in range(max(len(row.cells) for row in rows)):
        column = [row.cells[index].strip() for row in rows if index < len(row.cells)]
        texts = [text for text in column if text]
        field = _role(texts) if is_exchange else ""
        if not field and free and texts and not all(map(_is_day, texts)):
            field = free.pop(0)
        if field and field not in mapped and field not in constants:
            mapped[field] = str(index + 1)
    required = [field.name for field in fields if field.required]
    missing = tuple(name for name in required if name not in {*mapped, *constants})
    return ColumnSuggestion({name: mapped[name] for name in names if name in mapped}, missing)


def _role(texts: Sequence[str]) -> str:
    """The field that a column of exchanges seems to hold, by its cells."""
    if not texts:
        return ""
    kinds = map_enum_words(ExchangeKind.items())
    if all(map(_is_day, texts)):
        return "occur_time"
    if all(_NUMBER.fullmatch(text) for text in texts):
        return "giver_minutes"
    if all(normalize_word(text) in kinds for text in texts):
        return "kind"
    return ""


def _is_day(text: str) -> bool:
    return bool(_YEAR_FIRST.fullmatch(text) or _YEAR_LAST.fullmatch(text))
