"""Runs imports one at a time on threads, and streams their progress."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from mutua.errors import MutuaError as ClientError
from services.adapters.http.problems import describe_error, describe_problem
from services.adapters.telemetry.logs import get_request_id
from services.adapters.wire.json_form import encode_line
from services.imports.report import ImportRefusedError
from services.ledger.errors import MutuaError, OverloadedError
from services.uploads.page_wording import reword
from services.uploads.preview import Document

logger = logging.getLogger(__name__)

MAX_WAITING_JOBS: Final = 4
"""Each has its file in memory, at most `MAX_FILE_BYTES`."""


class ImportStoppedError(MutuaError):
    """Nobody waits for the preview any more, or this process ends."""

    code = "UNAVAILABLE"


class ImportJobs:
    """The imports of a process. One runs, a few wait, because each may use a whole processor."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = threading.Event()

    def require_room(self) -> None:
        """Raises OverloadedError if too many imports wait."""
        if len(self._tasks) >= MAX_WAITING_JOBS:
            raise OverloadedError("other files are being imported", remedy="try again in a moment")

    def start(
        self, work: Callable[[_JobProgress], Document], *, ends_with_reader: bool
    ) -> AsyncIterator[bytes]:
        """Lines of JSON: progress, and at the end `done` or `problem`. Raises OverloadedError.

        With `ends_with_reader` the work ends early when nobody reads the lines any more.
        """
        self.require_room()
        progress = _JobProgress(asyncio.get_running_loop(), self._is_stopping)
        task = asyncio.create_task(self._run(work, progress))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return _read_lines(progress, ends_with_reader=ends_with_reader)

    async def stop(self) -> None:
        """Ends running imports at their next step; what they recorded stays."""
        self._is_stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, work: Callable[[_JobProgress], Document], progress: _JobProgress) -> None:
        async with self._turn:
            try:
                progress.require_wanted()
                result = await asyncio.to_thread(work, progress)
            except (MutuaError, ClientError) as error:
                progress.put({"problem": _describe(error)})
            except Exception:
                logger.exception("an import failed")
                detail = f"mutua failed at this; its log says more under request {get_request_id()}"
                progress.put({"problem": describe_problem(500, detail, code="INTERNAL")})
            else:
                progress.put({"done": result})
            finally:
                progress.put(None)


class _JobProgress:
    """Passes lines from the thread of a job to its reader."""

    def __init__(self, loop: asyncio.AbstractEventLoop, is_stopping: threading.Event) -> None:
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.is_unread = False
        self._loop = loop
        self._is_stopping = is_stopping

    def report_checked(self, row_count: int) -> None:
        self._send({"checked_count": row_count})

    def report_recorded(self, recorded_count: int, total_count: int) -> None:
        self._send({"recorded_count": recorded_count, "total_count": total_count})

    def require_wanted(self) -> None:
        if self._is_stopping.is_set():
            raise ImportStoppedError(
                "the server is stopping", remedy="import the file again: nothing is recorded twice"
            )
        if self.is_unread:
            raise ImportStoppedError("nobody waits for this preview any more")

    def put(self, document: Document | None) -> None:
        """Adds a line; None is the end."""
        self.lines.put_nowait(None if document is None else encode_line(document).encode() + b"\n")

    def _send(self, document: dict[str, Any]) -> None:
        self.require_wanted()
        self._loop.call_soon_threadsafe(self.put, document)


async def _read_lines(progress: _JobProgress, *, ends_with_reader: bool) -> AsyncIterator[bytes]:
    try:
        while (line := await progress.lines.get()) is not None:
            yield line
    finally:
        progress.is_unread = ends_with_reader


def _describe(error: MutuaError | ClientError) -> Document:
    """The problem. A file that cannot be imported is the caller's to change."""
    if isinstance(error, ImportRefusedError):
        return describe_problem(400, reword(error.message), code="FAILED_PRECONDITION")
    return describe_error(error)
