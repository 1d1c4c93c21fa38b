"""`read_new_exchange` equals `read_record` where it accepts a record."""

from hypothesis import given, settings

from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import ASSURANCE_OPEN, EXCHANGE_KIND_CALL
from services.adapters.wire.event import read_record
from services.adapters.wire.new_exchange import read_new_exchange
from services.ledger.exchange import ExchangeRecorded
from services.ledger.new_exchange import NewExchange
from services.ledger.records import Record
from tests.strategies import PROGRAMME, denormalize, event_id, histories

_ENVELOPE = ("event_id", "occur_time", "occur_precision", "report_time", "visibility")
_SOURCE = ("client", "batch", "generation")
_EXCHANGE = (
    *("kind", "formality", "reported_by", "topics", "giver_ids", "receiver_ids", "party_ids"),
    *("giver_minutes", "receiver_minutes", "benefit_minutes"),
)


def make_record(event: Event) -> Record:
    return Record(7, 1_000, PROGRAMME, event.SerializeToString(deterministic=True))


def make_call() -> Event:
    event = Event(
        event_id=event_id(1),
        programme_id=PROGRAMME,
        recorded_by="alder",
        assurance=ASSURANCE_OPEN,
    )
    event.occur_time.FromJsonString("2024-03-04T10:00:00Z")
    content = event.exchange_recorded.exchange
    content.giver_ids.append("alder")
    content.receiver_ids.append("birch")
    content.kind = EXCHANGE_KIND_CALL
    return event


@settings(max_examples=300, deadline=None)
@given(histories())
def test_new_exchange_equals_recorded_exchange(events: list[Event]) -> None:
    for event in events:
        record = make_record(event)
        new_exchange = read_new_exchange(record)
        logged = read_record(record.offset, record.record_time, PROGRAMME, record.value)
        assert logged.event is not None
        fact = logged.event.fact
        plain = event.assurance == ASSURANCE_OPEN and b"\0" not in record.value
        assert (new_exchange is not None) == (plain and isinstance(fact, ExchangeRecorded))
        if new_exchange is not None:
            assert isinstance(fact, ExchangeRecorded)
            assert new_exchange == NewExchange(
                offset=logged.offset,
                record_time=logged.record_time,
                digest=logged.digest,
                value=logged.value,
                recorded_by=logged.event.recorded_by,
                **{name: getattr(logged.event, name) for name in _ENVELOPE},
                **{name: getattr(logged.event.source, name) for name in _SOURCE},
                **{name: getattr(fact.exchange, name) for name in _EXCHANGE},
            )


def test_read_new_exchange_rejects_other_records() -> None:
    assert read_new_exchange(make_record(make_call())) is not None
    assert read_new_exchange(make_record(denormalize(make_call()))) is None
    for change in (
        lambda event: event.ClearField("occur_time"),
        lambda event: setattr(event, "programme_id", "other"),
        lambda event: setattr(event, "assurance", 9),
        lambda event: setattr(event, "occur_precision", 9),
        lambda event: setattr(event, "visibility", 9),
        lambda event: setattr(event.occur_time, "nanos", -1),
        lambda event: setattr(event.occur_time, "seconds", 10**12),
        lambda event: setattr(event.exchange_recorded.exchange, "kind", 99),
        lambda event: event.exchange_recorded.exchange.ClearField("giver_ids"),
        lambda event: event.exchange_recorded.exchange.ClearField("receiver_ids"),
        lambda event: event.exchange_retracted.SetInParent(),
        lambda event: event.MergeFromString(b"\xfa\x3e\x01x"),  # a field of a newer version
    ):
        event = make_call()
        change(event)
        assert read_new_exchange(make_record(event)) is None
    assert read_new_exchange(Record(7, 1_000, PROGRAMME, b"\xff")) is None
