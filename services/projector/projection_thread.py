"""Threads that project partitions concurrently, because a database works outside of Python."""

import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from services.ledger.ports import ProjectionStore

THREAD_COUNT: Final = 2


# decision 0073: a slab moves the position first
class FencedProjectionStore(ProjectionStore, Protocol):
    """Read models that several workers write, each the partitions that are assigned to it."""

    def fence(self, partitions: Collection[int]) -> None:
        """Aborts transactions of the partitions' previous owners, which may hang."""

    def require_current(self) -> None:
        """Raises SupersededReadModelsError after a switch-over, or StoreBusyError."""

    def close(self) -> None: ...


# decision 0096: one slab waits per partition
class ProjectionThread:
    """A thread that projects every n-th partition through its own connection.

    Hold `lock` to use `store`.
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
        """Opens a new store, because the caches of the old one are stale after a reassignment."""
        self.close()
        self._store = open_store()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
