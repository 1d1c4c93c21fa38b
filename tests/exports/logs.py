"""Logs with everything on them that can come to stand on a log, and what they are asked."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import ASSURANCE_OPEN
from services.adapters.sqlite_log import SqliteLog
from services.adapters.wire.event import normalize
from services.bootstrap import embedded
from services.ledger.ports import Record
from tests.services import facts
from tests.strategies import sloppy

PROGRAMME = "gde"
OTHER = "wales"
START = 1_775_001_600_000_000
"""The first instant of April 2026."""
GARBAGE = b"\xff\xff no event"


def records() -> list[tuple[str, bytes]]:
    """Corrected, stale, retracted, waiting, registered, refused, repeated, reused, unreadable."""
    first, second = facts.exchange(minutes=30, batch="calls"), facts.exchange("B", "A", minutes=7)
    unseen = facts.exchange("P", "Q")
    correction = facts.correction(first, first.event_id)
    reused = facts.exchange("X", "Y", event_id=first.event_id)
    events = [
        *(first, second, correction, facts.correction(first, first.event_id, receiver="D")),
        *(facts.correction(second, second.event_id), facts.retraction(second)),
        *(facts.correction(unseen), facts.retraction(unseen)),
        *(facts.registered("A", name="Alder"), facts.registered("Z", aliases=["A"])),
        *(facts.alias("old A", "A"), facts.updated("never", "Nobody"), facts.symmetric("A", "B")),
        *(first, reused, reused),
    ]
    foreign = sloppy(as_logged(facts.exchange("C", "A"), PROGRAMME))
    odd = as_logged(facts.exchange("C", "B"), PROGRAMME)
    values = [as_logged(event, PROGRAMME).SerializeToString() for event in events]
    return [
        *((PROGRAMME, value) for value in values),
        (OTHER, as_logged(facts.exchange("A", "B"), OTHER).SerializeToString()),
        (PROGRAMME, GARBAGE),
        (PROGRAMME, b""),
        (OTHER, as_logged(facts.exchange("A", "B"), PROGRAMME).SerializeToString()),
        (PROGRAMME, foreign.SerializeToString()),
        # Fields in another order, and one that this version does not know.
        (PROGRAMME, b"".join(reversed(parts(odd)))),
        (PROGRAMME, odd.SerializeToString() + b"\xc8\x06\x01"),
    ]


def as_logged(event: Event, programme: str) -> Event:
    """An event as a server puts it on the log."""
    said = Event()
    said.CopyFrom(event)
    said.programme_id = programme
    normalize(said)
    said.recorded_by = "A"
    said.assurance = ASSURANCE_OPEN
    return said


def parts(event: Event) -> list[bytes]:
    """The fields of a message, each by itself."""
    found = []
    for field, _ in event.ListFields():
        alone = Event()
        alone.CopyFrom(event)
        for other, _ in event.ListFields():
            if other.name != field.name:
                alone.ClearField(other.name)  # type: ignore[arg-type]
        found.append(alone.SerializeToString())
    return found


def fill(data: Path, values: Sequence[tuple[str, bytes]]) -> None:
    """Appends records a second and a bit apart."""
    data.mkdir(parents=True, exist_ok=True)
    now = START
    with closing(SqliteLog(data / "log.sqlite", clock=lambda: now)) as log:
        for programme, value in values:
            now += 1_000_001
            log.append(programme, [value]).result()


def read(data: Path) -> list[Record]:
    with closing(SqliteLog(data / "log.sqlite", read_only=True)) as log:
        return log.read(0, 10_000)


@contextmanager
def asking(data: Path, programme: str = PROGRAMME) -> Iterator[Client]:
    with (
        embedded(data, purpose="a test", write=False) as running,
        Client(running.address, programme=programme) as client,
    ):
        yield client


def answers(data: Path, programme: str = PROGRAMME) -> dict[str, Any]:
    """All that can be asked, but for positions and the very bytes of quarantined records."""
    with asking(data, programme) as client:
        lists = {
            "exchanges": list(client.list_exchanges()),
            "balances": list(client.list_balances()),
            "pairs": list(client.list_pairs()),
            "organizations": list(client.list_organizations()),
            "batches": list(client.list_batches()),
            "quarantine": [without(each, "record") for each in client.list_quarantine()],
        }
        status = client.get_status()
    places = ("log_position", "projection_position", "position")
    return {**lists, "status": without(status, *places)}


def without(message: Message, *names: str) -> Message:
    for name in names:
        message.ClearField(name)
    return message
