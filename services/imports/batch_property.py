"""The batch name that a workbook of `mutua import template` carries in its own properties.

It goes with the workbook wherever that is saved under another name, so that a renamed workbook is
the same batch and two workbooks of one name are two. LibreOffice and Excel keep such properties;
where a program drops them, the name of the file is the batch as for any other file.
"""

import zipfile
from pathlib import Path
from typing import IO, Final
from uuid import uuid4
from xml.etree import ElementTree

BATCH_PROPERTY: Final = "mutua-batch"
_STEM_CHARACTERS: Final = 100
_ID_DIGITS: Final = 12
_OOXML: Final = (".xlsx", ".xlsm")
_OOXML_PART: Final = "docProps/custom.xml"
_ODF: Final = ".ods"
_ODF_PART: Final = "meta.xml"
_ODF_NAME: Final = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}name"
_MOST_BYTES: Final = 1 << 20


# decision 0119: imported rows have derived identities
def make_batch_name(path: Path) -> str:
    """Such as exchanges-3f2a9c01b7de: the file's name, and what no other workbook has."""
    return f"{path.stem[:_STEM_CHARACTERS]}-{uuid4().hex[:_ID_DIGITS]}"


def read_batch_name(path: Path) -> str:
    """The batch name that a workbook carries; "" when it has none or is no workbook."""
    suffix = path.suffix.lower()
    if suffix not in (*_OOXML, _ODF):
        return ""
    part = _ODF_PART if suffix == _ODF else _OOXML_PART
    try:
        with zipfile.ZipFile(path) as packed, packed.open(part) as file:
            return _property(file)
    except (OSError, KeyError, zipfile.BadZipFile, ElementTree.ParseError):
        return ""  # the reader of the file reports what is wrong with it


def _property(file: IO[bytes]) -> str:
    root = ElementTree.fromstring(file.read(_MOST_BYTES))
    for element in root.iter():
        if BATCH_PROPERTY in (element.get("name"), element.get(_ODF_NAME)):
            return "".join(element.itertext()).strip()
    return ""
