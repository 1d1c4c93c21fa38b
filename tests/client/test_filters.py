"""Filters as keyword arguments become fields of the question, or an error with its remedy."""

import inspect
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from mutua import Client, MutuaError
from mutua.v1.query_service_pb2 import (
    LENS_ATTENTION,
    LENS_BURDEN,
    REPORT_VIEW_GIVER_REPORTED,
    AttributeFilter,
    ListBalancesResponse,
    Question,
)
from mutua.v1.types_pb2 import EXCHANGE_KIND_CALL, EXCHANGE_KIND_SHARED_CONFIGURATION, Date
from tests.client.scripted_server import ScriptedServer

NAIVE = datetime.fromisoformat("2026-03-02T09:30:00")


def send_question(client: Client, server: ScriptedServer, *args: Any, **filters: Any) -> Question:
    """The question that `list_balances` sends."""
    server.answers = [ListBalancesResponse()]
    list(client.list_balances(*args, **filters))
    question: Question = server.requests[-1].question
    return question


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (date(2026, 3, 2), (2026, 3, 2)),
        ("2026-03-02", (2026, 3, 2)),
        (" 2026-03 ", (2026, 3, 1)),
        ("2026-Q2", (2026, 4, 1)),
        ("2026-q4", (2026, 10, 1)),
        (Date(year=2026, month=3, day=2), (2026, 3, 2)),
    ],
)
@pytest.mark.parametrize("name", ["from_date", "to_date", "as_of_date"])
def test_date_filter_accepts_dates_and_periods(
    client: Client, server: ScriptedServer, name: str, value: object, day: tuple[int, int, int]
) -> None:
    year, month, number = day
    expected = Question(
        programme_id="gde",
        **{name: Date(year=year, month=month, day=number)},  # type: ignore[arg-type]
    )
    assert send_question(client, server, **{name: value}) == expected


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (datetime(2026, 3, 2, 11, 30, tzinfo=timezone(timedelta(hours=2))), "2026-03-02T09:30:00Z"),
        ("2026-03-02T09:30:00Z", "2026-03-02T09:30:00Z"),
        ("2026-03-02T11:30:00+02:00", "2026-03-02T09:30:00Z"),
        (date(2026, 3, 2), "2026-03-02T23:59:59.999999Z"),
        ("2026-03-02", "2026-03-02T23:59:59.999999Z"),
        (Timestamp(seconds=5), "1970-01-01T00:00:05Z"),
    ],
)
def test_time_filter_accepts_datetimes_and_days(
    client: Client, server: ScriptedServer, value: object, moment: str
) -> None:
    question = send_question(client, server, known_at=value)
    assert question.known_at.ToJsonString() == moment


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"lens": "burden"}, Question(lens=LENS_BURDEN)),
        ({"lens": LENS_BURDEN}, Question(lens=LENS_BURDEN)),
        ({"lens": "LENS_BURDEN"}, Question(lens=LENS_BURDEN)),
        ({"report_view": "giver_reported"}, Question(report_view=REPORT_VIEW_GIVER_REPORTED)),
        ({"kinds": "call"}, Question(kinds=[EXCHANGE_KIND_CALL])),
        (
            {"kinds": ["Shared-Configuration", EXCHANGE_KIND_CALL]},
            Question(kinds=[EXCHANGE_KIND_SHARED_CONFIGURATION, EXCHANGE_KIND_CALL]),
        ),
        ({"topics": "interfaces"}, Question(topics=["interfaces"])),
        ({"organization_ids": ("a", "b")}, Question(organization_ids=["a", "b"])),
        (
            {"where": {"region": "Y55"}},
            Question(where=[AttributeFilter(attribute="region", value="Y55")]),
        ),
        (
            {"where": [AttributeFilter(attribute="region", value="Y55")]},
            Question(where=[AttributeFilter(attribute="region", value="Y55")]),
        ),
        ({"lens": None, "topics": None, "from_date": None, "where": None}, Question()),
    ],
)
def test_filter_accepts_words_numbers_and_lists(
    client: Client, server: ScriptedServer, filters: dict[str, Any], expected: Question
) -> None:
    expected.programme_id = "gde"
    assert send_question(client, server, **filters) == expected


def test_filter_replaces_field_of_question(client: Client, server: ScriptedServer) -> None:
    before = Question(lens=LENS_BURDEN, topics=["a", "b"], programme_id="other")
    question = send_question(client, server, before, lens="attention", topics="c", from_date=None)
    assert question == Question(lens=LENS_ATTENTION, topics=["c"], programme_id="other")
    assert before.topics == ["a", "b"], "the given question is unchanged"


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"from_date": "02/03/2026"}, "'02/03/2026' is not a date: give a datetime.date, or text"),
        ({"to_date": "2026-02-30"}, "not in the calendar"),
        ({"to_date": "2026-13"}, "not in the calendar"),
        ({"as_of_date": 2026}, "2026 is not a date"),
        ({"from_date": NAIVE}, r"give its day, datetime.date\(2026, 3, 2\)"),
        ({"known_at": "2026-03"}, "'2026-03' is not a time"),
        ({"known_at": NAIVE}, "has no time zone"),
        ({"lens": "bruden"}, "'bruden' is none of count, burden, attention, benefit"),
        ({"lens": 9}, "9 is none of count"),
        ({"kinds": ["call", "phone"]}, "'phone' is none of document, message, call"),
        ({"topics": ["a", 1]}, "1 is not text"),
        ({"where": "region=Y55"}, "give it like"),
    ],
)
def test_invalid_filter_is_named_with_its_remedy(
    client: Client, server: ScriptedServer, filters: dict[str, Any], words: str
) -> None:
    [name] = filters
    with pytest.raises(MutuaError, match=words) as raised:
        client.list_balances(**filters)
    assert raised.value.message.startswith(f"{name}: ")
    assert raised.value.code is StatusCode.INVALID_ARGUMENT
    assert raised.value.reason == "QUESTION_IMPOSSIBLE"
    assert [each.field for each in raised.value.field_violations] == [f"question.{name}"]
    assert server.requests == []


def test_unknown_filter_is_refused(client: Client) -> None:
    with pytest.raises(TypeError, match=r"no filter 'lense'; there are lens, allocation, from_"):
        client.list_balances(lense="burden")  # type: ignore[call-arg]


def test_signature_defaults_are_neutral() -> None:
    """The defaults of the signature mean that a filter is absent."""
    for name, parameter in inspect.signature(Client.list_balances).parameters.items():
        if name != "self":
            assert parameter.default in (None, "", 0), name
