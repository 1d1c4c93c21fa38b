"""Previews, records and undoes imports of uploaded files, on a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from mutua import Client
from services.imports import UnknownDateOrderError, import_exchanges
from services.imports.column_mapping import EXCHANGE_FIELDS
from services.imports.column_preview import preview_columns
from services.imports.headerless_table import HeaderlessError
from services.imports.report import ImportRefusedError
from services.imports.undo import undo_import
from services.uploads.preview import (
    Document,
    Preview,
    describe_report,
    describe_undo,
    make_preview,
    preview_headerless,
)
from services.uploads.unpacked_size import require_small_unpacked
from services.uploads.upload import Upload

_SHEET: Final = "exchanges"
_BAD_ROWS: Final = "rows-to-fix.csv"


class ImportProgress(Protocol):
    """Takes numbers of what is done; raises MutuaError when the work shall end."""

    def report_checked(self, row_count: int) -> None: ...

    def report_recorded(self, recorded_count: int, total_count: int) -> None: ...


class FileImporter:
    """Imports through the client, on behalf of an organization.

    Every request brings the whole file, so nothing is stored between a preview and the recording.
    """

    def __init__(self, servers: str) -> None:
        """`servers` are as `mutua.Client` takes them: one, or ingest and query."""
        self._servers = servers

    def preview(self, upload: Upload, organization: str, progress: ImportProgress) -> Document:
        """What recording would do. Raises MutuaError when the server fails."""
        with self._save(upload) as path:
            return make_preview(self._find(upload, path, organization, progress))

    def list_bad_rows(
        self, upload: Upload, organization: str, progress: ImportProgress
    ) -> Document:
        """The rows with errors as a file to fix. Raises ImportRefusedError, MutuaError."""
        with self._save(upload) as path, self._connect(upload, organization) as client:
            bad_path = path.parent / "bad" / _BAD_ROWS
            bad_path.parent.mkdir()
            options = replace(upload.options, dry_run=True, skip_bad=bad_path, writes_bad_rows=True)
            import_exchanges(client, path, options, on_checked=progress.report_checked)
            content = bad_path.read_text(encoding="utf-8-sig") if bad_path.exists() else ""
            return {"file": f"{path.stem}-{_BAD_ROWS}", "content": content}

    def record(self, upload: Upload, organization: str, progress: ImportProgress) -> Document:
        """Records the file. Raises ImportRefusedError, ImportInterruptedError, MutuaError."""
        with self._save(upload) as path, self._connect(upload, organization) as client:
            skip_bad = path.parent / _BAD_ROWS if upload.skips_bad else None
            report = import_exchanges(
                client,
                path,
                replace(upload.options, skip_bad=skip_bad),
                on_checked=progress.report_checked,
                progress=progress.report_recorded,
            )
            return describe_report(report)

    def undo(
        self, programme: str, batch: str, recorded_by: str, progress: ImportProgress
    ) -> Document:
        """Retracts what a batch recorded. Raises ImportRefusedError, MutuaError."""
        with Client(self._servers, programme=programme, organization=recorded_by) as client:
            report = undo_import(
                client, batch, sender=recorded_by, progress=progress.report_recorded
            )
            return describe_undo(report)

    def _find(
        self, upload: Upload, path: Path, organization: str, progress: ImportProgress
    ) -> Preview:
        options = replace(upload.options, dry_run=True, skip_bad=path.parent / _BAD_ROWS)
        table = None
        try:
            require_small_unpacked(path)
            table = preview_columns(path, EXCHANGE_FIELDS, options, preferred_sheet=_SHEET)
            if table.missing_fields:
                return Preview(table=table)
            with self._connect(upload, organization) as client:
                report = import_exchanges(client, path, options, on_checked=progress.report_checked)
                names = {each.organization_id: each.name for each in client.list_organizations()}
                return Preview(table=table, report=report, labels=names)
        except HeaderlessError as error:
            return preview_headerless(error)
        except UnknownDateOrderError as error:
            return Preview(table=table, refusal=error.message, question="date_order")
        except ImportRefusedError as error:
            return Preview(table=table, refusal=error.message)

    def _connect(self, upload: Upload, organization: str) -> Client:
        return Client(self._servers, programme=upload.programme, organization=organization)

    @contextmanager
    def _save(self, upload: Upload) -> Iterator[Path]:
        """The file under its name, in a folder of its own, because the importer reads it twice."""
        with TemporaryDirectory(prefix="mutua-upload-") as folder:
            path = Path(folder) / "file" / upload.file_name
            path.parent.mkdir()
            path.write_bytes(upload.content)
            yield path
