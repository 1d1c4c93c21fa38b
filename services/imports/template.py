"""An Excel workbook to be filled in and imported as it is."""

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

from mutua.directory import AmbiguousName, Directory
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import ExchangeKind, Formality, OrganizationType, ReportSide
from services.imports.cells import enum_words
from services.imports.columns import EXCHANGE_FIELDS, ORGANIZATION_FIELDS, Field
from services.imports.own_batch import PROPERTY

EXCHANGES: Final = "exchanges"
ORGANIZATIONS: Final = "organizations"
FIELDS: Final = "fields"
_LISTS: Final = "lists"
_ROWS: Final = 10_000
"""Number of rows with drop-downs."""
_LAST_ROW: Final = "Drop-downs end with this row. This comment keeps them: leave it here."
_PROMPT_CHARACTERS: Final = 255
_DAY: Final = "yyyy-mm-dd"
_TEXT: Final = "@"


class Entry(NamedTuple):
    """What people should know of a field. `words`: the list to choose from, by name.

    `only` words of the list are right; else they are a help. `form` is the cells' number format.
    """

    means: str
    example: str
    words: str = ""
    only: bool = False
    form: str = "General"


_SEVERAL: Final = "; stands between several."
_A_DAY: Final = "A day, such as 2026-03-14."
# By sheet and field.
ENTRIES: Final[dict[str, dict[str, Entry]]] = {
    EXCHANGES: {
        "reference": Entry(
            "What identifies the row, such as a number of your own: a row that is changed later is "
            "known by it. Never used twice.",
            "V-0017",
            form=_TEXT,
        ),
        "occur_time": Entry(
            f"When it happened. {_A_DAY} If you know no better, a month or a quarter: type "
            "'2026-03 or '2026-Q1, with the apostrophe, or Excel makes a day of it.",
            "2026-03-14",
            form=_DAY,
        ),
        "report_time": Entry(
            f"When it was first reported, if that is known. {_A_DAY}", "2026-03-20", form=_DAY
        ),
        "giver": Entry(f"Who gave: name, id or alias{_SEVERAL}", "Thornwick", words="parties"),
        "receiver": Entry(
            f"Who received: name, id or alias{_SEVERAL}", "Millbury; Eastmere", words="parties"
        ),
        "kind": Entry("What form it took.", "call", words="kinds", only=True),
        "formality": Entry(
            "formal: it results directly from a planned activity; informal: it does not. Empty: "
            "nobody said.",
            "informal",
            words="formalities",
            only=True,
        ),
        "topics": Entry(f"What it was about{_SEVERAL}", "e-prescribing; bed-management"),
        "giver_minutes": Entry(
            "Minutes that all givers spent together. Empty: unknown; 0: none.", "45"
        ),
        "receiver_minutes": Entry("Minutes that each receiver spent. Empty: unknown.", "45"),
        "benefit_minutes": Entry("Minutes that each receiver saved. Empty: unknown.", "600"),
        "reported_by": Entry("Whose side told of it.", "giver", words="sides", only=True),
        "note": Entry("A remark.", "Screens were shown.", form=_TEXT),
    },
    ORGANIZATIONS: {
        "organization_id": Entry("The programme's own id. It never changes.", "T-01", form=_TEXT),
        "name": Entry("The name that people use.", "Millbury General Hospital"),
        "aliases": Entry(f"Other names and ids that mean it{_SEVERAL}", "Millbury; The General"),
        "type": Entry("What sort of organization it is.", "acute", words="types", only=True),
        "sector": Entry("In the programme's words.", "acute"),
        "region": Entry("In the programme's words.", "North"),
        "core_system": Entry("The main record system it runs.", "Cerner"),
        "strategic_group": Entry("The strategic grouping it belongs to.", "Q77"),
        "size": Entry("A size band in the programme's words.", "large"),
        "role": Entry('Its part in the programme; "boundary" stands outside it.', "exemplar"),
        "external_ids": Entry(f"Ids in other registers, scheme:value{_SEVERAL}", "ods:R1A"),
        "open_date": Entry(f"First day in force. {_A_DAY}", "2019-04-01", form=_DAY),
        "close_date": Entry(f"First day no longer in force. {_A_DAY}", "2026-04-01", form=_DAY),
    },
}


def template(organizations: Iterable[Organization], *, batch: str = "") -> bytes:
    """The workbook as a file; parties are chosen from those of the organizations on the roster.

    `batch` is the name of the batch that it is imported as, whatever the file is called.
    """
    book = Workbook()
    if batch:
        properties: Any = book  # whose type stubs do not know custom properties
        properties.custom_doc_props.append(StringProperty(name=PROPERTY, value=batch))
    lists = {
        "parties": parties(organizations),
        "kinds": _words(ExchangeKind.items()),
        "formalities": _words(Formality.items()),
        "sides": _words(ReportSide.items()),
        "types": _words(OrganizationType.items()),
    }
    first = book.active
    assert isinstance(first, Worksheet)
    first.title = EXCHANGES
    _fill(first, _sheet_fields(EXCHANGES), lists)
    _fill(book.create_sheet(ORGANIZATIONS), _sheet_fields(ORGANIZATIONS), lists)
    _explain(book.create_sheet(FIELDS))
    sheet = book.create_sheet(_LISTS)
    for column, (name, words) in enumerate(lists.items(), start=1):
        for row, word in enumerate((name, *words), start=1):
            _write(sheet, row, column, word)
    sheet.sheet_state = "hidden"
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def parties(organizations: Iterable[Organization]) -> list[str]:
    """A word for each registered organization that means no other: its name, else its id."""
    known = list(organizations)
    directory = Directory(known)
    return sorted(_word_for(each, directory) for each in known if each.registered)


def _word_for(organization: Organization, directory: Directory) -> str:
    name = organization.name
    try:
        is_clear = directory.find(name) == organization.organization_id
    except AmbiguousName:
        is_clear = False
    return name if is_clear else organization.organization_id


def _sheet_fields(title: str) -> list[Field]:
    """The fields that a sheet has columns for: not those that say the same in another way."""
    fields = EXCHANGE_FIELDS if title == EXCHANGES else ORGANIZATION_FIELDS
    return [field for field in fields if field.name in ENTRIES[title]]


def _words(items: Iterable[tuple[str, int]]) -> list[str]:
    return [word.replace("_", " ") for word in enum_words(items)]


def _fill(sheet: Worksheet, fields: Sequence[Field], lists: dict[str, list[str]]) -> None:
    """The header, and for each column how its cells look and what may stand in them."""
    sheet.freeze_panes = "A2"
    for column, field in enumerate(fields, start=1):
        letter = get_column_letter(column)
        entry = ENTRIES[sheet.title][field.name]
        _write(sheet, 1, column, field.name, font=Font(bold=True, italic=not field.required))
        sheet.column_dimensions[letter].width = max(14, len(field.name) + 4)
        sheet.column_dimensions[letter].number_format = entry.form
        rule = _rule(field, entry, list(lists).index(entry.words) + 1 if entry.words else 0, lists)
        rule.add(f"{letter}2:{letter}{_ROWS + 1}")
        sheet.add_data_validation(rule)
    # LibreOffice cuts drop-downs 1,000 rows below the last row in use. A comment puts a row in use
    # although it has no text, so an import does not see it.
    sheet.cell(_ROWS + 1, 1).comment = Comment(_LAST_ROW, "mutua")


def _rule(
    field: Field, entry: Entry, list_column: int, lists: dict[str, list[str]]
) -> DataValidation:
    """Tells what a cell is for, and lets people choose where there is something to choose from."""
    words = lists.get(entry.words, [])
    letter = get_column_letter(max(1, list_column))
    rule = DataValidation(
        type="list" if words else None,
        formula1=f"{_LISTS}!${letter}$2:${letter}${len(words) + 1}" if words else None,
        allow_blank=True,
        showErrorMessage=entry.only,
        showInputMessage=True,
    )
    rule.promptTitle = field.name
    rule.prompt = entry.means[:_PROMPT_CHARACTERS]
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
    for title in (EXCHANGES, ORGANIZATIONS):
        for field in _sheet_fields(title):
            entry = ENTRIES[title][field.name]
            needed = "yes" if field.required else ""
            for column, text in enumerate(
                (title, field.name, needed, entry.means, entry.example), start=1
            ):
                _write(sheet, row, column, text)
            row += 1


def _write(sheet: Worksheet, row: int, column: int, text: str, *, font: Font | None = None) -> None:
    cell = sheet.cell(row, column, text)
    cell.data_type = "s"  # a name that begins with = is no formula
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    if font is not None:
        cell.font = font
