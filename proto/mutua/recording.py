"""What is recorded: events completed, cut into requests, and sent ahead of their answers."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mutua.ids import uuid7
from mutua.limits import MAX_REQUEST_EVENTS
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordStreamRequest, RecordStreamResponse

_BATCH_BYTES = 900 * 1024
"""Maximum size of the events of a request; the rest of `MAX_REQUEST_BYTES` is for the framing."""
# Enough to keep the server busy while answers travel; after a failure they are sent once more.
MAX_UNANSWERED_GROUPS = 16
MAX_UNANSWERED_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """`count` events are durable; as min_position, `position` makes a read see them."""

    count: int
    position: str


def complete_event(event: Event, programme: str) -> Event:
    """The event itself, its empty event and programme ids filled in."""
    event.event_id = event.event_id or uuid7()
    event.programme_id = event.programme_id or programme
    return event


class BatchBuilder:
    """Cuts at the limits of a request; an event above them goes alone, for the server to judge."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._bytes = 0

    def add(self, event: Event) -> list[Event]:
        """The batch that has no room for this event and so is complete; [] when there is room."""
        size = event.ByteSize() + 5  # with the tag and length that precede it
        has_room = len(self._events) < MAX_REQUEST_EVENTS and self._bytes + size <= _BATCH_BYTES
        batch = [] if has_room else self.flush()
        self._events.append(event)
        self._bytes += size
        return batch

    def flush(self) -> list[Event]:
        """What is left when there is no further event."""
        batch, self._events, self._bytes = self._events, [], 0
        return batch


def split_into_batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    batching = BatchBuilder()
    for event in events:
        if batch := batching.add(event):
            yield batch
    if batch := batching.flush():
        yield batch


class UnansweredGroups:
    """The groups of a stream that are not answered yet, oldest first."""

    def __init__(self) -> None:
        self._groups: deque[RecordStreamRequest] = deque()
        self._bytes = 0

    def __iter__(self) -> Iterator[RecordStreamRequest]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def is_full(self) -> bool:
        """Whether an answer has to come before another group is sent."""
        return len(self._groups) >= MAX_UNANSWERED_GROUPS or self._bytes >= MAX_UNANSWERED_BYTES

    def add(self, group: RecordStreamRequest) -> None:
        self._groups.append(group)
        self._bytes += group.ByteSize()

    def pop_oldest(self, answer: RecordStreamResponse) -> Recorded:
        """Forgets the oldest group, which is what a stream's next answer is about."""
        group = self._groups.popleft()
        self._bytes -= group.ByteSize()
        return Recorded(count=len(group.events), position=answer.position)
