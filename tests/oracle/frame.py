"""The part of a ledger that a question is about: which exchanges, which organizations, how much."""

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
from tests.oracle.fold import Ledger

ONE = 1_000_000
MINUTE_LENSES = (LENS_BURDEN, LENS_ATTENTION, LENS_BENEFIT)
MONTHS = {OCCUR_PRECISION_MONTH: 1, OCCUR_PRECISION_QUARTER: 3}
ANSWERED = {
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


class Frame:
    """The part of a ledger that a question is about, and the names it is told in."""

    def __init__(self, ledger: Ledger, question: Question) -> None:
        _refuse_what_the_oracle_does_not_answer(question)
        self.ledger = ledger
        self.question = question
        self.from_day = _day(question.from_date) if question.HasField("from_date") else date.min
        self.to_day = _day(question.to_date) if question.HasField("to_date") else date.max
        self.asked_ids = {self.organization(name) for name in question.organization_ids}
        self.exchanges = [
            self.resolved(exchange)
            for exchange in standing(ledger)
            if self.in_window(exchange) and self.asks_for(exchange)
        ]
        self.measured = [each for each in self.exchanges if not is_internal(each.content)]
        self.directed = [each for each in self.measured if not each.content.party_ids]

    def in_window(self, exchange: Standing) -> bool:
        return self.from_day <= exchange.first_day < self.to_day

    def resolved(self, exchange: Standing) -> Standing:
        """The exchange between organizations: every id resolved, every side a set again."""
        content = ExchangeContent()
        content.CopyFrom(exchange.content)
        for ids in (content.giver_ids, content.receiver_ids, content.party_ids):
            ids[:] = sorted({self.organization(each) for each in ids})
        return replace(
            exchange, content=content, recorded_by=self.organization(exchange.recorded_by)
        )

    def organization(self, recorded_id: str) -> str:
        if self.question.identity == IDENTITY_RECORDED:
            return recorded_id
        return self.ledger.resolve(recorded_id)

    def asks_for(self, exchange: Standing) -> bool:
        """Every filter that is set has to let the exchange through, one of its values is enough."""
        content, question = exchange.content, self.question
        if question.kinds and content.kind not in set(question.kinds):
            return False
        if question.formalities and content.formality not in set(question.formalities):
            return False
        return not question.topics or bool(set(question.topics) & set(content.topics))

    def asks_about(self, organization_id: str) -> bool:
        return not self.asked_ids or organization_id in self.asked_ids

    def population(self) -> set[str]:
        """Who the question is about: the roster in force when anybody is registered, else the
        parties of the window, unless it says otherwise."""
        of_whom = self.question.population
        if of_whom == POPULATION_UNSPECIFIED:
            of_whom = POPULATION_ROSTER if self.ledger.roster else POPULATION_ACTIVE
        outsiders = {
            self.organization(organization.organization_id)
            for organization in self.ledger.roster.values()
            if organization.role == "boundary"
        }
        if of_whom == POPULATION_ROSTER:
            return self.roster_ids()
        if of_whom == POPULATION_ACTIVE:
            return self.parties() - outsiders
        everybody = (parties_of(self.resolved(each)) for each in standing(self.ledger))
        return set().union(*everybody) - outsiders

    def isolates(self) -> set[str]:
        """Of the population, those that nobody saw in any exchange of the window."""
        in_window = [each for each in standing(self.ledger) if self.in_window(each)]
        return self.population() - {
            party for each in in_window for party in parties_of(self.resolved(each))
        }

    def roster_ids(self) -> set[str]:
        return {
            self.organization(organization.organization_id)
            for organization in self.ledger.roster.values()
            if organization.role != "boundary" and self.in_force(organization)
        }

    def in_force(self, organization: OrganizationContent) -> bool:
        has_open, has_close = (
            organization.HasField("open_date"),
            organization.HasField("close_date"),
        )
        opened = _day(organization.open_date) if has_open else date.min
        closed = _day(organization.close_date) if has_close else date.max
        return max(opened, self.from_day) < min(closed, self.to_day)

    def parties(self) -> set[str]:
        return {party for exchange in self.exchanges for party in parties_of(exchange)}

    def quantity(self, content: ExchangeContent) -> int | None:
        """What the lens sees of the exchange; None when unknown."""
        if self.question.lens not in MINUTE_LENSES:
            return ONE
        minutes = minutes_under(self.question.lens, content)
        return None if minutes is None else minutes * ONE

    def shares(self, content: ExchangeContent) -> Counter[tuple[str, str]]:
        """The quantity split over all edges, by giver and receiver; unknown is nothing."""
        shares: Counter[tuple[str, str]] = Counter()
        givers, receivers = sorted(content.giver_ids), sorted(content.receiver_ids)
        quantity = self.quantity(content) or 0
        if self.question.lens not in MINUTE_LENSES:
            shares.update({(giver, receiver): ONE for giver in givers for receiver in receivers})
        elif self.question.lens == LENS_BURDEN:
            for giver, own in _split(quantity, givers).items():
                for receiver, share in _split(own, receivers).items():
                    shares[giver, receiver] = share
        else:
            for receiver in receivers:
                for giver, share in _split(quantity, givers).items():
                    shares[giver, receiver] = share
        return shares

    def straddles(self, exchange: Standing) -> bool:
        starts, ends = exchange.first_day, exchange.end_day
        touches = max(starts, self.from_day) < min(ends, self.to_day) and self.asks_for(exchange)
        return touches and not (self.from_day <= starts and ends <= self.to_day)


def parties_of(exchange: Standing) -> set[str]:
    content = exchange.content
    return {*content.giver_ids, *content.receiver_ids, *content.party_ids}


def is_internal(content: ExchangeContent) -> bool:
    """Whether its sides share an organization, or its parties are one."""
    shared = set(content.giver_ids) & set(content.receiver_ids)
    return bool(shared) or len(content.party_ids) == 1


def informants(exchange: Standing) -> set[str]:
    """The recorder where it is a party, and everybody on the side that reported: the side that is
    named, or that of the recorder where none is named."""
    content, recorder = exchange.content, exchange.recorded_by
    reporting = {recorder} & parties_of(exchange)
    for side, ids in (
        (REPORT_SIDE_GIVER, content.giver_ids),
        (REPORT_SIDE_RECEIVER, content.receiver_ids),
    ):
        unnamed = content.reported_by == REPORT_SIDE_UNSPECIFIED
        if content.reported_by == side or (unnamed and recorder in ids):
            reporting |= set(ids)
    return reporting


@dataclass(frozen=True, slots=True)
class Standing:
    """An exchange that stands, as its current revision has it; its period is
    [first_day, end_day)."""

    content: ExchangeContent
    recorded_by: str
    first_day: date
    end_day: date
    dated: bool


def standing(ledger: Ledger) -> list[Standing]:
    """The exchanges that stand, in the order in which they were first applied."""
    found = []
    for exchange in ledger.exchanges.values():
        if exchange.retracted:
            continue
        event = exchange.revisions[-1]
        first_day = event.occur_time.ToDatetime(tzinfo=UTC).date()
        corrected = event.HasField("exchange_corrected")
        said = event.exchange_corrected if corrected else event.exchange_recorded
        end_day = _period_end(first_day, event.occur_precision)
        dated = event.occur_precision <= OCCUR_PRECISION_DAY
        found.append(Standing(said.exchange, event.recorded_by, first_day, end_day, dated))
    return found


def _period_end(first_day: date, precision: OccurPrecision.ValueType) -> date:
    if precision not in MONTHS:
        return first_day + timedelta(days=1)
    months = first_day.year * 12 + first_day.month - 1 + MONTHS[precision]
    return date(months // 12, months % 12 + 1, 1)


def minutes_under(lens: Lens.ValueType, content: ExchangeContent) -> int | None:
    """Whole minutes; None when unknown. Giver minutes under count."""
    if lens == LENS_ATTENTION:
        return content.receiver_minutes if content.HasField("receiver_minutes") else None
    if lens == LENS_BENEFIT:
        return content.benefit_minutes if content.HasField("benefit_minutes") else None
    return content.giver_minutes if content.HasField("giver_minutes") else None


def _split(quantity: int, organization_ids: Iterable[str]) -> dict[str, int]:
    """Equal whole parts; what is left over goes one each to the first in ascending order."""
    bearers = sorted(organization_ids)
    part, left_over = divmod(quantity, len(bearers))
    return {bearer: part + (place < left_over) for place, bearer in enumerate(bearers)}


def _day(day: Date) -> date:
    return date(day.year, day.month, day.day)


def _refuse_what_the_oracle_does_not_answer(question: Question) -> None:
    unknown = {descriptor.name for descriptor, _ in question.ListFields()} - ANSWERED
    if unknown or question.identity == IDENTITY_AS_WAS:
        raise NotImplementedError(f"the oracle does not answer {unknown or 'identity as_was'}")
