"""The part of a ledger that a question is about: exchanges, organizations and amounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, timedelta

from mutua.v1.event_pb2 import ExchangeContent, OrganizationContent
from mutua.v1.query_service_pb2 import (
    IDENTITY_AS_WAS,
    IDENTITY_RECORDED,
    LENS_ATTENTION,
    LENS_BENEFIT,
    LENS_BURDEN,
    POPULATION_ACTIVE,
    POPULATION_ROSTER,
    POPULATION_UNSPECIFIED,
    Lens,
    Question,
)
from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    REPORT_SIDE_GIVER,
    REPORT_SIDE_RECEIVER,
    REPORT_SIDE_UNSPECIFIED,
    Date,
    OccurPrecision,
)
from tests.oracle.fold import OracleLedger

MILLION = 1_000_000
MINUTE_LENSES = (LENS_BURDEN, LENS_ATTENTION, LENS_BENEFIT)
PERIOD_MONTHS = {OCCUR_PRECISION_MONTH: 1, OCCUR_PRECISION_QUARTER: 3}
SUPPORTED_FIELDS = {
    "programme_id",
    "lens",
    "allocation",
    "from_date",
    "to_date",
    "kinds",
    "formalities",
    "topics",
    "organization_ids",
    "identity",
    "population",
    "as_of_date",
}


class Selection:
    """The part of a ledger that a question is about."""

    def __init__(self, ledger: OracleLedger, question: Question) -> None:
        _refuse_what_the_oracle_does_not_answer(question)
        self.ledger = ledger
        self.question = question
        self.from_day = _day(question.from_date) if question.HasField("from_date") else date.min
        self.to_day = _day(question.to_date) if question.HasField("to_date") else date.max
        self.requested_ids = {self.resolve_id(name) for name in question.organization_ids}
        self.exchanges = [
            self.resolve_exchange(exchange)
            for exchange in list_standing_exchanges(ledger)
            if self.is_in_window(exchange) and self.matches(exchange)
        ]
        self.measured = [each for each in self.exchanges if not is_internal(each.content)]
        self.directed = [each for each in self.measured if not each.content.party_ids]

    def is_in_window(self, exchange: StandingExchange) -> bool:
        return self.from_day <= exchange.first_day < self.to_day

    def resolve_exchange(self, exchange: StandingExchange) -> StandingExchange:
        """The exchange between organizations: ids are resolved, and sides are sets."""
        content = ExchangeContent()
        content.CopyFrom(exchange.content)
        for ids in (content.giver_ids, content.receiver_ids, content.party_ids):
            ids[:] = sorted({self.resolve_id(each) for each in ids})
        return replace(exchange, content=content, recorded_by=self.resolve_id(exchange.recorded_by))

    def resolve_id(self, recorded_id: str) -> str:
        if self.question.identity == IDENTITY_RECORDED:
            return recorded_id
        return self.ledger.resolve(recorded_id)

    def matches(self, exchange: StandingExchange) -> bool:
        """Whether the exchange has a value of every filter that is set."""
        content, question = exchange.content, self.question
        if question.kinds and content.kind not in set(question.kinds):
            return False
        if question.formalities and content.formality not in set(question.formalities):
            return False
        return not question.topics or bool(set(question.topics) & set(content.topics))

    def is_requested(self, organization_id: str) -> bool:
        return not self.requested_ids or organization_id in self.requested_ids

    def find_population(self) -> set[str]:
        """Who the question is about: the roster in force when anybody is registered, else the
        parties of the window, unless it says otherwise."""
        of_whom = self.question.population
        if of_whom == POPULATION_UNSPECIFIED:
            of_whom = POPULATION_ROSTER if self.ledger.roster else POPULATION_ACTIVE
        outsiders = {
            self.resolve_id(organization.organization_id)
            for organization in self.ledger.roster.values()
            if organization.role == "boundary"
        }
        if of_whom == POPULATION_ROSTER:
            return self.find_roster_ids()
        if of_whom == POPULATION_ACTIVE:
            return self.find_parties() - outsiders
        everybody = (
            list_party_ids(self.resolve_exchange(each))
            for each in list_standing_exchanges(self.ledger)
        )
        return set().union(*everybody) - outsiders

    def find_isolates(self) -> set[str]:
        """Members of the population without an exchange in the window."""
        in_window = [
            each for each in list_standing_exchanges(self.ledger) if self.is_in_window(each)
        ]
        return self.find_population() - {
            party for each in in_window for party in list_party_ids(self.resolve_exchange(each))
        }

    def find_roster_ids(self) -> set[str]:
        return {
            self.resolve_id(organization.organization_id)
            for organization in self.ledger.roster.values()
            if organization.role != "boundary" and self.is_in_force(organization)
        }

    def is_in_force(self, organization: OrganizationContent) -> bool:
        has_open, has_close = (
            organization.HasField("open_date"),
            organization.HasField("close_date"),
        )
        open_day = _day(organization.open_date) if has_open else date.min
        closed = _day(organization.close_date) if has_close else date.max
        return max(open_day, self.from_day) < min(closed, self.to_day)

    def find_parties(self) -> set[str]:
        return {party for exchange in self.exchanges for party in list_party_ids(exchange)}

    def get_quantity(self, content: ExchangeContent) -> int | None:
        """The amount of the exchange under the lens; None if unknown."""
        if self.question.lens not in MINUTE_LENSES:
            return MILLION
        minutes = get_minutes(self.question.lens, content)
        return None if minutes is None else minutes * MILLION

    def split_shares(self, content: ExchangeContent) -> Counter[tuple[str, str]]:
        """The amount divided over all edges, by giver and receiver; empty if unknown."""
        shares: Counter[tuple[str, str]] = Counter()
        givers, receivers = sorted(content.giver_ids), sorted(content.receiver_ids)
        quantity = self.get_quantity(content) or 0
        if self.question.lens not in MINUTE_LENSES:
            shares.update(
                {(giver, receiver): MILLION for giver in givers for receiver in receivers}
            )
        elif self.question.lens == LENS_BURDEN:
            for giver, own in _split(quantity, givers).items():
                for receiver, share in _split(own, receivers).items():
                    shares[giver, receiver] = share
        else:
            for receiver in receivers:
                for giver, share in _split(quantity, givers).items():
                    shares[giver, receiver] = share
        return shares

    def is_straddling(self, exchange: StandingExchange) -> bool:
        starts, ends = exchange.first_day, exchange.end_day
        touches = max(starts, self.from_day) < min(ends, self.to_day) and self.matches(exchange)
        return touches and not (self.from_day <= starts and ends <= self.to_day)


def list_party_ids(exchange: StandingExchange) -> set[str]:
    content = exchange.content
    return {*content.giver_ids, *content.receiver_ids, *content.party_ids}


def is_internal(content: ExchangeContent) -> bool:
    """Whether the sides share an organization, or all parties are one organization."""
    shared = set(content.giver_ids) & set(content.receiver_ids)
    return bool(shared) or len(content.party_ids) == 1


def find_reporters(exchange: StandingExchange) -> set[str]:
    """The recorder where it is a party, and everybody on the side that reported: the side that is
    named, or that of the recorder where none is named."""
    content, recorder = exchange.content, exchange.recorded_by
    reporting = {recorder} & list_party_ids(exchange)
    for side, ids in (
        (REPORT_SIDE_GIVER, content.giver_ids),
        (REPORT_SIDE_RECEIVER, content.receiver_ids),
    ):
        unnamed = content.reported_by == REPORT_SIDE_UNSPECIFIED
        if content.reported_by == side or (unnamed and recorder in ids):
            reporting |= set(ids)
    return reporting


@dataclass(frozen=True, slots=True)
class StandingExchange:
    """An exchange that is not retracted, by its current revision. Its period is
    [first_day, end_day)."""

    content: ExchangeContent
    recorded_by: str
    first_day: date
    end_day: date
    is_dated: bool
    instant: int
    """The first instant of its occurrence, in microseconds."""


def list_standing_exchanges(ledger: OracleLedger) -> list[StandingExchange]:
    """The exchanges that are not retracted, in the order in which they were first applied."""
    if ledger.standing_exchanges is None:
        ledger.standing_exchanges = _list_standing_exchanges(ledger)
    return ledger.standing_exchanges


def _list_standing_exchanges(ledger: OracleLedger) -> list[StandingExchange]:
    exchanges = []
    for exchange in ledger.exchanges.values():
        if exchange.is_retracted:
            continue
        event = exchange.revisions[-1]
        first_day = event.occur_time.ToDatetime(tzinfo=UTC).date()
        corrected = event.HasField("exchange_corrected")
        fact = event.exchange_corrected if corrected else event.exchange_recorded
        end_day = _period_end(first_day, event.occur_precision)
        dated = event.occur_precision <= OCCUR_PRECISION_DAY
        exchanges.append(
            StandingExchange(
                fact.exchange,
                event.recorded_by,
                first_day,
                end_day,
                dated,
                event.occur_time.ToMicroseconds(),
            )
        )
    return exchanges


def _period_end(first_day: date, precision: OccurPrecision.ValueType) -> date:
    if precision not in PERIOD_MONTHS:
        return first_day + timedelta(days=1)
    months = first_day.year * 12 + first_day.month - 1 + PERIOD_MONTHS[precision]
    return date(months // 12, months % 12 + 1, 1)


def get_minutes(lens: Lens.ValueType, content: ExchangeContent) -> int | None:
    """Whole minutes; None when unknown. Giver minutes under count."""
    if lens == LENS_ATTENTION:
        return content.receiver_minutes if content.HasField("receiver_minutes") else None
    if lens == LENS_BENEFIT:
        return content.benefit_minutes if content.HasField("benefit_minutes") else None
    return content.giver_minutes if content.HasField("giver_minutes") else None


def _split(quantity: int, organization_ids: Iterable[str]) -> dict[str, int]:
    """Equal whole parts; the remainder goes to the first parts, one unit each."""
    bearers = sorted(organization_ids)
    part, left_over = divmod(quantity, len(bearers))
    return {bearer: part + (place < left_over) for place, bearer in enumerate(bearers)}


def _day(day: Date) -> date:
    return date(day.year, day.month, day.day)


def _refuse_what_the_oracle_does_not_answer(question: Question) -> None:
    unknown = {descriptor.name for descriptor, _ in question.ListFields()} - SUPPORTED_FIELDS
    if unknown or question.identity == IDENTITY_AS_WAS:
        raise NotImplementedError(f"the oracle does not answer {unknown or 'identity as_was'}")
