"""Opens a table that people made, in whatever their program wrote."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from services.imports import csv_table
from services.imports.report import ImportRefused
from services.imports.table import Table

_PLAIN: Final = ".csv"
_PACKED: Final = ".csv.gz"
_WORKBOOK: Final = ".xlsx"
SUFFIXES: Final = (_PLAIN, _PACKED, _WORKBOOK)


class Sheet(NamedTuple):
    """Which sheet of a workbook is read: the one `named`, else one called as `preferred`.

    Else the first one with a header.
    """

    named: str = ""
    preferred: str = ""


def batch_name(path: Path) -> str:
    """The file's name without what says how it is packed."""
    return path.name.removesuffix(path.name[len(path.name) - len(_suffix(path, SUFFIXES)) :])


@contextmanager
def open_table(path: Path, sheet: Sheet = Sheet()) -> Iterator[Table]:  # noqa: B008 - immutable
    """Raises ImportRefused, here or while rows are read, when the file is no readable table."""
    suffix = _suffix(path, SUFFIXES)
    if not suffix:
        raise ImportRefused(f"{path.name} is neither .csv, .csv.gz nor .xlsx: {csv_table.SAVE}.")
    if sheet.named and suffix != _WORKBOOK:
        raise ImportRefused(f"--sheet is for Excel files, and {path.name} has no sheets.")
    try:
        with path.open("rb") as file:
            if suffix == _WORKBOOK:
                # Imported when it is needed: it takes as long as all the rest.
                from services.imports import workbook

                with workbook.opened(path.name, file, sheet.named, sheet.preferred) as table:
                    yield table
                return
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if packed:
                with gzip.open(file) as unpacked:
                    yield csv_table.read(path.name, unpacked)
            else:
                yield csv_table.read(path.name, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportRefused(f"{path.name} is damaged: {error}. Fetch or pack it again.") from error
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror or error}.") from error


def _suffix(path: Path, suffixes: Sequence[str]) -> str:
    """The longest that the name ends with, whatever its case, or ""."""
    found = [suffix for suffix in suffixes if path.name.lower().endswith(suffix)]
    return max(found, key=len, default="")
