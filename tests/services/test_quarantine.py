"""ListQuarantine through gRPC: reason, remedy and resubmission of quarantined records."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from mutua import Client, MutuaError
from mutua.ids import resubmission_id
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import (
    QUARANTINE_REASON_EVENT_ID_REUSED,
    QUARANTINE_REASON_NOT_APPLICABLE,
    QUARANTINE_REASON_STALE_CORRECTION,
    QUARANTINE_REASON_UNREADABLE,
    QuarantinedRecord,
)
from services.adapters.sqlite.log import SqliteLog
from services.app.bootstrap import serve_embedded
from services.query.quarantine import REMEDIES
from tests.services import facts

Records = Callable[..., list[QuarantinedRecord]]
QuarantineEvent = Callable[[Event], QuarantinedRecord]


@pytest.fixture
def records(client: Client) -> Records:
    """The quarantine after every recorded fact was projected."""

    def records(**fields: Any) -> list[QuarantinedRecord]:
        end = client.get_status().log_position
        return list(client.list_quarantine(min_position=end, **fields))

    return records


@pytest.fixture
def quarantine_event(client: Client, records: Records) -> QuarantineEvent:
    """Records an event, and returns its quarantined record."""

    def quarantine_event(event: Event) -> QuarantinedRecord:
        client.record([event])
        return records()[-1]

    return quarantine_event


def test_quarantine_of_new_programme_is_empty(records: Records) -> None:
    assert records() == []


def stale(client: Client) -> Event:
    client.record([first := facts.exchange(), facts.correction(first, first.event_id)])
    return facts.correction(first, first.event_id, receiver="D")


def reused(client: Client) -> Event:
    client.record([first := facts.exchange()])
    return facts.exchange("X", "Y", event_id=first.event_id)


def alias_of_registered(client: Client) -> Event:
    client.record([facts.registration("A")])
    return facts.alias("A", "B")


@pytest.mark.parametrize(
    ("make", "reason", "detail", "remedy"),
    [
        (
            stale,
            QUARANTINE_REASON_STALE_CORRECTION,
            "the current revision is",
            "Look at the current revision",
        ),
        (
            reused,
            QUARANTINE_REASON_EVENT_ID_REUSED,
            "stands on the log with other content",
            "gets an id of its own",
        ),
        (
            alias_of_registered,
            QUARANTINE_REASON_NOT_APPLICABLE,
            "'A' is itself registered",
            "correct what the detail names",
        ),
    ],
)
def test_record_has_reason_detail_and_remedy(
    client: Client,
    quarantine_event: QuarantineEvent,
    make: Callable[[Client], Event],
    reason: int,
    detail: str,
    remedy: str,
) -> None:
    event = make(client)
    record = quarantine_event(event)
    assert record.reason == reason
    assert detail in record.detail
    assert remedy in record.remedy
    assert record.record_time.seconds > 0
    assert Event.FromString(record.record) == record.event
    event.recorded_by, event.assurance = record.event.recorded_by, record.event.assurance
    assert record.event == event
    assert record.resubmitted_as == ""


def test_every_reason_has_its_own_remedy() -> None:
    assert len(set(REMEDIES.values())) == len(REMEDIES) == 4


def test_record_is_resubmitted_once_log_has_its_resubmission_id(
    client: Client, quarantine_event: QuarantineEvent, records: Records
) -> None:
    record = quarantine_event(alias_of_registered(client))
    repaired = facts.alias("B", "A")
    repaired.event_id = resubmission_id(client.programme, record.record)
    client.record([repaired])
    assert [each.resubmitted_as for each in records()] == [repaired.event_id]
    client.record([repaired])  # counts once
    client.record([facts.alias("C", "A")])
    assert len(records()) == 1
    other = facts.alias("C", "A")
    other.event_id = repaired.event_id
    assert quarantine_event(other).reason == QUARANTINE_REASON_EVENT_ID_REUSED
    assert [each.resubmitted_as for each in records()] == [repaired.event_id, ""]


def test_resubmission_id_is_stable() -> None:
    assert resubmission_id("default", b"\xff") == "631db6b6-b040-8c27-8abe-5322d026cc1d"
    assert resubmission_id("other", b"\xff") != resubmission_id("default", b"\xff")
    assert resubmission_id("default", b"") != resubmission_id("default", b"\xff")


def test_equal_records_share_one_resubmission(
    client: Client, quarantine_event: QuarantineEvent, records: Records
) -> None:
    event = reused(client)
    one, other = quarantine_event(event), quarantine_event(event)
    assert one.offset < other.offset
    repaired = facts.exchange("X", "Y", event_id=resubmission_id(client.programme, one.record))
    client.record([repaired])
    assert [each.resubmitted_as for each in records()] == [repaired.event_id, repaired.event_id]


def test_records_are_in_log_order_across_pages(client: Client, records: Records) -> None:
    client.record([facts.registration("A"), *(facts.alias("A", f"B{n}") for n in range(7))])
    offsets = [each.offset for each in records()]
    assert offsets == sorted(offsets)
    assert len(offsets) == 7
    assert [each.offset for each in records(page_size=2)] == offsets
    assert [each.offset for each in records(offsets=[offsets[5], 10**12, offsets[1]])] == [
        offsets[1],
        offsets[5],
    ]
    assert records(offsets=[10**12]) == []


def test_more_offsets_than_a_page_are_refused(records: Records) -> None:
    with pytest.raises(MutuaError) as raised:
        records(offsets=list(range(10_001)))
    assert (raised.value.code, raised.value.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "QUESTION_IMPOSSIBLE",
    )
    assert raised.value.field_violations[0].field == "offsets"


@pytest.fixture(scope="module")
def unreadable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[QuarantinedRecord]]:
    """The quarantined records of a log with values from another program."""
    data: Path = tmp_path_factory.mktemp("data")
    event = facts.exchange(programme="default", minutes=1)
    untimed = Event()
    untimed.CopyFrom(event)
    untimed.occur_time.seconds = 10**15
    elsewhere = facts.exchange(programme="elsewhere")
    elsewhere.record_time.seconds = 5
    with closing(SqliteLog(data / "log.sqlite")) as log:
        values = [b"\xff\xff", b"", untimed.SerializeToString(), elsewhere.SerializeToString()]
        log.append("default", values).result()
    with (
        serve_embedded(data, purpose="a test", write=False) as running,
        Client(running.address) as client,
    ):
        yield list(client.list_quarantine())


def test_unreadable_record_has_its_readable_fields(
    unreadable: list[QuarantinedRecord],
) -> None:
    assert {each.reason for each in unreadable} == {QUARANTINE_REASON_UNREADABLE}
    assert [each.offset for each in unreadable] == [0, 1, 2, 3]
    assert [each.HasField("event") for each in unreadable] == [False, False, True, True]
    assert [each.record[:2] for each in unreadable] == [b"\xff\xff", b"", b"\x0a$", b"\x0a$"]
    untimed, elsewhere = unreadable[2].event, unreadable[3].event
    assert untimed.exchange_recorded.exchange.giver_minutes == 1
    assert not untimed.HasField("occur_time")  # proto JSON cannot represent it
    assert (elsewhere.programme_id, elsewhere.HasField("record_time")) == ("elsewhere", False)
