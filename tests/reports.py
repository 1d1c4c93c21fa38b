"""Random reports of a few acts, each reported by several organizations."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn as Draw

from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_CALL,
    EXCHANGE_KIND_MESSAGE,
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_MONTH,
    REPORT_SIDE_GIVER,
    REPORT_SIDE_RECEIVER,
    REPORT_SIDE_THIRD_PARTY,
    REPORT_SIDE_UNSPECIFIED,
    ExchangeKind,
    OccurPrecision,
    ReportSide,
)
from tests.strategies import PROGRAMME, event_id

NAMES = ("alder", "birch", "cedar", "Alder Trust")
DAYS = (date(1969, 12, 1), date(2024, 3, 1), date(2024, 3, 1), date(2024, 3, 2))
GIVER, RECEIVER, THIRD = REPORT_SIDE_GIVER, REPORT_SIDE_RECEIVER, REPORT_SIDE_THIRD_PARTY


def report(
    number: int,
    givers: str,
    receivers: str = "",
    *,
    by: str = "",
    side: ReportSide.ValueType = REPORT_SIDE_UNSPECIFIED,
    day: date = DAYS[1],
    precision: OccurPrecision.ValueType = OCCUR_PRECISION_DAY,
    kind: ExchangeKind.ValueType = EXCHANGE_KIND_CALL,
) -> Event:
    """An exchange as one side reports it. ";" separates parties; without receivers it is joint."""
    event = Event(event_id=event_id(number), programme_id=PROGRAMME, recorded_by=by)
    event.occur_time.FromDatetime(datetime(day.year, day.month, day.day, tzinfo=UTC))
    event.occur_precision = precision
    content = event.exchange_recorded.exchange
    content.kind, content.reported_by = kind, side
    (content.giver_ids if receivers else content.party_ids).extend(sorted(givers.split(";")))
    content.receiver_ids.extend(sorted(receivers.split(";")) if receivers else ())
    return event


@st.composite
def report_histories(draw: Draw) -> list[Event]:
    """Repeated reports of a few acts, with aliases, corrections and retractions between them."""
    return [_fact(draw, number) for number in range(draw(st.integers(2, 16)))]


def _fact(draw: Draw, number: int) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    target = event_id(draw(st.integers(0, 5)))
    match draw(st.integers(0, 9)):
        case 0:
            event.alias_added.alias, event.alias_added.organization_id = NAMES[3], NAMES[0]
        case 1:
            event.exchange_retracted.exchange_id = target
        case 2:
            event = _draw_report(draw, number)
            content = event.exchange_recorded.exchange
            event.exchange_corrected.exchange_id = target
            event.exchange_corrected.exchange.CopyFrom(content)
        case _:
            event = _draw_report(draw, number)
    return event


def _draw_report(draw: Draw, number: int) -> Event:
    parties = draw(st.permutations(NAMES))
    givers, is_joint = draw(st.sampled_from((1, 1, 1, 2))), draw(st.integers(0, 3)) == 0
    is_coarse = draw(st.integers(0, 5)) == 0
    return report(
        number,
        ";".join(parties[: givers + is_joint]),
        "" if is_joint else parties[givers],
        by=draw(st.sampled_from(("", "centre", *NAMES))),
        side=draw(st.sampled_from((REPORT_SIDE_UNSPECIFIED, *ReportSide.values()))),
        day=DAYS[1] if is_coarse else draw(st.sampled_from(DAYS)),
        precision=OCCUR_PRECISION_MONTH if is_coarse else OCCUR_PRECISION_DAY,
        kind=draw(st.sampled_from((EXCHANGE_KIND_CALL,) * 4 + (EXCHANGE_KIND_MESSAGE,))),
    )
