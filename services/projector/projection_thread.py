"""Partitions are projected side by side, each in order: a database works outside of Python."""

import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from services.ledger.ports import ProjectionStore

THREAD_COUNT: Final = 2


# decision 0073: a slab moves the position first
class FencedProjectionStore(ProjectionStore, Protocol):
    """Read models of which a worker has the partitions that are assigned to it."""

    def fence(self, partitions: Collection[int]) -> None:
        """Ends what those have under way who had these before; they may stand still."""

    def require_current(self) -> None:
        """Raises SupersededReadModelsError when others are to be written by now, StoreBusyError."""

    def close(self) -> None: ...


# decision 0096: one slab waits per partition
class ProjectionThread:
    """A thread that projects, with read models of its own.

    Every second partition has the one, all others the other. Whoever holds `lock` may use them.
    """

    def __init__(self, number: int) -> None:
        self.lock = threading.Lock()
        self.executor = ThreadPoolExecutor(1, f"projector-{number}")
        self._store: FencedProjectionStore | None = None

    @property
    def store(self) -> FencedProjectionStore:
        assert self._store is not None
        return self._store

    def reopen(self, open_store: Callable[[], FencedProjectionStore]) -> None:
        """What a store remembers of a partition is wrong once somebody else has had it."""
        self.close()
        self._store = open_store()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
