"""Reads .ods workbooks: values with what their cells show, which calamine does not give.

calamine gives an error as an empty text, a month such as "Mar-26" as a day, and durations of 24
hours and more as texts. OASIS Open Document Format 1.3, part 3, defines the elements.
"""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import IO, Final, NamedTuple
from xml.etree.ElementTree import Element, iterparse

from openpyxl.utils import get_column_letter

from services.imports.cell_text import format_duration, format_moment, format_number
from services.imports.table import TableRow

_NAMESPACE: Final = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_OFFICE: Final = _NAMESPACE % "office"
_TABLE: Final = _NAMESPACE % "table"
_TEXT: Final = _NAMESPACE % "text"
_STYLE: Final = _NAMESPACE % "style"
_NUMBER: Final = _NAMESPACE % "datastyle"
_VALUE_KIND: Final = (
    "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}value-type"
)
_ERROR: Final = re.compile(r"#[A-Z][A-Z0-9/]*[!?]?|Err:\d+")
_DURATION: Final = re.compile(
    r"(?P<sign>-?)P(?:(?P<days>\d+)D)?T?(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?)S)?"
)
# No sheet has more columns. A cell with more repetitions is damaged.
_MOST_COLUMNS: Final = 16_384


class _Form(NamedTuple):
    """What a data style shows: `parts` such as "month"; at least `digits` digits of a number."""

    parts: frozenset[str] = frozenset()
    digits: int = 0


class OpenDocumentSheets:
    """The visible sheets of an .ods workbook. Errors of the XML parser pass through."""

    note = ""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._styles = _Styles()
        if "styles.xml" in archive.namelist():
            with archive.open("styles.xml") as part:
                for _, element in iterparse(part):
                    self._styles.add(element)
        self.titles = list(self._visible_titles())

    def read_rows(self, title: str) -> Iterator[TableRow]:
        """The rows that have text. Each call starts at the first one."""
        line, columns = 1, list[str]()
        for element in self._elements(title):
            if element.tag == f"{_TABLE}table-column":
                count = _repeated(element, "columns")
                style = element.get(f"{_TABLE}default-cell-style-name", "")
                columns += [style] * min(count, _MOST_COLUMNS)
            else:
                count = _repeated(element, "rows")
                row = self._row(title, line, element, columns)
                if not row.is_blank:
                    for repeat in range(count):
                        yield row._replace(line=line + repeat)
                line += count

    def _visible_titles(self) -> Iterator[str]:
        with self._archive.open("content.xml") as part:
            for event, element in iterparse(part, ("start", "end")):
                if event == "end":
                    self._styles.add(element)
                    if element.tag == f"{_TABLE}table-row":
                        element.clear()
                elif (
                    element.tag == f"{_TABLE}table"
                    and element.get(f"{_TABLE}style-name", "") not in self._styles.hidden
                ):
                    yield element.get(f"{_TABLE}name", "")

    def _elements(self, title: str) -> Iterator[Element]:
        """The columns and rows of a sheet, without those of tables inside its cells."""
        depth, is_wanted = 0, False
        with self._archive.open("content.xml") as part:
            for event, element in iterparse(part, ("start", "end")):
                if element.tag == f"{_TABLE}table":
                    depth += 1 if event == "start" else -1
                    if event == "start" and depth == 1:
                        is_wanted = element.get(f"{_TABLE}name", "") == title
                elif event == "end" and depth == 1:
                    if element.tag == f"{_TABLE}table-row":
                        if is_wanted:
                            yield element
                        element.clear()
                    elif element.tag == f"{_TABLE}table-column" and is_wanted:
                        yield element

    def _row(self, title: str, line: int, element: Element, columns: list[str]) -> TableRow:
        cells, flaws, empty = list[str](), dict[int, str](), 0
        row_style = element.get(f"{_TABLE}default-cell-style-name", "")
        for cell in element:
            if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
                continue
            count, index = _repeated(cell, "columns"), len(cells) + empty
            style = cell.get(f"{_TABLE}style-name") or row_style
            style = style or (columns[index] if index < len(columns) else "")
            text, flaw = _text(cell, self._styles.form(style))
            if flaw:
                reference = f"{get_column_letter(index + 1)}{line}"
                flaws[index] = f"cell {reference} of sheet {title!r} {flaw}"
            elif not text:
                empty += count
                continue
            cells += [""] * empty + [text] * min(count, _MOST_COLUMNS)
            empty = 0
        return TableRow(line, cells, flaws)


@contextmanager
def open_sheets(file: IO[bytes]) -> Iterator[OpenDocumentSheets]:
    with zipfile.ZipFile(file) as archive:
        yield OpenDocumentSheets(archive)


class _Styles:
    """Forms of cell styles, and the styles of hidden sheets."""

    def __init__(self) -> None:
        self.hidden: set[str] = set()
        self._forms: dict[str, _Form] = {}
        # Cell style -> its data style and the style it derives from.
        self._cells: dict[str, tuple[str, str]] = {}

    def add(self, element: Element) -> None:
        name = element.get(f"{_STYLE}name", "")
        if element.tag.startswith(_NUMBER) and name:
            parts = frozenset(part.tag.removeprefix(_NUMBER) for part in element)
            digits = [
                int(part.get(f"{_NUMBER}min-integer-digits", "0"))
                for part in element
                if part.tag == f"{_NUMBER}number"
                and part.get(f"{_NUMBER}decimal-places", "0") == "0"
            ]
            self._forms[name] = _Form(parts, max(digits, default=0))
        elif element.tag == f"{_STYLE}style":
            if element.get(f"{_STYLE}family") == "table":
                properties = element.find(f"{_STYLE}table-properties")
                if properties is not None and properties.get(f"{_TABLE}display") == "false":
                    self.hidden.add(name)
            else:
                self._cells[name] = (
                    element.get(f"{_STYLE}data-style-name", ""),
                    element.get(f"{_STYLE}parent-style-name", ""),
                )

    def form(self, name: str) -> _Form:
        visited: set[str] = set()
        while name in self._cells and name not in visited:
            visited.add(name)
            data_style, parent = self._cells[name]
            if data_style:
                return self._forms.get(data_style, _Form())
            name = parent
        return _Form()


def _repeated(element: Element, what: str) -> int:
    return int(element.get(f"{_TABLE}number-{what}-repeated", "1"))


def _text(cell: Element, form: _Form) -> tuple[str, str]:
    """The text of a cell as a person would have typed it, and its flaw, "" for none."""
    if cell.tag == f"{_TABLE}covered-table-cell":  # hidden behind a merged one
        return "", ""
    paragraphs = cell.findall(f"{_TEXT}p")
    display = "\n".join(map(_paragraph, paragraphs))
    kind, is_formula = cell.get(f"{_OFFICE}value-type", ""), f"{_TABLE}formula" in cell.attrib
    if cell.get(_VALUE_KIND) == "error" or (is_formula and _ERROR.fullmatch(display)):
        return display, f"shows {display}: correct its formula or type the value"
    if is_formula and not kind and not paragraphs:
        return "", "has a formula and no value: open the file in LibreOffice and save it"
    match kind:
        case "float" | "percentage" | "currency":
            return _number(float(cell.get(f"{_OFFICE}value", "nan")), display, form), ""
        case "date":
            value = datetime.fromisoformat(cell.get(f"{_OFFICE}date-value", ""))
            is_coarse = "year" in form.parts and "day" not in form.parts
            return format_moment(
                value,
                month_only=is_coarse and "month" in form.parts,
                year_only=is_coarse and "month" not in form.parts,
            ), ""
        case "time":
            return _duration(cell.get(f"{_OFFICE}time-value", "")), ""
        case "boolean":
            return cell.get(f"{_OFFICE}boolean-value", ""), ""
    return (display if paragraphs else cell.get(f"{_OFFICE}string-value", "")), ""


def _number(value: float, display: str, form: _Form) -> str:
    if value in (0, 1) and display.isalpha():  # LibreOffice's TRUE of an .xlsx, in any language
        return "true" if value else "false"
    digits = re.sub(r"\D", "", display)
    if form.digits > 1 and digits and int(digits) == value:  # a code such as 00123
        return display
    return format_number(value)


def _duration(text: str) -> str:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration")
    parts = match.groupdict()
    sign = -1 if parts.pop("sign") else 1
    return format_duration(sign * timedelta(**{unit: float(n) for unit, n in parts.items() if n}))


def _paragraph(element: Element) -> str:
    """The text of a paragraph; runs of spaces, tabs and line ends are elements."""
    text = element.text or ""
    for part in element:
        if part.tag == f"{_TEXT}s":
            text += " " * int(part.get(f"{_TEXT}c", "1"))
        elif part.tag == f"{_TEXT}tab":
            text += "\t"
        elif part.tag == f"{_TEXT}line-break":
            text += "\n"
        elif part.tag.startswith(_TEXT):
            text += _paragraph(part)
        text += part.tail or ""
    return text
