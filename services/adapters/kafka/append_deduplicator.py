"""Recognizes an append that a client sends again because it missed the answer."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from typing import Final

from services.ledger.position import Position

_RETENTION_SECONDS: Final = 120.0
_MAX_COUNT: Final = 50_000
"""About 20 MB. An append forgotten earlier is on the log twice, and its facts still count once."""


def make_content_key(programme_id: str, values: Sequence[bytes]) -> bytes:
    """Digest of a programme and every byte of its facts, including their ids."""
    content = blake2b(programme_id.encode(), digest_size=16)
    for value in values:
        content.update(b"%d " % len(value))
        content.update(value)
    return content.digest()


class AppendDeduplicator:
    """Pending appends and those of the last two minutes. Not thread-safe: callers hold a lock."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pending: dict[bytes, Future[Position]] = {}
        self._finished: OrderedDict[bytes, tuple[float, Position]] = OrderedDict()

    def find(self, key: bytes) -> Future[Position] | None:
        """The outcome of an equal append, pending or finished; None if there is none."""
        if (pending := self._pending.get(key)) is not None:
            return pending
        if (finished := self._finished.get(key)) is None or self._clock() - finished[
            0
        ] > _RETENTION_SECONDS:
            return None
        outcome: Future[Position] = Future()
        outcome.set_result(finished[1])
        return outcome

    def begin(self, key: bytes, outcome: Future[Position]) -> None:
        self._pending[key] = outcome

    def end(self, key: bytes, position: Position | None) -> None:
        """Ends a pending append. Without a position it failed, and an equal one is sent again."""
        del self._pending[key]
        if position is None:
            return
        now = self._clock()
        self._finished[key] = (now, position)
        self._finished.move_to_end(key)
        while self._finished:
            end_time, _ = next(iter(self._finished.values()))
            if len(self._finished) <= _MAX_COUNT and now - end_time <= _RETENTION_SECONDS:
                break
            self._finished.popitem(last=False)
