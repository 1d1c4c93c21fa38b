"""Requests that come again, because their sender did not hear the answer."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from typing import Final

from services.ledger.position import Position

_KEPT_SECONDS: Final = 120.0
_KEPT_COUNT: Final = 50_000
"""About 20 MB. What is forgotten sooner stands on the log twice and counts once all the same."""


def make_content_key(programme_id: str, values: Sequence[bytes]) -> bytes:
    """Tells a request by its programme and every byte of its facts, ids among them."""
    content = blake2b(programme_id.encode(), digest_size=16)
    for value in values:
        content.update(b"%d " % len(value))
        content.update(value)
    return content.digest()


class AppendDeduplicator:
    """The appends under way, and those of the last two minutes. Whoever uses it holds a lock."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pending: dict[bytes, Future[Position]] = {}
        self._done: OrderedDict[bytes, tuple[float, Position]] = OrderedDict()

    def find(self, key: bytes) -> Future[Position] | None:
        """What the same request was or will be answered with; None when there was none."""
        if (pending := self._pending.get(key)) is not None:
            return pending
        if (done := self._done.get(key)) is None or self._clock() - done[0] > _KEPT_SECONDS:
            return None
        again: Future[Position] = Future()
        again.set_result(done[1])
        return again

    def begin(self, key: bytes, outcome: Future[Position]) -> None:
        self._pending[key] = outcome

    def end(self, key: bytes, position: Position | None) -> None:
        """An append is over; without a position the same request has to be appended again."""
        del self._pending[key]
        if position is None:
            return
        now = self._clock()
        self._done[key] = (now, position)
        self._done.move_to_end(key)
        while self._done:
            since, _ = next(iter(self._done.values()))
            if len(self._done) <= _KEPT_COUNT and now - since <= _KEPT_SECONDS:
                break
            self._done.popitem(last=False)
