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
from tests.ledger.folded_ledger import message_to_json
from tests.oracle.answers import Row
from tests.services import facts

PROGRAMMES: Final = [f"p{number}" for number in range(8)]
"""They lie in all four partitions."""
LENSES: Final = (pb.LENS_COUNT, pb.LENS_BURDEN, pb.LENS_ATTENTION)
READER_COUNT: Final = 4
_PACE_SECONDS: Final = 0.15
_DEADLINES: Final = (30.0, 30.0, 3.0)
"""Some lose patience soon, so that they often do not know what became of their facts."""
_AGAIN: Final = 0.6
_IN_DOUBT: Final = ("", "OUTCOME_UNKNOWN")
_PATIENCE: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""What anybody may hear while something is broken."""
_SAMPLE_SIZE: Final = 60
_ORGANIZATIONS: Final = [f"o{number}" for number in range(12)]
_REMEMBERED: Final = 200


@dataclass(slots=True)
class FactOutcomes:
    """What became of facts as far as callers know, by event id."""

    acknowledged: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    """Of these callers were told that nothing was appended."""


@dataclass(frozen=True, slots=True)
class ObservedAnswer:
    """One answer of the query service, to be compared with the log as far as it goes."""

    programme: str
    lens: pb.Lens.ValueType
    position: str
    rows: list[Row]


@dataclass(slots=True)
class ChaosWorkload:
    """`on_acknowledged` hears each position up to which facts were acknowledged."""

    server: str
    seed: int
    on_acknowledged: Callable[[str], None]
    outcomes: FactOutcomes = field(default_factory=FactOutcomes)
    answers: list[ObservedAnswer] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    """What callers met that they should never meet."""
    answer_counts: Counter[str] = field(default_factory=Counter)
    """How often each caller was answered, by its name."""
    acknowledged_positions: dict[str, str] = field(default_factory=dict)
    """Up to where facts were acknowledged last, by programme."""
    lock: Lock = field(default_factory=Lock)
    _over: Signal = field(default_factory=Signal)

    @contextmanager
    def run(self) -> Iterator[None]:
        """Needs a cluster at the end, to finish what is under way."""
        works = [*map(self._recorder, PROGRAMMES), *map(self._reader, range(READER_COUNT))]
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
            self.violations.append(f"a caller ended: {error!r}")

    def _recorder(self, programme: str) -> Callable[[], None]:
        dice = random.Random(f"{self.seed} {programme}")

        def record() -> None:
            content, deadline = FactGenerator(dice), dice.choice(_DEADLINES)
            with Client(self.server, programme=programme, deadline_seconds=deadline) as client:
                while not self._over.wait(_PACE_SECONDS):
                    self._send(client, content.next_request(), dice)

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
                    self.outcomes.acknowledged.update(event.event_id for event in events)
                    self.answer_counts[client.programme] += 1
                    self.acknowledged_positions[client.programme] = position
                self.on_acknowledged(position)
                return

    def _failed(self, programme: str, events: Sequence[Event], error: MutuaError) -> bool:
        """Whether nobody knows what became of the facts."""
        is_unknown = error.code in (*_PATIENCE, grpc.StatusCode.CANCELLED) and (
            error.reason in _IN_DOUBT
        )
        with self.lock:
            if is_unknown:
                self.outcomes.unknown.update(event.event_id for event in events)
            elif error.reason in ("LOG_DOWN", "OVERLOADED"):
                self.outcomes.refused.update(event.event_id for event in events)
            else:
                self.violations.append(f"{programme} cannot record: {error.code} {error}")
        return is_unknown

    def _reader(self, number: int) -> Callable[[], None]:
        dice = random.Random(f"{self.seed} reader {number}")

        def read() -> None:
            clients = [Client(self.server, programme=each) for each in PROGRAMMES]
            while not self._over.wait(_PACE_SECONDS):
                client, lens = dice.choice(clients), dice.choice(LENSES)
                wanted = dice.choice(("", self.acknowledged_positions.get(client.programme, "")))
                try:
                    answer = client.list_balances(pb.Question(lens=lens), min_position=wanted)
                    rows = [message_to_json(row) for row in answer]
                except MutuaError as error:
                    if error.code not in _PATIENCE:
                        self.violations.append(
                            f"reader {number} is not answered: {error.code} {error}"
                        )
                    continue
                if parse_offset(answer.position) < parse_offset(wanted):
                    self.violations.append(
                        f"reader {number} wants {wanted}, gets {answer.position}"
                    )
                found = ObservedAnswer(client.programme, lens, answer.position, rows)
                self._answered(f"reader {number}", found, dice)
            for client in clients:
                client.close()

        return read

    def _answered(self, reader: str, found: ObservedAnswer, dice: random.Random) -> None:
        """Keeps so many, any of all with the same chance."""
        with self.lock:
            self.answer_counts[reader] += 1
            seen = sum(
                count for name, count in self.answer_counts.items() if name not in PROGRAMMES
            )
            if len(self.answers) < _SAMPLE_SIZE:
                self.answers.append(found)
            elif (place := dice.randrange(seen)) < _SAMPLE_SIZE:
                self.answers[place] = found


def parse_offset(position: str) -> int:
    """How far in its partition; "" is nowhere."""
    return int(position.rpartition(".")[2] or 0)


class FactGenerator:
    """What one caller has to say: exchanges, and now and then something about earlier ones."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._sent: list[Event] = []

    def next_request(self) -> list[Event]:
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
            return facts.registration(dice.choice(_ORGANIZATIONS), name=f"name {dice.random()}")
        some = dice.sample(_ORGANIZATIONS, dice.choice((2, 2, 2, 4)))
        middle = len(some) // 2
        event = facts.exchange(some[:middle], some[middle:], minutes=dice.choice((None, 7, 45)))
        self._sent.append(event)
        del self._sent[:-_REMEMBERED]
        return event
