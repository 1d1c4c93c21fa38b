"""Many who record and ask at once, and go on whatever becomes of the server."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event
from typing import Final

from mutua import Client, MutuaError
from mutua.v1 import event_pb2 as pb
from tests.faults.server_process import facts
from tests.waiting import PATIENCE_SECONDS, wait_until

RECORDER_COUNT: Final = 3
_OWN: Final = 10_000_000
"""Facts of one recorder lie so far from those of the next."""


class ConcurrentLoad:
    """Some send requests, one a stream, one asks. Their answers are kept here."""

    def __init__(self, address: str, seed: int) -> None:
        self._address = address
        self._seed = seed
        self._ended = Event()
        self._durable_ranges = [
            range(each * _OWN, each * _OWN) for each in range(RECORDER_COUNT + 1)
        ]

    @property
    def durable_facts(self) -> set[int]:
        """The facts that are durable by the word of the server."""
        return {number for each in self._durable_ranges for number in each}

    @contextmanager
    def run(self) -> Iterator[None]:
        """Needs a server at the beginning and, to end what is under way, at the end."""
        with ThreadPoolExecutor(RECORDER_COUNT + 2) as pool:
            works = [self._record] * RECORDER_COUNT + [self._record_stream, self._ask]
            under_way = [pool.submit(self._work, work, number) for number, work in enumerate(works)]
            try:
                wait_until(
                    lambda: all(self._durable_ranges) or _failed(under_way), "all have recorded"
                )
                yield
            finally:
                self._ended.set()
            for each in under_way:
                each.result()

    def _work(self, work: Callable[[Client, int], None], number: int) -> None:
        with Client(self._address, deadline_seconds=PATIENCE_SECONDS) as client:
            client.get_status()  # a server that was never reached is given up after 2 s
            work(client, number)

    def _record(self, client: Client, number: int) -> None:
        dice = random.Random(self._seed * RECORDER_COUNT + number)
        while not self._ended.is_set():
            end = self._durable_ranges[number].stop
            following = end + dice.choice((1, 5, 50))
            client.record(list(facts(end, following)))
            self._durable_ranges[number] = range(number * _OWN, following)

    def _record_stream(self, client: Client, number: int) -> None:
        for recorded in client.record_stream(self._endless(number)):
            self._durable_ranges[number] = range(
                number * _OWN, self._durable_ranges[number].stop + recorded.count
            )

    def _endless(self, number: int) -> Iterator[pb.Event]:
        start = number * _OWN
        while not self._ended.is_set():
            yield from facts(start, start + 10)
            start += 10

    def _ask(self, client: Client, _: int) -> None:
        """What was answered once is not taken back, and nothing is counted twice."""
        position, given = 0, 0.0
        while not self._ended.is_set():
            with suppress(MutuaError):
                answer = client.list_balances()
                before, given = given, sum(each.given for each in answer)
                before_offset, position = position, int(answer.position.rpartition(".")[2])
                assert (before, before_offset) <= (given, position)
                assert given <= position


def _failed(under_way: list[Future[None]]) -> bool:
    return any(each.done() for each in under_way)
