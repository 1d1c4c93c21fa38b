"""Workbooks as other programs write them, built from their published formats."""

import io
import struct
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

Value = str | float | bool | date | datetime | timedelta | None

_ODS_NAMESPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (
        ("office", "office"),
        ("table", "table"),
        ("text", "text"),
        ("style", "style"),
        ("number", "datastyle"),
    )
)
_CALC = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
# Cell styles by name: ids of five digits, months, days.
_ODS_STYLES = """
<number:number-style style:name="N1"><number:number number:decimal-places="0"
 number:min-integer-digits="5"/></number:number-style>
<number:date-style style:name="N2"><number:month number:textual="true"/><number:text>-</number:text>
 <number:year/></number:date-style>
<number:date-style style:name="N3"><number:year number:style="long"/></number:date-style>
<style:style style:name="code" style:family="table-cell" style:data-style-name="N1"/>
<style:style style:name="month" style:family="table-cell" style:data-style-name="N2"/>
<style:style style:name="bold-month" style:family="table-cell" style:parent-style-name="month"/>
<style:style style:name="year" style:family="table-cell" style:data-style-name="N3"/>
<style:style style:name="hidden" style:family="table">
 <style:table-properties table:display="false"/></style:style>
"""


def ods_cell(value: Value) -> str:
    """A cell as LibreOffice writes it."""
    kind, attribute, text = "string", "", str(value)
    match value:
        case None:
            return "<table:table-cell/>"
        case bool():
            kind, attribute = "boolean", f'office:boolean-value="{str(value).lower()}"'
        case int() | float():
            kind, attribute = "float", f'office:value="{value}"'
        case date():
            kind, attribute = "date", f'office:date-value="{value.isoformat()}"'
        case timedelta():
            minutes = int(value.total_seconds()) // 60
            kind = "time"
            attribute = f'office:time-value="PT{minutes // 60:02}H{minutes % 60:02}M00S"'
        case str():
            pass
    return (
        f'<table:table-cell office:value-type="{kind}" {attribute}>'
        f"{ods_paragraphs(text)}</table:table-cell>"
    )


def ods_paragraphs(text: str) -> str:
    """Every space is an element, because LibreOffice writes several spaces so."""
    return "".join(
        f"<text:p>{escape(line).replace(' ', '<text:s/>')}</text:p>" for line in text.split("\n")
    )


def ods_row(*cells: str, repeated: int = 1) -> str:
    edge = f'<table:table-cell table:number-columns-repeated="{16_384 - len(cells)}"/>'
    return (
        f'<table:table-row table:number-rows-repeated="{repeated}">{"".join(cells)}{edge}'
        "</table:table-row>"
    )


def ods_sheet(title: str, *rows: str, style: str = "", columns: str = "") -> str:
    end = ods_row(repeated=1_000_000)
    return (
        f"<table:table table:name={quoteattr(title)} table:style-name={quoteattr(style)}>"
        f"{columns}{''.join(rows)}{end}</table:table>"
    )


def save_ods(path: Path, *sheets: str) -> None:
    content = (
        f"<office:document-content {_ODS_NAMESPACES} {_CALC}>"
        f"<office:automatic-styles>{_ODS_STYLES}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{''.join(sheets)}</office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)


def make_strict(path: Path) -> None:
    """Gives an .xlsx the namespaces of a Strict workbook."""
    names = {
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main": (
            b"http://purl.oclc.org/ooxml/spreadsheetml/main"
        ),
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships": (
            b"http://purl.oclc.org/ooxml/officeDocument/relationships"
        ),
    }
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            for transitional, strict in names.items():
                content = content.replace(transitional, strict)
            archive.writestr(name, content)


def save_xls(path: Path, rows: Sequence[Sequence[str | float]], *, first_row: int) -> None:
    """One sheet of BIFF8 (MS-XLS), below `first_row` empty rows, in a compound file (MS-CFB)."""
    sheet = _biff(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 1997, 0, 6))
    for row, column in product(range(len(rows)), range(len(rows[0]))):
        value = rows[row][column]
        place = struct.pack("<HHH", first_row + row, column, 0)
        if isinstance(value, bool):
            sheet += _biff(0x0205, place + bytes((value, 0)))
        elif isinstance(value, str):
            text = struct.pack("<HB", len(value), 1) + value.encode("utf-16-le")
            sheet += _biff(0x0204, place + text)
        else:
            sheet += _biff(0x0203, place + struct.pack("<d", value))
    sheet += _biff(0x000A, b"")
    start = _biff(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 1997, 0, 6))
    start += _biff(0x00E0, bytes(20))  # the one format of cells: General
    name = b"Sheet1"
    size = len(start) + 4 + 8 + len(name) + 4
    bound = struct.pack("<IBBBB", size, 0, 0, len(name), 0) + name
    stream = start + _biff(0x0085, bound) + _biff(0x000A, b"") + sheet
    path.write_bytes(_compound(stream))


def _biff(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _compound(stream: bytes) -> bytes:
    """A compound file with one stream: sector 0 is the FAT, 1 the directory, then the stream."""
    sector, free, end = 512, 0xFFFFFFFF, 0xFFFFFFFE
    stream = stream.ljust(-(-max(len(stream), 4096) // sector) * sector, b"\0")
    count = len(stream) // sector
    chain = [0xFFFFFFFD, end, *range(3, count + 2), end]
    fat = struct.pack("<128I", *chain, *[free] * (128 - len(chain)))

    def entry(name: str, kind: int, child: int, first: int, size: int) -> bytes:
        written = f"{name}\0".encode("utf-16-le")
        links = struct.pack("<BBIII", kind, 1, free, free, child)
        return (
            written.ljust(64, b"\0")
            + struct.pack("<H", len(written))
            + links
            + bytes(36)
            + struct.pack("<IQ", first, size)
        )

    directory = entry("Root Entry", 5, 1, end, 0) + entry("Workbook", 2, free, 2, len(stream))
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
        + struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0)
        + struct.pack("<109I", 0, *[free] * 108)
    )
    return header + fat + directory.ljust(sector, b"\0") + stream


def save_xlsb(path: Path, rows: Sequence[Sequence[str | float]]) -> None:
    """One sheet of binary records (MS-XLSB)."""
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    width = max(map(len, rows))
    size = struct.pack("<IIII", 0, len(rows) - 1, 0, width - 1)
    sheet = _record(129) + _record(148, size) + _record(145)
    for number, row in enumerate(rows):
        sheet += _record(0, struct.pack("<II", number, 0) + bytes(9))
        for column, value in enumerate(row):
            place = struct.pack("<II", column, 0)
            if isinstance(value, str):
                sheet += _record(6, place + _wide(value))
            else:
                sheet += _record(5, place + struct.pack("<d", value))
    sheet += _record(146) + _record(130)
    book = _record(131) + _record(143)
    book += _record(156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide("Sheet1"))
    book += _record(144) + _record(132)
    links = {"_rels/.rels": ("officeDocument", "xl/workbook.bin")}
    links["xl/_rels/workbook.bin.rels"] = ("worksheet", "worksheets/sheet1.bin")
    with zipfile.ZipFile(path, "w") as archive:
        for name, (kind, target) in links.items():
            archive.writestr(
                name,
                f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
                f'Type="{relation}/{kind}" Target="{target}"/></Relationships>',
            )
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/worksheets/sheet1.bin", sheet)


def _record(kind: int, content: bytes = b"") -> bytes:
    return _varint(kind) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; a record's kind has its high bits in the second one."""
    written = io.BytesIO()
    while number > 0x7F:
        written.write(bytes(((number & 0x7F) | 0x80,)))
        number >>= 7
    written.write(bytes((number,)))
    return written.getvalue()


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")
