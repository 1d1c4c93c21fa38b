"""Keeps rendered views, so that all open pages share one computation."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from services.query.dashboard.compression import Compressed

MAX_BYTES: Final = 16 << 20
"""Maximum size of all rendered views. A view of 1,000 organizations has about 0.4 MB."""
PAUSE_FACTOR: Final = 4.0
"""A view rests for this many times as long as it took, so that facts that keep coming take a fifth
of a processor for each view. Requests in the meantime share the computation that follows."""
_MAX_VIEWS: Final = 500
"""Views whose pace is known. A forgotten one is computed at once."""


@dataclass(slots=True)
class _Pace:
    """When a view may be computed again, and the computation that has not begun."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ready_time: float = 0.0
    next: asyncio.Task[Compressed] | None = None


class ViewCache:
    """Rendered views by entity tag, the least recently used removed first. Of one event loop."""

    def __init__(self, max_bytes: int = MAX_BYTES, *, pause_factor: float = PAUSE_FACTOR) -> None:
        self.size = 0
        self._max_bytes = max_bytes
        self._pause_factor = pause_factor
        self._contents: OrderedDict[str, Compressed] = OrderedDict()
        self._paces: OrderedDict[str, _Pace] = OrderedDict()

    async def get_or_compute(
        self, view: str, tag: str, compute: Callable[[], Awaitable[Compressed]]
    ) -> Compressed:
        """The content of a view with this tag, or one that began to be computed after this call."""
        if (content := self._contents.get(tag)) is not None:
            self._contents.move_to_end(tag)
            return content
        pace = self._paces.setdefault(view, _Pace())
        self._paces.move_to_end(view)
        if len(self._paces) > _MAX_VIEWS:
            self._paces.popitem(last=False)
        if pace.next is None:
            pace.next = asyncio.create_task(self._compute(pace, tag, compute))
        # A caller that leaves does not take the answer from the others.
        return await asyncio.shield(pace.next)

    async def _compute(
        self, pace: _Pace, tag: str, compute: Callable[[], Awaitable[Compressed]]
    ) -> Compressed:
        async with pace.lock:
            await asyncio.sleep(max(0.0, pace.ready_time - time.monotonic()))
            pace.next = None
            start = time.monotonic()
            try:
                content = await compute()
            finally:
                end = time.monotonic()
                pace.ready_time = end + self._pause_factor * (end - start)
        self._keep(tag, content)
        return content

    def _keep(self, tag: str, content: Compressed) -> None:
        if content.size <= self._max_bytes and tag not in self._contents:
            self._contents[tag] = content
            self.size += content.size
        while self.size > self._max_bytes:
            _, oldest = self._contents.popitem(last=False)
            self.size -= oldest.size
