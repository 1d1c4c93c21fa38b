"""`/imports/...`: files that people drop on the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.adapters.http.body import BodyReader
from services.adapters.http.http_context import HttpContext
from services.adapters.http.questions import as_endpoint
from services.adapters.telemetry.call_metrics import instrument_handler
from services.adapters.telemetry.metrics import Meter
from services.adapters.wire.json_form import to_json
from services.imports.table_file import TABLE_SUFFIXES
from services.ledger.errors import InvalidArgumentError, UnimplementedError
from services.uploads.file_importer import FileImporter, ImportProgress
from services.uploads.import_jobs import MAX_WAITING_JOBS, ImportJobs
from services.uploads.preview import Document, list_fields
from services.uploads.upload import (
    MAX_FILE_BYTES,
    MAX_HEAD_BYTES,
    Upload,
    read_object,
    read_upload,
)

PATH: Final = "/imports"
_BODY_SECONDS: Final = 120.0
_REFUSAL: Final = "This process answers questions and records nothing, so it imports no file."
_REMEDY: Final = "Name an ingest process in MUTUA_INGEST_SERVER."
_Work = Callable[[Upload, str, ImportProgress], Document]


def make_upload_routes(
    importer: FileImporter | None, jobs: ImportJobs, meter: Meter
) -> Iterator[Route]:
    """The routes; without an importer all of them refuse."""

    async def describe(_: Request) -> Response:
        return _make_json(_describe_imports(importer))

    yield Route(PATH, describe, methods=["GET"], name="DescribeImports")
    uploads = _Uploads(importer, jobs)
    handlers: tuple[tuple[str, str, Callable[[Request, HttpContext], Awaitable[Response]]], ...] = (
        ("preview", "PreviewFile", uploads.preview),
        ("bad-rows", "ListBadRows", uploads.list_bad_rows),
        ("record", "RecordFile", uploads.record),
        ("undo", "UndoImport", uploads.undo),
    )
    for path, name, handle in handlers:
        endpoint = as_endpoint(instrument_handler(handle, name, meter, streams=False))
        yield Route(f"{PATH}/{path}", endpoint, methods=["POST"], name=name)


def _describe_imports(importer: FileImporter | None) -> Document:
    """What the page needs to know before it sends a file."""
    return {
        "max_file_bytes": MAX_FILE_BYTES,
        "suffixes": list(TABLE_SUFFIXES),
        "fields": list_fields(),
        "refusal": "" if importer is not None else f"{_REFUSAL} {_REMEDY}",
    }


class _Uploads:
    """Receives files, and starts a job for each. A body is a file with its options; see `upload`.

    Every answer is lines of JSON; see `ImportJobs.start`. Problems with the body come before them.
    """

    def __init__(self, importer: FileImporter | None, jobs: ImportJobs) -> None:
        self._importer = importer
        self._jobs = jobs
        max_bytes = MAX_FILE_BYTES + MAX_HEAD_BYTES
        self._files = BodyReader(
            "application/octet-stream",
            max_bytes=max_bytes,
            max_waiting_bytes=MAX_WAITING_JOBS * max_bytes,
            remedy="; import a larger file with the command mutua import exchanges",
            seconds=_BODY_SECONDS,
        )
        self._batches = BodyReader(
            "application/json",
            max_bytes=MAX_HEAD_BYTES,
            max_waiting_bytes=MAX_WAITING_JOBS * MAX_HEAD_BYTES,
            remedy="",
        )

    async def preview(self, request: Request, context: HttpContext) -> Response:
        importer = self._require_importer()
        return await self._start(request, context, importer.preview, ends_with_reader=True)

    async def list_bad_rows(self, request: Request, context: HttpContext) -> Response:
        importer = self._require_importer()
        return await self._start(request, context, importer.list_bad_rows, ends_with_reader=True)

    async def record(self, request: Request, context: HttpContext) -> Response:
        importer = self._require_importer()
        return await self._start(request, context, importer.record, ends_with_reader=False)

    async def undo(self, request: Request, _: HttpContext) -> Response:
        importer = self._require_importer()
        async with self._batches.receive(request) as body:
            document = read_object(body)
        texts = [document.get(name, "") for name in ("programme", "batch", "recorded_by")]
        if not all(isinstance(text, str) for text in texts) or not texts[1]:
            raise InvalidArgumentError.for_field("batch", "names no batch")
        programme, batch, recorded_by = texts
        work = partial(importer.undo, programme or "default", batch, recorded_by)
        return _stream(self._jobs.start(work, ends_with_reader=False))

    async def _start(
        self, request: Request, context: HttpContext, work: _Work, *, ends_with_reader: bool
    ) -> Response:
        self._jobs.require_room()
        async with self._files.receive(request) as body:
            upload = read_upload(body)
        run = partial(work, upload, context.organization)
        return _stream(self._jobs.start(run, ends_with_reader=ends_with_reader))

    def _require_importer(self) -> FileImporter:
        if self._importer is None:
            raise UnimplementedError(_REFUSAL, remedy=_REMEDY)
        return self._importer


def _stream(lines: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(
        lines,
        headers={"Cache-Control": "no-store"},
        media_type="application/x-ndjson",
    )


def _make_json(document: Document) -> Response:
    return Response(
        to_json(document), headers={"Cache-Control": "no-cache"}, media_type="application/json"
    )
