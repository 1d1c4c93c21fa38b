"""Somebody who writes files and imports them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.imports import ImportOptions, ImportReport, Overlap, import_exchanges
from tests.imports.fake import FakeProgramme

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "ref,date,giver,receiver,kind"


class Desk:
    """`confirm` answers the question about rows of other batches; None: nobody is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programme = FakeProgramme()
        self.confirm: Callable[[Sequence[Overlap]], bool] | None = None
        self.told: list[int] = []
        """How many rows were checked, each time that somebody heard of it."""

    def imports(
        self, *rows: str, header: str = HEADER, name: str = "log.csv", **options: Any
    ) -> ImportReport:
        path = self.folder / name
        path.write_text("\n".join((header, *rows)))
        return self.imports_file(path, **options)

    def imports_file(self, path: Path, **options: Any) -> ImportReport:
        return import_exchanges(
            self.programme.client,
            path,
            ImportOptions(**options),
            on_checked=self.told.append,
            confirm=self.confirm,
            now=NOW,
        )


def changes(report: ImportReport) -> str:
    """The counts that are not 0."""
    names = ("recorded", "corrected", "unchanged", "retracted_earlier", "skipped", "wrong")
    counts = ((name, getattr(report.counts, name)) for name in (*names, "missing"))
    return " ".join(f"{count} {name}" for name, count in counts if count)
