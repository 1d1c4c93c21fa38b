"""Makes an Excel workbook to fill in and import."""

import io
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.packaging.custom import StringProperty
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from mutua.organization_directory import AmbiguousNameError, OrganizationDirectory
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import ExchangeKind, Formality, OrganizationType, ReportSide
from services.imports.batch_property import BATCH_PROPERTY
from services.imports.column_mapping import EXCHANGE_FIELDS, ORGANIZATION_FIELDS, Field
from services.notation.words import map_enum_words

EXCHANGES_SHEET: Final = "exchanges"
ORGANIZATIONS_SHEET: Final = "organizations"
FIELDS_SHEET: Final = "fields"
_LISTS: Final = "lists"
_ROWS: Final = 10_000
"""Number of rows with drop-downs."""
_LAST_ROW: Final = "Drop-downs end with this row. This comment keeps them: leave it here."
_PROMPT_CHARACTERS: Final = 255
_DAY: Final = "yyyy-mm-dd"
_TEXT: Final = "@"


class FieldGuide(NamedTuple):
    """Help for a field. `word_list` names the list of words to choose from.

    If `is_closed`, only words of that list are valid; otherwise they are suggestions.
    `number_format` is the format of the cells.
    """

    meaning: str
    example: str
    word_list: str = ""
    is_closed: bool = False
    number_format: str = "General"


_SEVERAL: Final = "; separates several."
_A_DAY: Final = "A day, such as 2026-03-14."
# By sheet and field.
FIELD_GUIDES: Final[dict[str, dict[str, FieldGuide]]] = {
    EXCHANGES_SHEET: {
        "reference": FieldGuide(
            "What identifies the row, such as a number of your own: a row that is changed later is "
            "identified by it. Never used twice.",
            "V-0017",
            number_format=_TEXT,
        ),
        "occur_time": FieldGuide(
            f"When it happened. {_A_DAY} If you know no better, a month or a quarter: type "
            "'2026-03 or '2026-Q1, with the apostrophe, or Excel makes a day of it.",
            "2026-03-14",
            number_format=_DAY,
        ),
        "report_time": FieldGuide(
            f"When it was first reported, if that is known. {_A_DAY}",
            "2026-03-20",
            number_format=_DAY,
        ),
        "giver": FieldGuide(
            f"Who gave: name, id or alias{_SEVERAL}", "Thornwick", word_list="parties"
        ),
        "receiver": FieldGuide(
            f"Who received: name, id or alias{_SEVERAL}", "Millbury; Eastmere", word_list="parties"
        ),
        "kind": FieldGuide("What form it took.", "call", word_list="kinds", is_closed=True),
        "formality": FieldGuide(
            "formal: it results directly from a planned activity; informal: it does not. Empty: "
            "unknown.",
            "informal",
            word_list="formalities",
            is_closed=True,
        ),
        "topics": FieldGuide(f"What it was about{_SEVERAL}", "e-prescribing; bed-management"),
        "giver_minutes": FieldGuide(
            "Minutes that all givers spent together. Empty: unknown; 0: none.", "45"
        ),
        "receiver_minutes": FieldGuide("Minutes that each receiver spent. Empty: unknown.", "45"),
        "benefit_minutes": FieldGuide("Minutes that each receiver saved. Empty: unknown.", "600"),
        "reported_by": FieldGuide(
            "Whose side reported it.", "giver", word_list="sides", is_closed=True
        ),
        "note": FieldGuide("A remark.", "Screens were shown.", number_format=_TEXT),
    },
    ORGANIZATIONS_SHEET: {
        "organization_id": FieldGuide(
            "The programme's own id. It never changes.", "T-01", number_format=_TEXT
        ),
        "name": FieldGuide("The name that people use.", "Millbury General Hospital"),
        "aliases": FieldGuide(
            f"Other names and ids that mean it{_SEVERAL}", "Millbury; The General"
        ),
        "type": FieldGuide(
            "What sort of organization it is.", "acute", word_list="types", is_closed=True
        ),
        "sector": FieldGuide("In the programme's words.", "acute"),
        "region": FieldGuide("In the programme's words.", "North"),
        "core_system": FieldGuide("The main record system it runs.", "Cerner"),
        "strategic_group": FieldGuide("The strategic grouping it belongs to.", "Q77"),
        "size": FieldGuide("A size band in the programme's words.", "large"),
        "role": FieldGuide('Its part in the programme; "boundary" is outside it.', "exemplar"),
        "external_ids": FieldGuide(f"Ids in other registers, scheme:value{_SEVERAL}", "ods:R1A"),
        "open_date": FieldGuide(f"First day in force. {_A_DAY}", "2019-04-01", number_format=_DAY),
        "close_date": FieldGuide(
            f"First day no longer in force. {_A_DAY}", "2026-04-01", number_format=_DAY
        ),
    },
}


def make_template(organizations: Iterable[Organization], *, batch: str = "") -> bytes:
    """Makes the workbook; its lists of parties have the organizations of the roster.

    `batch` is the name of the batch that it is imported as, whatever the file is called.
    """
    book = Workbook()
    if batch:
        properties: Any = book  # whose type stubs do not know custom properties
        properties.custom_doc_props.append(StringProperty(name=BATCH_PROPERTY, value=batch))
    lists = {
        "parties": list_party_names(organizations),
        "kinds": _words(ExchangeKind.items()),
        "formalities": _words(Formality.items()),
        "sides": _words(ReportSide.items()),
        "types": _words(OrganizationType.items()),
    }
    first = book.active
    assert isinstance(first, Worksheet)
    first.title = EXCHANGES_SHEET
    _fill(first, _sheet_fields(EXCHANGES_SHEET), lists)
    _fill(book.create_sheet(ORGANIZATIONS_SHEET), _sheet_fields(ORGANIZATIONS_SHEET), lists)
    _explain(book.create_sheet(FIELDS_SHEET))
    sheet = book.create_sheet(_LISTS)
    for column, (name, words) in enumerate(lists.items(), start=1):
        for row, word in enumerate((name, *words), start=1):
            _write(sheet, row, column, word)
    sheet.sheet_state = "hidden"
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def list_party_names(organizations: Iterable[Organization]) -> list[str]:
    """A unique word for each registered organization: its name, else its id."""
    roster = list(organizations)
    directory = OrganizationDirectory(roster)
    return sorted(_word_for(each, directory) for each in roster if each.registered)


def _word_for(organization: Organization, directory: OrganizationDirectory) -> str:
    name = organization.name
    try:
        is_clear = directory.find(name) == organization.organization_id
    except AmbiguousNameError:
        is_clear = False
    return name if is_clear else organization.organization_id


def _sheet_fields(title: str) -> list[Field]:
    """The fields with a column in a sheet; alternative ways to write a field have none."""
    fields = EXCHANGE_FIELDS if title == EXCHANGES_SHEET else ORGANIZATION_FIELDS
    return [field for field in fields if field.name in FIELD_GUIDES[title]]


def _words(items: Iterable[tuple[str, int]]) -> list[str]:
    return [word.replace("_", " ") for word in map_enum_words(items)]


def _fill(sheet: Worksheet, fields: Sequence[Field], lists: dict[str, list[str]]) -> None:
    """Writes the header and, for each column, its number format and list of words."""
    sheet.freeze_panes = "A2"
    for column, field in enumerate(fields, start=1):
        letter = get_column_letter(column)
        entry = FIELD_GUIDES[sheet.title][field.name]
        _write(sheet, 1, column, field.name, font=Font(bold=True, italic=not field.required))
        sheet.column_dimensions[letter].width = max(14, len(field.name) + 4)
        sheet.column_dimensions[letter].number_format = entry.number_format
        rule = _rule(
            field, entry, list(lists).index(entry.word_list) + 1 if entry.word_list else 0, lists
        )
        rule.add(f"{letter}2:{letter}{_ROWS + 1}")
        sheet.add_data_validation(rule)
    # LibreOffice cuts drop-downs 1,000 rows below the last row in use. A comment puts a row in use
    # although it has no text, so an import does not see it.
    sheet.cell(_ROWS + 1, 1).comment = Comment(_LAST_ROW, "mutua")


def _rule(
    field: Field, entry: FieldGuide, list_column: int, lists: dict[str, list[str]]
) -> DataValidation:
    """The help of a cell and, if its field has a list of words, the choice."""
    words = lists.get(entry.word_list, [])
    letter = get_column_letter(max(1, list_column))
    rule = DataValidation(
        type="list" if words else None,
        formula1=f"{_LISTS}!${letter}$2:${letter}${len(words) + 1}" if words else None,
        allow_blank=True,
        showErrorMessage=entry.is_closed,
        showInputMessage=True,
    )
    rule.promptTitle = field.name
    rule.prompt = entry.meaning[:_PROMPT_CHARACTERS]
    rule.errorTitle = field.name
    rule.error = "Choose a word from the list, or leave the cell empty."
    return rule


def _explain(sheet: Worksheet) -> None:
    sheet.freeze_panes = "A2"
    for column, (heading, width) in enumerate(
        (("sheet", 14), ("field", 18), ("needed", 8), ("meaning", 80), ("example", 28)), start=1
    ):
        _write(sheet, 1, column, heading, font=Font(bold=True))
        sheet.column_dimensions[get_column_letter(column)].width = width
    row = 2
    for title in (EXCHANGES_SHEET, ORGANIZATIONS_SHEET):
        for field in _sheet_fields(title):
            entry = FIELD_GUIDES[title][field.name]
            needed = "yes" if field.required else ""
            for column, text in enumerate(
                (title, field.name, needed, entry.meaning, entry.example), start=1
            ):
                _write(sheet, row, column, text)
            row += 1


def _write(sheet: Worksheet, row: int, column: int, text: str, *, font: Font | None = None) -> None:
    cell = sheet.cell(row, column, text)
    cell.data_type = "s"  # a name that begins with = is no formula
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    if font is not None:
        cell.font = font
