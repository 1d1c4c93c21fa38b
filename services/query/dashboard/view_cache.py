"""Keeps rendered views, so that all open pages share one computation."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from services.query.dashboard.compression import Compressed

MAX_BYTES: Final = 16 << 20
"""Maximum size of all rendered views. A view of 1,000 organizations has about 0.2 MB."""


class ViewCache:
    """Rendered views by entity tag, the least recently used removed first. Of one event loop."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._contents: OrderedDict[str, Compressed] = OrderedDict()
        self.size = 0
        self._running: dict[str, asyncio.Task[Compressed]] = {}

    async def get_or_compute(
        self, tag: str, compute: Callable[[], Awaitable[Compressed]]
    ) -> Compressed:
        """The content with this tag, computed once however many ask at the same time."""
        if (content := self._contents.get(tag)) is not None:
            self._contents.move_to_end(tag)
            return content
        task = self._running.get(tag)
        if task is None:
            task = asyncio.create_task(self._compute(tag, compute))
            self._running[tag] = task
            task.add_done_callback(lambda _: self._running.pop(tag, None))
        # A caller that leaves does not take the answer from the others.
        return await asyncio.shield(task)

    async def _compute(self, tag: str, compute: Callable[[], Awaitable[Compressed]]) -> Compressed:
        content = await compute()
        if content.size <= self._max_bytes:
            self._contents[tag] = content
            self.size += content.size
        while self.size > self._max_bytes:
            _, oldest = self._contents.popitem(last=False)
            self.size -= oldest.size
        return content
