"""Writes files and imports them."""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mutua.ids import uuid7
from mutua.v1.query_service_pb2 import Exchange, Revision
from services.imports import Doubt, ImportOptions, ImportReport, import_exchanges
from services.imports.report import RowCounts
from tests.imports.fake_programme import FakeProgramme

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "ref,date,giver,receiver,kind"


def correct_by_hand(exchange: Exchange, **fields: object) -> None:
    """Appends a revision that corrects these fields by hand."""
    revision = Revision()
    revision.CopyFrom(exchange.revisions[-1])
    revision.event_id = uuid7()
    revision.ClearField("source")
    for field, value in fields.items():
        if isinstance(value, list):
            getattr(revision.content, field)[:] = value
        else:
            setattr(revision.content, field, value)
    exchange.revisions.append(revision)


class Importer:
    """Imports files into a fake programme. `confirm` answers doubts, None is no terminal.

    Changes are accepted without a question unless a test sets the options.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programme = FakeProgramme()
        self.confirm: Callable[[Doubt], bool] | None = None
        self.checked_counts: list[int] = []
        """Numbers of checked rows, as reported during the import."""

    def import_rows(
        self, *rows: str, header: str = HEADER, name: str = "log.csv", **options: Any
    ) -> ImportReport:
        path = self.folder / name
        path.write_text("\n".join((header, *rows)))
        return self.import_file(path, **options)

    def import_file(self, path: Path, **options: Any) -> ImportReport:
        return import_exchanges(
            self.programme.client,
            path,
            ImportOptions(**{"accept_changes": True, "accept_missing": True, **options}),
            on_checked=self.checked_counts.append,
            confirm=self.confirm,
            now=NOW,
        )


def format_counts(report: ImportReport) -> str:
    """The counts that are not 0."""
    names = [each.name for each in fields(RowCounts) if each.name not in ("rows", "missing")]
    counts = ((name, getattr(report.counts, name)) for name in (*names, "missing"))
    return " ".join(f"{count} {name}" for name, count in counts if count)
