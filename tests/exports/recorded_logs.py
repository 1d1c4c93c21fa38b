"""Logs with records of every kind, and answers over them."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import ASSURANCE_OPEN
from services.adapters.sqlite.log import SqliteLog
from services.adapters.wire.event import normalize
from services.app.bootstrap import serve_embedded
from services.ledger.records import Record
from tests.services import facts
from tests.strategies import denormalize

PROGRAMME = "gde"
OTHER = "wales"
START = 1_775_001_600_000_000
"""The first instant of April 2026."""
GARBAGE = b"\xff\xff no event"


def make_records() -> list[tuple[str, bytes]]:
    """Corrected, stale, retracted, waiting, registered, refused, repeated, reused, unreadable."""
    first, second = facts.exchange(minutes=30, batch="calls"), facts.exchange("B", "A", minutes=7)
    unseen = facts.exchange("P", "Q")
    correction = facts.correction(first, first.event_id)
    reused = facts.exchange("X", "Y", event_id=first.event_id)
    events = [
        *(first, second, correction, facts.correction(first, first.event_id, receiver="D")),
        *(facts.correction(second, second.event_id), facts.retraction(second)),
        *(facts.correction(unseen), facts.retraction(unseen)),
        *(facts.registration("A", name="Alder"), facts.registration("Z", aliases=["A"])),
        *(
            facts.alias("old A", "A"),
            facts.organization_update("never", "Nobody"),
            facts.joint_exchange("A", "B"),
        ),
        *(first, reused, reused),
    ]
    foreign = denormalize(make_logged_event(facts.exchange("C", "A"), PROGRAMME))
    odd = make_logged_event(facts.exchange("C", "B"), PROGRAMME)
    values = [make_logged_event(event, PROGRAMME).SerializeToString() for event in events]
    return [
        *((PROGRAMME, value) for value in values),
        (OTHER, make_logged_event(facts.exchange("A", "B"), OTHER).SerializeToString()),
        (PROGRAMME, GARBAGE),
        (PROGRAMME, b""),
        (OTHER, make_logged_event(facts.exchange("A", "B"), PROGRAMME).SerializeToString()),
        (PROGRAMME, foreign.SerializeToString()),
        # Fields in another order, and one that this version does not know.
        (PROGRAMME, b"".join(reversed(split_fields(odd)))),
        (PROGRAMME, odd.SerializeToString() + b"\xc8\x06\x01"),
    ]


def make_logged_event(event: Event, programme: str) -> Event:
    """An event as a server puts it on the log."""
    logged_event = Event()
    logged_event.CopyFrom(event)
    logged_event.programme_id = programme
    normalize(logged_event)
    logged_event.recorded_by = "A"
    logged_event.assurance = ASSURANCE_OPEN
    return logged_event


def split_fields(event: Event) -> list[bytes]:
    """The fields of a message, one by one."""
    fields = []
    for field, _ in event.ListFields():
        alone = Event()
        alone.CopyFrom(event)
        for other, _ in event.ListFields():
            if other.name != field.name:
                alone.ClearField(other.name)  # type: ignore[arg-type]
        fields.append(alone.SerializeToString())
    return fields


def append_records(data: Path, values: Sequence[tuple[str, bytes]]) -> None:
    """Appends records a second and a bit apart."""
    data.mkdir(parents=True, exist_ok=True)
    now = START
    with closing(SqliteLog(data / "log.sqlite", clock=lambda: now)) as log:
        for programme, value in values:
            now += 1_000_001
            log.append(programme, [value]).result()


def read_log(data: Path) -> list[Record]:
    with closing(SqliteLog(data / "log.sqlite", read_only=True)) as log:
        return log.read(0, 10_000)


@contextmanager
def open_client(data: Path, programme: str = PROGRAMME) -> Iterator[Client]:
    with (
        serve_embedded(data, purpose="a test", write=False) as running,
        Client(running.address, programme=programme) as client,
    ):
        yield client


def read_answers(data: Path, programme: str = PROGRAMME) -> dict[str, Any]:
    """Every answer, without positions and the bytes of quarantined records."""
    with open_client(data, programme) as client:
        lists = {
            "exchanges": list(client.list_exchanges()),
            "balances": list(client.list_balances()),
            "pairs": list(client.list_pairs()),
            "organizations": list(client.list_organizations()),
            "batches": list(client.list_batches()),
            "quarantine": [clear_fields(each, "record") for each in client.list_quarantine()],
        }
        status = client.get_status()
    places = ("log_position", "projection_position", "position")
    return {**lists, "status": clear_fields(status, *places)}


def clear_fields(message: Message, *names: str) -> Message:
    for name in names:
        message.ClearField(name)
    return message
