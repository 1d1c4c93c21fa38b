"""Generates a programme with the numbers of a study of knowledge networking.

Source of the numbers: JMIR 2021;23(8):e23372. Everything else is invented.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby, islice
from operator import attrgetter

from mutua.limits import MAX_REQUEST_EVENTS
from mutua.v1.event_pb2 import Event
from services.demo.calendar import AS_OF as AS_OF
from services.demo.history import DemoFact, DemoHistory


@dataclass(frozen=True, slots=True)
class Recording:
    """The facts of one request. `organization` records them; "" is the programme office."""

    organization: str
    events: tuple[Event, ...]


def generate(*, seed: int = 2021, scale: int = 1, programme: str) -> Iterator[Recording]:
    """Yields recordings in log order; equal arguments give equal bytes.

    Scale 1 has the study's numbers; scale N has N times the exchanges among about sqrt(N) times
    the organizations, and memory still holds only some weeks of them. Every reference is to a fact
    that precedes it. Raises ValueError if scale is not positive.
    """
    if scale < 1:
        raise ValueError(f"scale is {scale}; give 1 or more")
    history = DemoHistory(seed=seed, scale=scale, programme=programme)
    facts = _in_recording_order(history.generate_days())
    for organization, recorded in groupby(facts, key=attrgetter("organization")):
        while events := tuple(fact.event for fact in islice(recorded, MAX_REQUEST_EVENTS)):
            yield Recording(organization, events)


def _in_recording_order(days: Iterable[tuple[int, Iterable[DemoFact]]]) -> Iterator[DemoFact]:
    """Sorts facts by recording day, which is never before the day they come with."""
    waiting: list[DemoFact] = []
    for day, facts in days:
        for fact in facts:
            heappush(waiting, fact)
        while waiting and waiting[0].recording_day <= day:
            yield heappop(waiting)
    yield from sorted(waiting)
