"""Generates the exchanges of the demo programme, day by day, and when each is recorded."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple

from mutua.ids import uuid7_of
from mutua.v1 import types_pb2 as enums
from mutua.v1.event_pb2 import (
    Event,
    ExchangeContent,
    ExchangeCorrected,
    ExchangeRecorded,
    ExchangeRetracted,
    OrganizationContent,
    OrganizationRegistered,
    PairingChoice,
    PairingFormed,
)
from services.demo import CLIENT, calendar, sharing_model
from services.demo.parties import Parties
from services.demo.roster import read_roster

EXCHANGE_COUNT: Final = 560
EXCHANGES_PER_CORRECTION: Final = 70
EXCHANGES_PER_DOUBLE_CORRECTION: Final = 350
FORGOTTEN_MINUTES: Final = 15
EXCHANGES_PER_RETRACTION: Final = 120
STARTS_PER_NEWCOMER: Final = 6  # until every organization has taken part
MIN_DAYS_APART: Final = 31  # wider than the window for possible double reports
PAIRING_DAYS: Final = (0, 30, 60)  # on which pairings begin
PAIRING_CHOICES: Final = (
    PairingChoice.PAIRING_CHOICE_THEMSELVES,
    PairingChoice.PAIRING_CHOICE_CENTRE,
    PairingChoice.PAIRING_CHOICE_UNSPECIFIED,
    PairingChoice.PAIRING_CHOICE_THEMSELVES,
)

OFFICE: Final = ""  # the programme office records for no organization
RECORDING_INTERVAL_DAYS: Final = 28  # each organization records on one of these days


class DemoFact(NamedTuple):
    """A fact to record. Facts sort in log order: by day, then by organization."""

    recording_day: int
    organization: str
    number: int  # a fact only refers to facts with smaller numbers
    event: Event


@dataclass(frozen=True, slots=True)
class _Draft:
    """An exchange that is not recorded yet."""

    day: int
    content: ExchangeContent
    newcomer: str | None = None
    reason: DemoFact | None = None


class DemoHistory:
    """Draws exchanges in the order they happen.

    Exchanges of the same parties and kind are MIN_DAYS_APART, so that none looks like a second
    report of another.
    """

    def __init__(self, *, seed: int, scale: int, programme: str) -> None:
        copies = max(1, round(math.sqrt(scale)))
        self._random = Random(f"{seed}/{scale}")
        self._id_parts = ("demo", str(seed), str(scale))
        self._programme = programme
        self._target = EXCHANGE_COUNT * scale
        self._roster = read_roster(copies=copies)
        self._parties = Parties(self._random, self._roster, copies=copies)
        self._newcomers = self._parties.active.copy()
        self._log_turns = {each.organization_id: turn for turn, each in enumerate(self._roster)}
        self._log_turns[OFFICE] = RECORDING_INTERVAL_DAYS - 1
        self._follow_ups: list[tuple[int, int, DemoFact]] = []  # day, number of the reason, reason
        self._last_days: dict[tuple[object, ...], int] = {}
        self._fact_count = self._exchange_count = self._start_count = self._retracted_count = 0

    def generate_days(self) -> Iterator[tuple[int, list[DemoFact]]]:
        """Yields every day with its facts, each of which is recorded on that day or later."""
        yield -1, [self._register(each) for each in self._roster]
        yield -1, [self._pair(*each) for each in enumerate(self._parties.pairs)]
        for day in range(calendar.DAY_COUNT):
            if day % 7 < 5:  # day 0 is a Monday
                yield day, list(self._generate_day(day))
            if day % RECORDING_INTERVAL_DAYS == 0:
                oldest = day - MIN_DAYS_APART - calendar.LONGEST_PERIOD_DAYS
                self._last_days = {k: v for k, v in self._last_days.items() if v >= oldest}

    def _register(self, content: OrganizationContent) -> DemoFact:
        event = Event(organization_registered=OrganizationRegistered(organization=content))
        event.report_time.CopyFrom(calendar.to_timestamp(0))
        return self._make_fact(OFFICE, -1, event)

    def _pair(self, number: int, pair: tuple[str, str]) -> DemoFact:
        """Binds an exemplar and its follower from the start of one of the first months on."""
        exemplar, follower = pair
        pairing = PairingFormed(
            a=exemplar,
            b=follower,
            from_date=calendar.to_date(PAIRING_DAYS[number % len(PAIRING_DAYS)]),
            chosen_by=PAIRING_CHOICES[number % len(PAIRING_CHOICES)],
        )
        event = Event(pairing_formed=pairing)
        event.report_time.CopyFrom(calendar.to_timestamp(0))
        return self._make_fact(OFFICE, -1, event)

    def _generate_day(self, day: int) -> Iterator[DemoFact]:
        due_count = self._target * (day + 1) // calendar.DAY_COUNT
        while self._exchange_count < due_count:
            draft = self._continue(day) or self._begin(day)
            precision = sharing_model.draw_precision(self._random, draft.content.kind)
            first_day, last_day = calendar.find_period(day, precision)
            report_key = _make_report_key(draft.content)
            if first_day - self._last_days.get(report_key, -calendar.DAY_COUNT) < MIN_DAYS_APART:
                continue
            self._last_days[report_key] = last_day
            yield from self._record(draft, first_day, precision)

    def _begin(self, day: int) -> _Draft:
        is_turn = self._start_count % STARTS_PER_NEWCOMER == 0
        newcomer = self._newcomers[-1] if self._newcomers and is_turn else None
        content = self._parties.draw(sharing_model.draw_kind(self._random), newcomer=newcomer)
        sharing_model.fill_in(self._random, content)
        return _Draft(day, content, newcomer)

    def _continue(self, day: int) -> _Draft | None:
        if not self._follow_ups or self._follow_ups[0][0] > day:
            return None
        reason = heappop(self._follow_ups)[-1]
        cause = reason.event.exchange_recorded.exchange
        content = ExchangeContent(
            kind=sharing_model.FOLLOW_UPS[cause.kind][0],
            giver_ids=cause.giver_ids,
            receiver_ids=cause.receiver_ids,
            topics=cause.topics,
            arose_from_id=reason.event.event_id,
        )
        sharing_model.fill_in(self._random, content)
        return _Draft(day, content, reason=reason)

    def _record(
        self, draft: _Draft, first_day: int, precision: sharing_model.Precision
    ) -> Iterator[DemoFact]:
        self._exchange_count += 1
        self._start_count += draft.reason is None
        if draft.newcomer:
            self._newcomers.pop()
        recorder = self._draw_recorder(draft)
        if draft.content.giver_ids and self._random.random() < sharing_model.REPORT_SIDE_ODDS:
            draft.content.reported_by = self._find_side(recorder, draft.content)
        report_day = draft.day + sharing_model.draw_delay_days(self._random)
        if draft.reason:
            same_recorder = recorder == draft.reason.organization
            report_day = max(report_day, draft.reason.recording_day + (not same_recorder))
        is_exact = precision == enums.OCCUR_PRECISION_EXACT
        minute = self._random.choice(sharing_model.WORKING_MINUTES) if is_exact else 0
        event = Event(
            occur_time=calendar.to_timestamp(first_day, minute),
            occur_precision=precision,
            exchange_recorded=ExchangeRecorded(exchange=draft.content),
        )
        if recorder == OFFICE:
            reported_day = min(report_day, calendar.AS_OF_DAY)
            event.report_time.CopyFrom(calendar.to_timestamp(reported_day, calendar.EVENING))
            event.source.batch = "programme-office"
            event.source.generation = 1
            event.source.reference = str(self._exchange_count)
        yield (fact := self._make_fact(recorder, report_day, event))
        yield from self._follow_through(fact, draft)

    def _draw_recorder(self, draft: _Draft) -> str:
        """Draws who records an exchange: a party that is not silent, or the programme office.

        A newcomer that gives records its first exchange itself.
        """
        content = draft.content
        giver, receiver, *_ = (*content.giver_ids, *content.receiver_ids, *content.party_ids)
        recorder = giver
        luck = self._random.random()
        if draft.newcomer == giver:
            return giver
        if luck < sharing_model.OFFICE_RECORDS_ODDS:
            recorder = OFFICE
        elif (
            luck > 1 - sharing_model.RECEIVER_RECORDS_ODDS
            and content.kind != enums.EXCHANGE_KIND_WEBINAR
        ):
            recorder = receiver
        return OFFICE if recorder in self._parties.silent else recorder

    def _find_side(self, recorder: str, content: ExchangeContent) -> enums.ReportSide.ValueType:
        if recorder in content.receiver_ids:
            return enums.REPORT_SIDE_RECEIVER
        # A silent organization does not report to the office either.
        if content.giver_ids[0] in self._parties.silent:
            return enums.REPORT_SIDE_THIRD_PARTY
        return enums.REPORT_SIDE_GIVER

    def _follow_through(self, fact: DemoFact, draft: _Draft) -> Iterator[DemoFact]:
        """Plans a follow-up, or yields a correction or a retraction; mostly none of them."""
        retractions_due = self._exchange_count // EXCHANGES_PER_RETRACTION
        _, odds = sharing_model.FOLLOW_UPS.get(draft.content.kind, (None, 0.0))
        is_followed = self._random.random() < odds
        if is_followed:
            days = self._random.randint(*sharing_model.FOLLOW_UP_DELAY_DAYS)
            heappush(self._follow_ups, (draft.day + days, fact.number, fact))
        if self._exchange_count % EXCHANGES_PER_CORRECTION == 0:
            yield from self._correct(fact)
        elif not draft.newcomer and not is_followed and retractions_due > self._retracted_count:
            self._retracted_count += 1
            yield self._retract(fact)

    def _correct(self, fact: DemoFact) -> Iterator[DemoFact]:
        """Adds forgotten minutes in one correction, sometimes in two."""
        content = ExchangeContent()
        content.CopyFrom(fact.event.exchange_recorded.exchange)
        replaced = fact
        for _ in range(2 if self._exchange_count % EXCHANGES_PER_DOUBLE_CORRECTION == 0 else 1):
            content.giver_minutes += FORGOTTEN_MINUTES
            event = Event(
                occur_time=fact.event.occur_time,
                occur_precision=fact.event.occur_precision,
                exchange_corrected=ExchangeCorrected(
                    exchange_id=fact.event.event_id,
                    exchange=content,
                    replaces_event_id=replaced.event.event_id,
                ),
            )
            replaced = self._make_later_fact(replaced, event)
            yield replaced

    def _retract(self, fact: DemoFact) -> DemoFact:
        retracted = ExchangeRetracted(
            exchange_id=fact.event.event_id,
            reason=enums.Text(plain="It was planned and called off."),
        )
        return self._make_later_fact(fact, Event(exchange_retracted=retracted))

    def _make_later_fact(self, fact: DemoFact, event: Event) -> DemoFact:
        days = self._random.randint(*sharing_model.CORRECTION_DELAY_DAYS)
        return self._make_fact(fact.organization, fact.recording_day + days, event)

    def _make_fact(self, organization: str, report_day: int, event: Event) -> DemoFact:
        """Makes a fact that is recorded on the organization's first recording day from a day on."""
        self._fact_count += 1
        wait_days = (self._log_turns[organization] - report_day) % RECORDING_INTERVAL_DAYS
        recording_day = report_day + wait_days
        recording_ms = calendar.to_timestamp(recording_day, calendar.EVENING).ToMilliseconds()
        # Ids ordered by time are appended to the index of event ids, as those of clients are.
        event.event_id = uuid7_of(recording_ms, *self._id_parts, str(self._fact_count))
        event.programme_id = self._programme
        event.source.client = CLIENT
        return DemoFact(recording_day, organization, self._fact_count, event)


def _make_report_key(content: ExchangeContent) -> tuple[object, ...]:
    """A key that is equal for exchanges which could be two reports of one."""
    receivers = sorted((*content.receiver_ids, *content.party_ids))
    return (content.kind, *content.giver_ids, "to", *receivers)
