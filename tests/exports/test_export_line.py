"""Every record has a line that is read as that record; an invalid line is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutua.v1.event_pb2 import Event
from services.adapters.wire.event import digest_event, read_record
from services.exports.export_line import InvalidLineError, format_record, read_line
from services.ledger.fact_registry import validate_fact
from services.ledger.records import Record
from tests.exports.recorded_logs import OTHER, PROGRAMME, START, make_logged_event, make_records
from tests.services import facts
from tests.strategies import histories

LATER = START + 1
EVENT = make_logged_event(facts.exchange(minutes=30), PROGRAMME)
LINE: dict[str, Any] = json.loads(
    format_record(Record(0, START, PROGRAMME, EVENT.SerializeToString()), {})
)


@pytest.mark.parametrize("index", range(len(make_records())))
def test_record_round_trips(index: int) -> None:
    programme, value = make_records()[index]
    line = read_line(format_record(record := Record(7, START, programme, value), {}).encode())
    before, after = read_logged_record(record), read_logged_record(line.record)
    assert line.record.offset == 7
    assert line.record.value.startswith(value)
    assert (after.event is None, after.digest) == (before.event is None, before.digest)
    assert line.has_own_time == (before.event is not None)
    if line.has_own_time:  # wherever the log says it was appended
        assert (
            read_logged_record(Record(7, LATER, programme, line.record.value)).record_time == START
        )
    else:
        assert line.record.value == value


def read_logged_record(record: Record) -> Any:
    return read_record(record.offset, record.record_time, record.programme_id, record.value)


@pytest.mark.parametrize("nanos", [0, 1, 999, 1_000, 999_999_999])
def test_record_with_own_time_round_trips(nanos: int) -> None:
    event = make_logged_event(facts.exchange(), PROGRAMME)
    event.record_time.FromNanoseconds(START * 1_000 + nanos)  # a server has whole microseconds
    value = event.SerializeToString()
    line = read_line(format_record(Record(0, LATER, PROGRAMME, value), {}).encode())
    assert line.record.record_time == START + nanos // 1_000
    assert line.record.value.startswith(value)
    assert read_logged_record(line.record).record_time == line.record.record_time


@given(histories(max_facts=6))
def test_readable_fact_round_trips(history: list[Event]) -> None:
    for event in history:
        record = Record(0, START, PROGRAMME, event.SerializeToString(deterministic=True))
        text = format_record(record, {})
        fact = read_logged_record(record).event
        if validate_fact(fact, now=START):
            with pytest.raises(InvalidLineError):
                read_line(text.encode())
            continue
        again = read_line(text.encode()).record
        assert again.value.startswith(record.value)
        assert digest_event(Event.FromString(again.value)) == digest_event(event)
        assert format_record(again, {}) == text
        # A replayed log appends at other times, and tells the same.
        assert format_record(Record(0, LATER, PROGRAMME, again.value), {}) == text


@given(st.binary(max_size=200))
def test_no_bytes_are_lost(value: bytes) -> None:
    line = read_line(format_record(Record(3, START, PROGRAMME, value), {}).encode())
    assert line.record == Record(3, START, PROGRAMME, value)


def test_line_uses_names_of_contract() -> None:
    assert list(LINE) == ["offset", "record_time", "programme_id", "event"]
    assert LINE["record_time"] == "2026-04-01T00:00:00.000000Z"
    assert LINE["event"]["exchange_recorded"]["exchange"]["giver_minutes"] == 30
    assert "record_time" not in LINE["event"]


def test_record_beyond_proto_json_is_base64() -> None:
    are_base64 = [
        "value" in json.loads(format_record(Record(0, START, programme, value), {}))
        for programme, value in make_records()
    ]
    assert are_base64 == [False] * 17 + [True, True, True, False, True, True]


def changed(**event: Any) -> dict[str, Any]:
    return {**LINE, "event": {**LINE["event"], **event}}


def exchange(**content: Any) -> dict[str, Any]:
    exchange_content = LINE["event"]["exchange_recorded"]["exchange"]
    return changed(exchange_recorded={"exchange": {**exchange_content, **content}})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "is no JSON"),
        ("[]", "is no record"),
        ("null", "is no record"),
        ("[" * 100_000, "is no JSON"),
        (json.dumps(LINE)[:-9], "is no JSON"),
        ({**LINE, "value": ""}, "is no record"),
        ({**LINE, "more": 1}, "is no record"),
        ({key: LINE[key] for key in ("offset", "record_time", "programme_id")}, "is no record"),
        ({**LINE, "offset": -1}, "offset"),
        ({**LINE, "offset": True}, "offset"),
        ({**LINE, "offset": 1.5}, "offset"),
        ({**LINE, "record_time": 5}, "record_time must be like"),
        ({**LINE, "record_time": "2025-11-24"}, "record_time must be like"),
        ({**LINE, "record_time": "2025-11-24T17:00:00.000000+01:00"}, "record_time must be like"),
        ({**LINE, "record_time": "1925-11-24T17:00:00.000000Z"}, "record_time must be like"),
        ({**LINE, "programme_id": 5}, "programme_id"),
        ({**LINE, "programme_id": OTHER}, "no fact of this programme"),
        ({**LINE, "programme_id": "No Programme"}, "no fact of this programme"),
        ({**LINE, "event": []}, "event must be an object"),
        ({**LINE, "event": {}}, "no fact of this programme"),
        (changed(what=1), "event cannot be read"),
        (changed(recorded_by="\ud800"), "event cannot be read"),
        (changed(record_time="2025-11-24T17:00:00Z"), "belongs in the field next to event"),
        (changed(event_id="1"), "event_id must be a UUID"),
        (changed(recorded_by="a\nb"), "recorded_by has a control character"),
        (changed(occur_time="2027-01-01T00:00:00Z"), "occur_time is more than a day ahead"),
        (exchange(giver_minutes=-1), "giver_minutes is -1"),
        (exchange(giver_ids=["B"]), "exchange_recorded.exchange.receiver_ids"),
        (exchange(giver_ids=[" A"]), "changed by hand"),
        (exchange(giver_ids=["C", "A"]), "changed by hand"),
        ({**LINE, "event": None}, "event must be an object"),
    ],
)
def test_invalid_line_is_refused_with_reason(line: Any, expected: str) -> None:
    text = line if isinstance(line, str) else json.dumps(line)
    with pytest.raises(InvalidLineError) as error_info:
        read_line(text.encode())
    assert expected in error_info.value.message


@pytest.mark.parametrize("value", ["&", "a", 5, None])
def test_invalid_base64_is_refused(value: Any) -> None:
    fields = {key: LINE[key] for key in ("offset", "record_time", "programme_id")}
    with pytest.raises(InvalidLineError, match="base64"):
        read_line(json.dumps({**fields, "value": value}).encode())
