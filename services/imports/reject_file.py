"""Writes rows with errors to a file of their own for somebody to fix."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

from services.imports.report import FieldProblem, ImportRefusedError
from services.imports.table import TableRow

MEND_COLUMN: Final = "what_to_mend"
"""The last column of the file: the problems of the row. An import ignores it."""
LINE_COLUMN: Final = "mutua_line"
"""The line of a row without a reference in its first file."""


class RejectFile:
    """Writes rows to a temporary file, which gets its name in `publish`.

    `adds_line` adds the line of each row, which identifies a row without a reference in a later
    import. Raises ImportRefusedError when the file exists, because somebody may be fixing it.
    """

    def __init__(
        self, path: Path, header: Sequence[str], separator: str, *, adds_line: bool = False
    ) -> None:
        if path.suffix.lower() != ".csv":
            raise ImportRefusedError(
                f"--skip-bad {path}: name a .csv file, so that it can be imported."
            )
        if path.exists():
            raise ImportRefusedError(
                f"--skip-bad {path}: the file exists, and its content would be lost. "
                "Name another, or remove it."
            )
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._width = len(header)
        self._last_line = 0
        self._places = [place for place, name in enumerate(header) if name != MEND_COLUMN]
        try:
            # A byte order mark makes spreadsheets read UTF-8.
            self._file: IO[str] = self._part.open("w", encoding="utf-8-sig", newline="")
        except OSError as error:
            raise ImportRefusedError(f"--skip-bad {path}: {error.strerror or error}.") from error
        self._writer: Any = csv.writer(self._file, delimiter=separator)
        # A row that was rejected before keeps its first line.
        self._adds_place = adds_line and LINE_COLUMN not in header
        place_columns = [LINE_COLUMN] if self._adds_place else []
        self._writer.writerow(
            [*(header[place] for place in self._places), *place_columns, MEND_COLUMN]
        )

    def add(self, row: TableRow, problems: Sequence[FieldProblem]) -> None:
        """Writes the original cells of a row and its problems."""
        if row.original is not None and row.line == self._last_line:
            return  # several exchanges of one row
        self._last_line = row.line
        own_cells = list(row.cells if row.original is None else row.original)
        cells = own_cells + [""] * (self._width - len(own_cells))
        surplus = own_cells[self._width :]
        problem_text = "; ".join(f"{each.field} {each.message}".strip() for each in problems)
        place_cells = [row.line] if self._adds_place else []
        self._writer.writerow(
            [*(cells[place] for place in self._places), *surplus, *place_cells, problem_text]
        )

    def publish(self) -> None:
        """Gives the file its name."""
        self._file.close()
        self._part.rename(self._path)

    def discard(self) -> None:
        """Removes the temporary file, unless the file was published."""
        self._file.close()
        self._part.unlink(missing_ok=True)
