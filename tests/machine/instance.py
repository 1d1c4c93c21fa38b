"""A data directory opened like in `mutua up`, but on one thread and without gRPC."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event as Flag
from types import SimpleNamespace
from unittest.mock import patch

from services.adapters import failpoint
from services.adapters.sqlite.data_directory import DataDirectory
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.rebuild import SqliteRebuildStore
from services.adapters.sqlite.store import SqliteStore
from services.app.embedded_storage import ActiveReadModels, open_storage
from services.ledger.position import Position
from services.projector.embedded_projector import EmbeddedProjector
from services.projector.rebuild import build
from services.projector.slab import project_slab
from tests.services.query_runner import QueryRunner
from tests.waiting import PATIENCE_SECONDS


class Instance:
    """An embedded mutua in its own folder; `next_offset` is its position.

    After a kill it continues with the files as they were on the disk at that moment, and with
    nothing in memory.
    """

    log: SqliteLog
    store: SqliteStore
    query_runner: QueryRunner
    next_offset: int

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._life = 0
        self._killed_folder: Path | None = None
        self._open()

    def _open(self) -> None:
        self.directory = DataDirectory(self._folder / f"life-{self._life}")
        self.directory.prepare()
        self._resources = ExitStack()
        # A collection before every build would visit all objects of the test run, and take longest.
        self._resources.enter_context(patch.object(gc, "collect"))
        self.log, store = open_storage(self.directory, self._resources, write=True)
        self._answer_from(store)

    def _answer_from(self, store: SqliteStore) -> None:
        self.store, self.query_runner = store, QueryRunner(store)
        watermark = store.read_watermark(self.log.number)
        self.next_offset = 0 if watermark is None else watermark.next_offset

    def close(self) -> None:
        self._resources.close()

    def restart(self) -> None:
        self.close()
        self._open()

    def append(self, programme_id: str, values: Sequence[bytes]) -> Position:
        """Returns when the values are durable."""
        return self.log.append(programme_id, values).result(timeout=PATIENCE_SECONDS)

    def project(self, limit: int) -> None:
        """One slab of up to `limit` records, if there are any."""
        if records := self.log.read(self.next_offset, limit):
            end = project_slab(self.store, self.log.log_id, records, partition=self.log.number)
            self.next_offset = end.next_offset

    def catch_up(self) -> None:
        """Projects to the end of the log."""
        projector = self._projector()
        projector.catch_up()
        self.next_offset = projector.next_offset

    def _projector(
        self, moved: Flag | None = None, succession: ActiveReadModels | None = None
    ) -> EmbeddedProjector:
        failures: list[str] = []
        projector = EmbeddedProjector(
            self.log,
            self.store,
            on_progress=lambda _: moved.set() if moved else None,
            on_failure=failures.append,
            switch_over=succession,
        )
        assert failures == []
        return projector

    def reassign(self) -> SqliteStore:
        """Another writer takes over. Returns the previous writer, which is not informed."""
        previous = self.store
        self._answer_from(self._resources.enter_context(closing(SqliteStore(previous.path))))
        return previous

    def rebuild(self, slab_size: int) -> Path:
        """Builds read models, which are not active yet."""
        with (
            self.directory.reserve_build() as (place, path),
            closing(SqliteRebuildStore(place)) as store,
        ):
            build(self.log, store, slab_size=slab_size, on_progress=self._reach_copy_failpoint)
            store.finish()
        return path

    def take_over(self, path: Path) -> None:
        """Switches over to built read models while the server runs."""
        models = ActiveReadModels(self.directory, self.store, answer_from=self._switch_store)
        moved = Flag()
        self.directory.offer(path)
        projector = self._projector(moved, models)
        projector.start()
        assert moved.wait(PATIENCE_SECONDS)
        projector.stop()
        assert self.directory.active_read_models == path == self.store.path
        self._answer_from(self.store)

    def _switch_store(self, store: SqliteStore) -> None:
        self._resources.enter_context(closing(store))
        self.store = store

    @contextmanager
    def kill_at(self, point: str = "") -> Iterator[None]:
        """Simulates kill -9 at a failpoint, or at the end of the block if it is not reached.

        The rest of the block runs as a ghost on files that are then deleted.
        """
        ghost = SimpleNamespace(
            environ={"MUTUA_CRASH_AT": f"{point}:1"}, _exit=lambda _: self._copy_files()
        )
        with patch.object(failpoint, "os", ghost):
            yield
        self._copy_files()
        self.close()
        shutil.rmtree(self.directory.path)
        self._life += 1
        self._killed_folder = None
        self._open()

    def was_killed(self) -> bool:
        """Whether the current code runs as a ghost, see `kill_at`."""
        return self._killed_folder is not None

    def _reach_copy_failpoint(self, _: int) -> None:
        """A failpoint in the middle of a build, which the product does not have."""
        failpoint.failpoint("in_copy")

    def _copy_files(self) -> None:
        """Copies the files, without -shm, which SQLite discards after a crash."""
        if self._killed_folder is None:
            self._killed_folder = self._folder / f"life-{self._life + 1}"
            ignore_shm = shutil.ignore_patterns("*-shm")
            shutil.copytree(self.directory.path, self._killed_folder, ignore=ignore_shm)
