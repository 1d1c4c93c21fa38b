"""The identity that a workbook of `import template` carries."""

import zipfile
from pathlib import Path

import pytest
from openpyxl import load_workbook

from services.imports.batch_property import make_batch_name, read_batch_name
from services.imports.template import EXCHANGES_SHEET, make_template
from tests.imports.importer import Importer, format_counts


def filled(path: Path, *, batch: str, giver: str = "Ashcombe") -> Path:
    """A workbook of the template, filled in and saved by another program."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(make_template((), batch=batch))
    book = load_workbook(path)
    sheet = book[EXCHANGES_SHEET]
    values = {
        "reference": "1",
        "occur_time": "2024-03-02",
        "giver": giver,
        "receiver": "Oakdale",
        "kind": "call",
    }
    for column in range(1, sheet.max_column + 1):
        if (name := sheet.cell(1, column).value) in values:
            sheet.cell(2, column).value = values[str(name)]
    book.save(path)
    return path


def test_renamed_workbook_is_same_batch(importer: Importer) -> None:
    path = filled(importer.folder / "exchanges.xlsx", batch="exchanges-1")
    assert format_counts(importer.import_file(path)) == "1 recorded"
    renamed = path.rename(importer.folder / "exchanges (final).xlsx")
    report = importer.import_file(renamed)
    assert (report.batch, format_counts(report)) == ("exchanges-1", "1 unchanged")


def test_workbooks_of_one_name_are_two_batches(importer: Importer) -> None:
    for folder, giver in (("one", "Ashcombe"), ("two", "Elmwood")):
        path = importer.folder / folder / "exchanges.xlsx"
        filled(path, batch=make_batch_name(path), giver=giver)
        report = importer.import_file(path, accept_changes=False, as_new=True)
        assert format_counts(report) == "1 recorded"
    assert len(importer.programme.exchanges) == 2


def test_batch_option_precedes_workbook_property(importer: Importer) -> None:
    path = filled(importer.folder / "exchanges.xlsx", batch="exchanges-1")
    assert importer.import_file(path, batch="march").batch == "march"


def test_ods_workbook_has_batch_name(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.ods"
    meta = (
        '<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"><office:meta>'
        '<meta:user-defined meta:name="mutua-batch">exchanges-1</meta:user-defined>'
        "</office:meta></office:document-meta>"
    )
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("meta.xml", meta)
    assert read_batch_name(path) == "exchanges-1"


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_other_file_has_no_batch_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "exchanges.xlsx"
    path.write_bytes(content)
    assert read_batch_name(path) == ""
    assert read_batch_name(tmp_path / "none.xlsx") == ""
    assert read_batch_name(tmp_path / "calls.csv") == ""
