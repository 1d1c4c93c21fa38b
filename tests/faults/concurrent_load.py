"""Clients that record and ask at once, and continue while the server is killed."""

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
_RECORDER_STRIDE: Final = 10_000_000
"""Distance between the facts of two recorders."""


class ConcurrentLoad:
    """Three clients send requests, one sends a stream, one asks; acknowledged facts are kept."""

    def __init__(self, address: str, seed: int) -> None:
        self._address = address
        self._seed = seed
        self._ended = Event()
        self._durable_ranges = [
            range(each * _RECORDER_STRIDE, each * _RECORDER_STRIDE)
            for each in range(RECORDER_COUNT + 1)
        ]

    @property
    def durable_facts(self) -> set[int]:
        """The facts that the server acknowledged."""
        return {number for each in self._durable_ranges for number in each}

    @contextmanager
    def run(self) -> Iterator[None]:
        """Requires a server at the beginning and, to complete running requests, at the end."""
        with ThreadPoolExecutor(RECORDER_COUNT + 2) as pool:
            jobs = [self._record] * RECORDER_COUNT + [self._record_stream, self._ask]
            under_way = [pool.submit(self._work, work, number) for number, work in enumerate(jobs)]
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
            client.get_status()  # a client gives up after 2 s if it never reached its server
            work(client, number)

    def _record(self, client: Client, number: int) -> None:
        dice = random.Random(self._seed * RECORDER_COUNT + number)
        while not self._ended.is_set():
            end = self._durable_ranges[number].stop
            following = end + dice.choice((1, 5, 50))
            client.record(list(facts(end, following)))
            self._durable_ranges[number] = range(number * _RECORDER_STRIDE, following)

    def _record_stream(self, client: Client, number: int) -> None:
        for recorded in client.record_stream(self._endless(number)):
            self._durable_ranges[number] = range(
                number * _RECORDER_STRIDE, self._durable_ranges[number].stop + recorded.count
            )

    def _endless(self, number: int) -> Iterator[pb.Event]:
        start = number * _RECORDER_STRIDE
        while not self._ended.is_set():
            yield from facts(start, start + 10)
            start += 10

    def _ask(self, client: Client, _: int) -> None:
        """Answers never go back, and count no exchange twice."""
        position, given = 0, 0.0
        while not self._ended.is_set():
            with suppress(MutuaError):
                answer = client.list_balances()
                previous_given, given = given, sum(each.given for each in answer)
                previous_position, position = position, int(answer.position.rpartition(".")[2])
                assert (previous_given, previous_position) <= (given, position)
                assert given <= position


def _failed(under_way: list[Future[None]]) -> bool:
    return any(each.done() for each in under_way)
