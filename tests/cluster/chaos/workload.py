"""Callers that record and readers that ask without pause, and the outcomes they observe."""

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
"""They cover all four partitions."""
LENSES: Final = (pb.LENS_COUNT, pb.LENS_BURDEN, pb.LENS_ATTENTION)
READER_COUNT: Final = 4
_PACE_SECONDS: Final = 0.15
_DEADLINES: Final = (30.0, 30.0, 3.0)
"""Some deadlines are short, so that their callers often do not learn the outcome."""
_RETRY_PROBABILITY: Final = 0.6
_UNKNOWN_REASONS: Final = ("", "OUTCOME_UNKNOWN")
_TOLERATED_CODES: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""Codes that a call may fail with while a fault lasts."""
_SAMPLE_SIZE: Final = 60
_ORGANIZATIONS: Final = [f"o{number}" for number in range(12)]
_HISTORY_SIZE: Final = 200


@dataclass(slots=True)
class FactOutcomes:
    """Event ids by the outcome that callers observed."""

    acknowledged: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    """The answer to these was that nothing was appended."""


@dataclass(frozen=True, slots=True)
class ObservedAnswer:
    """One answer of the query service, to compare with the log up to its position."""

    programme: str
    lens: pb.Lens.ValueType
    position: str
    rows: list[Row]


@dataclass(slots=True)
class ChaosWorkload:
    """Calls `on_acknowledged` with every acknowledged position."""

    server: str
    seed: int
    on_acknowledged: Callable[[str], None]
    outcomes: FactOutcomes = field(default_factory=FactOutcomes)
    answers: list[ObservedAnswer] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    """Observations that must never occur."""
    answer_counts: Counter[str] = field(default_factory=Counter)
    """Number of answers by the name of the caller."""
    acknowledged_positions: dict[str, str] = field(default_factory=dict)
    """The last acknowledged position of each programme."""
    lock: Lock = field(default_factory=Lock)
    _is_over: Signal = field(default_factory=Signal)

    @contextmanager
    def run(self) -> Iterator[None]:
        """Runs all callers. The cluster must still run at the end, to finish their calls."""
        tasks = [*map(self._recorder, PROGRAMMES), *map(self._reader, range(READER_COUNT))]
        threads = [Thread(target=self._run_guarded, args=(task,), daemon=True) for task in tasks]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def _run_guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 (reported at the end)
            self.violations.append(f"a caller ended: {error!r}")

    def _recorder(self, programme: str) -> Callable[[], None]:
        dice = random.Random(f"{self.seed} {programme}")

        def record() -> None:
            content, deadline = FactGenerator(dice), dice.choice(_DEADLINES)
            with Client(self.server, programme=programme, deadline_seconds=deadline) as client:
                while not self._is_over.wait(_PACE_SECONDS):
                    self._send(client, content.next_request(), dice)

        return record

    def _send(self, client: Client, events: Sequence[Event], dice: random.Random) -> None:
        """Sends facts until their outcome is known or the caller gives up."""
        while True:
            try:
                position = client.record(events)
            except MutuaError as error:
                is_unknown = self._note_failure(client.programme, events, error)
                if not is_unknown or self._is_over.is_set() or dice.random() > _RETRY_PROBABILITY:
                    return
            else:
                with self.lock:
                    self.outcomes.acknowledged.update(event.event_id for event in events)
                    self.answer_counts[client.programme] += 1
                    self.acknowledged_positions[client.programme] = position
                self.on_acknowledged(position)
                return

    def _note_failure(self, programme: str, events: Sequence[Event], error: MutuaError) -> bool:
        """Notes a failed call; returns whether the outcome of its facts is unknown."""
        is_unknown = error.code in (*_TOLERATED_CODES, grpc.StatusCode.CANCELLED) and (
            error.reason in _UNKNOWN_REASONS
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
            clients = [Client(self.server, programme=programme) for programme in PROGRAMMES]
            while not self._is_over.wait(_PACE_SECONDS):
                client, lens = dice.choice(clients), dice.choice(LENSES)
                min_position = dice.choice(
                    ("", self.acknowledged_positions.get(client.programme, ""))
                )
                try:
                    answer = client.list_balances(pb.Question(lens=lens), min_position=min_position)
                    rows = [message_to_json(row) for row in answer]
                except MutuaError as error:
                    if error.code not in _TOLERATED_CODES:
                        self.violations.append(
                            f"reader {number} is not answered: {error.code} {error}"
                        )
                    continue
                if parse_offset(answer.position) < parse_offset(min_position):
                    self.violations.append(
                        f"reader {number} wants {min_position}, gets {answer.position}"
                    )
                observed = ObservedAnswer(client.programme, lens, answer.position, rows)
                self._sample(f"reader {number}", observed, dice)
            for client in clients:
                client.close()

        return read

    def _sample(self, reader: str, answer: ObservedAnswer, dice: random.Random) -> None:
        """Keeps a uniform sample of all answers."""
        with self.lock:
            self.answer_counts[reader] += 1
            answer_count = sum(
                count for name, count in self.answer_counts.items() if name not in PROGRAMMES
            )
            if len(self.answers) < _SAMPLE_SIZE:
                self.answers.append(answer)
            elif (index := dice.randrange(answer_count)) < _SAMPLE_SIZE:
                self.answers[index] = answer


def parse_offset(position: str) -> int:
    """Returns the offset in a position; 0 for ""."""
    return int(position.rpartition(".")[2] or 0)


class FactGenerator:
    """Generates a caller's facts: exchanges, and sometimes corrections and retractions of them."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._sent: list[Event] = []

    def next_request(self) -> list[Event]:
        """Returns the events of a request; some may have been sent before."""
        return [self._next_event() for _ in range(self._dice.choice((1, 2, 3, 8)))]

    def _next_event(self) -> Event:
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
        parties = dice.sample(_ORGANIZATIONS, dice.choice((2, 2, 2, 4)))
        middle = len(parties) // 2
        event = facts.exchange(
            parties[:middle], parties[middle:], minutes=dice.choice((None, 7, 45))
        )
        self._sent.append(event)
        del self._sent[:-_HISTORY_SIZE]
        return event
