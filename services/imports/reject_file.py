"""Rows that cannot be taken, written to a file of their own for somebody to mend."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

from services.imports.report import FieldProblem, ImportRefusedError
from services.imports.table import TableRow

MEND_COLUMN: Final = "what_to_mend"
"""The last column of such a file; it says nothing of the exchange."""
LINE_COLUMN: Final = "mutua_line"
"""The line on which a row without a reference stands in the file it comes from."""


class RejectFile:
    """Writes rows as they come; the file has its name only once it is kept.

    `adds_line` adds the line of each row, by which a row without a reference is known again.
    Raises ImportRefusedError when there is such a file, for somebody may be mending it.
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
                f"--skip-bad {path}: the file is there already, and what is in it would be lost. "
                "Name another, or remove it."
            )
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._width = len(header)
        self._last_line = 0
        self._kept = [place for place, name in enumerate(header) if name != MEND_COLUMN]
        try:
            # With a mark, so that spreadsheets read it as what it is.
            self._file: IO[str] = self._part.open("w", encoding="utf-8-sig", newline="")
        except OSError as error:
            raise ImportRefusedError(f"--skip-bad {path}: {error.strerror or error}.") from error
        self._writer: Any = csv.writer(self._file, delimiter=separator)
        # A row that was set aside before keeps the line that it had first.
        self._adds_place = adds_line and LINE_COLUMN not in header
        place_columns = [LINE_COLUMN] if self._adds_place else []
        self._writer.writerow(
            [*(header[place] for place in self._kept), *place_columns, MEND_COLUMN]
        )

    def add(self, row: TableRow, problems: Sequence[FieldProblem]) -> None:
        """The cells as they stand, below their columns, and what is wrong with them."""
        if row.original is not None and row.line == self._last_line:
            return  # several exchanges of one row
        self._last_line = row.line
        own = list(row.cells if row.original is None else row.original)
        cells = own + [""] * (self._width - len(own))
        surplus = own[self._width :]
        problem_text = "; ".join(f"{each.field} {each.message}".strip() for each in problems)
        place_cells = [row.line] if self._adds_place else []
        self._writer.writerow(
            [*(cells[place] for place in self._kept), *surplus, *place_cells, problem_text]
        )

    def publish(self) -> None:
        """Gives the file its name."""
        self._file.close()
        self._part.rename(self._path)

    def discard(self) -> None:
        """Leaves nothing behind, unless the file was kept."""
        self._file.close()
        self._part.unlink(missing_ok=True)
