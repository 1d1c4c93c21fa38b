"""Those who record and those who ask, without end, and what they were told."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event as Signal
from threading import Lock, Thread
from typing import Final

import grpc

from mutua import Client, MutuaError
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from tests.ledger.product import as_json
from tests.oracle.answers import Row
from tests.services import facts

PROGRAMMES: Final = [f"p{number}" for number in range(8)]
"""They lie in all four partitions."""
LENSES: Final = (pb.LENS_COUNT, pb.LENS_BURDEN, pb.LENS_ATTENTION)
READERS: Final = 4
_PACE_SECONDS: Final = 0.15
_DEADLINES: Final = (30.0, 30.0, 3.0)
"""Some lose patience soon, so that they often do not know what became of their facts."""
_AGAIN: Final = 0.6
_IN_DOUBT: Final = ("", "OUTCOME_UNKNOWN")
_PATIENCE: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""What anybody may hear while something is broken."""
_KEPT_ANSWERS: Final = 60
_ORGANIZATIONS: Final = [f"o{number}" for number in range(12)]
_REMEMBERED: Final = 200


@dataclass(slots=True)
class Told:
    """What became of facts as far as callers know, by event id."""

    acknowledged: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    """Of these callers were told that nothing was appended."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer of the query service, to be compared with the log as far as it goes."""

    programme: str
    lens: pb.Lens.ValueType
    position: str
    rows: list[Row]


@dataclass(slots=True)
class Load:
    """`on_acknowledged` hears each position up to which facts were acknowledged."""

    server: str
    seed: int
    on_acknowledged: Callable[[str], None]
    told: Told = field(default_factory=Told)
    answers: list[Answered] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What callers met that they should never meet."""
    counts: Counter[str] = field(default_factory=Counter)
    """How often each caller was answered, by its name."""
    positions: dict[str, str] = field(default_factory=dict)
    """Up to where facts were acknowledged last, by programme."""
    lock: Lock = field(default_factory=Lock)
    _over: Signal = field(default_factory=Signal)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Needs a cluster at the end, to finish what is under way."""
        works = [*map(self._recorder, PROGRAMMES), *map(self._reader, range(READERS))]
        threads = [Thread(target=self._guarded, args=(work,), daemon=True) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told at the end)
            self.wrong.append(f"a caller ended: {error!r}")

    def _recorder(self, programme: str) -> Callable[[], None]:
        dice = random.Random(f"{self.seed} {programme}")

        def record() -> None:
            content, deadline = Content(dice), dice.choice(_DEADLINES)
            with Client(self.server, programme=programme, deadline_seconds=deadline) as client:
                while not self._over.wait(_PACE_SECONDS):
                    self._send(client, content.more(), dice)

        return record

    def _send(self, client: Client, events: Sequence[Event], dice: random.Random) -> None:
        """Until it is known what became of the facts, or nobody cares any more."""
        while True:
            try:
                position = client.record(events)
            except MutuaError as error:
                is_unknown = self._failed(client.programme, events, error)
                if not is_unknown or self._over.is_set() or dice.random() > _AGAIN:
                    return
            else:
                with self.lock:
                    self.told.acknowledged.update(event.event_id for event in events)
                    self.counts[client.programme] += 1
                    self.positions[client.programme] = position
                self.on_acknowledged(position)
                return

    def _failed(self, programme: str, events: Sequence[Event], error: MutuaError) -> bool:
        """Whether nobody knows what became of the facts."""
        is_unknown = error.code in (*_PATIENCE, grpc.StatusCode.CANCELLED) and (
            error.reason in _IN_DOUBT
        )
        with self.lock:
            if is_unknown:
                self.told.unknown.update(event.event_id for event in events)
            elif error.reason in ("LOG_DOWN", "OVERLOADED"):
                self.told.refused.update(event.event_id for event in events)
            else:
                self.wrong.append(f"{programme} cannot record: {error.code} {error}")
        return is_unknown

    def _reader(self, number: int) -> Callable[[], None]:
        dice = random.Random(f"{self.seed} reader {number}")

        def read() -> None:
            clients = [Client(self.server, programme=each) for each in PROGRAMMES]
            while not self._over.wait(_PACE_SECONDS):
                client, lens = dice.choice(clients), dice.choice(LENSES)
                wanted = dice.choice(("", self.positions.get(client.programme, "")))
                try:
                    answer = client.list_balances(pb.Question(lens=lens), min_position=wanted)
                    rows = [as_json(row) for row in answer]
                except MutuaError as error:
                    if error.code not in _PATIENCE:
                        self.wrong.append(f"reader {number} is not answered: {error.code} {error}")
                    continue
                if offset(answer.position) < offset(wanted):
                    self.wrong.append(f"reader {number} wants {wanted}, gets {answer.position}")
                found = Answered(client.programme, lens, answer.position, rows)
                self._answered(f"reader {number}", found, dice)
            for client in clients:
                client.close()

        return read

    def _answered(self, reader: str, found: Answered, dice: random.Random) -> None:
        """Keeps so many, any of all with the same chance."""
        with self.lock:
            self.counts[reader] += 1
            seen = sum(count for name, count in self.counts.items() if name not in PROGRAMMES)
            if len(self.answers) < _KEPT_ANSWERS:
                self.answers.append(found)
            elif (place := dice.randrange(seen)) < _KEPT_ANSWERS:
                self.answers[place] = found


def offset(position: str) -> int:
    """How far in its partition; "" is nowhere."""
    return int(position.rpartition(".")[2] or 0)


class Content:
    """What one caller has to say: exchanges, and now and then something about earlier ones."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._sent: list[Event] = []

    def more(self) -> list[Event]:
        """A request, of which a part may have been sent before."""
        return [self._one() for _ in range(self._dice.choice((1, 2, 3, 8)))]

    def _one(self) -> Event:
        dice = self._dice
        kind = dice.random()
        if kind < 0.03 and self._sent:
            return dice.choice(self._sent)
        if kind < 0.11 and self._sent:
            return facts.correction(dice.choice(self._sent), receiver=dice.choice(_ORGANIZATIONS))
        if kind < 0.15 and self._sent:
            return facts.retraction(dice.choice(self._sent))
        if kind < 0.18:
            return facts.registered(dice.choice(_ORGANIZATIONS), name=f"name {dice.random()}")
        some = dice.sample(_ORGANIZATIONS, dice.choice((2, 2, 2, 4)))
        middle = len(some) // 2
        event = facts.exchange(some[:middle], some[middle:], minutes=dice.choice((None, 7, 45)))
        self._sent.append(event)
        del self._sent[:-_REMEMBERED]
        return event
