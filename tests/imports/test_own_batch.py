"""The identity that a workbook of `import template` carries."""

import zipfile
from pathlib import Path

import pytest
from openpyxl import load_workbook

from services.imports.own_batch import new_batch_name, own_batch_name
from services.imports.template import EXCHANGES, template
from tests.imports.desk import Desk, changes


def filled(path: Path, *, batch: str, giver: str = "Ashcombe") -> Path:
    """A workbook of the template, filled in and saved by another program."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(template((), batch=batch))
    book = load_workbook(path)
    sheet = book[EXCHANGES]
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


def test_a_renamed_workbook_is_the_same_batch(desk: Desk) -> None:
    path = filled(desk.folder / "exchanges.xlsx", batch="exchanges-1")
    assert changes(desk.imports_file(path)) == "1 recorded"
    renamed = path.rename(desk.folder / "exchanges (final).xlsx")
    report = desk.imports_file(renamed)
    assert (report.batch, changes(report)) == ("exchanges-1", "1 unchanged")


def test_two_workbooks_of_one_name_are_two_batches(desk: Desk) -> None:
    for folder, giver in (("one", "Ashcombe"), ("two", "Elmwood")):
        path = desk.folder / folder / "exchanges.xlsx"
        filled(path, batch=new_batch_name(path), giver=giver)
        report = desk.imports_file(path, accept_changes=False, as_new=True)
        assert changes(report) == "1 recorded"
    assert len(desk.programme.exchanges) == 2


def test_a_batch_that_is_named_goes_first(desk: Desk) -> None:
    path = filled(desk.folder / "exchanges.xlsx", batch="exchanges-1")
    assert desk.imports_file(path, batch="march").batch == "march"


def test_open_document(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.ods"
    meta = (
        '<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"><office:meta>'
        '<meta:user-defined meta:name="mutua-batch">exchanges-1</meta:user-defined>'
        "</office:meta></office:document-meta>"
    )
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("meta.xml", meta)
    assert own_batch_name(path) == "exchanges-1"


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_what_is_no_workbook_has_no_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "exchanges.xlsx"
    path.write_bytes(content)
    assert own_batch_name(path) == ""
    assert own_batch_name(tmp_path / "none.xlsx") == ""
    assert own_batch_name(tmp_path / "calls.csv") == ""
