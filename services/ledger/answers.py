"""Balances, pairs and the network in their obvious form, straight from the state of a ledger.

Slow and plain on purpose: this is what the fast answers of `services.network` are held against.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from services.ledger.allocation import MILLION, Leg, legs, quantity
from services.ledger.doubles import possible_double_count
from services.ledger.organization import Organization
from services.ledger.question import (
    Answer,
    Balance,
    Coverage,
    Edge,
    Network,
    Node,
    Pair,
    Question,
    warnings_for,
)
from services.ledger.spelling import unbound_names
from services.ledger.state import Ledger, Revision
from services.ledger.straddling import straddling
from services.ledger.times import Day, day_number, period_days
from services.ledger.words import (
    BOUNDARY_ROLE,
    Allocation,
    Identity,
    Lens,
    Population,
    Precision,
    Side,
)


@dataclass(frozen=True, slots=True)
class Framed:
    """A standing exchange of the window with its ids mapped.

    `legs` and `joint` leave out what is internal to one organization; the parties do not.
    """

    revision: Revision
    day: Day
    legs: tuple[tuple[str, str, Leg], ...]
    joint: frozenset[str]
    givers: frozenset[str]
    receivers: frozenset[str]
    parties: frozenset[str]
    recorded_by: str

    def reporters(self) -> frozenset[str]:
        """The parties that reported: who recorded it, and a side that was named without them."""
        themselves = self.parties & {self.recorded_by}
        match self.revision.exchange.reported_by:
            case Side.GIVER:
                named = self.givers
            case Side.RECEIVER:
                named = self.receivers
            case _:
                return themselves
        return themselves if named & themselves else themselves | named


def balances(ledger: Ledger, question: Question) -> Answer[Balance]:
    """One row for each organization of the population and each other party, by id."""
    question.require_totals()
    framed = list(counted(ledger, question))
    rows = [_balance(each, framed, question) for each in sorted(shown(ledger, question, framed))]
    if chosen := _chosen(ledger, question):
        rows = [row for row in rows if row.organization_id in chosen]
    coverage = _coverage(ledger, question, framed)
    return Answer(rows, coverage, _warnings(ledger, question, coverage, framed))


def pairs(ledger: Ledger, question: Question) -> Answer[Pair]:
    """One row for each two organizations with a directed exchange, by giver and receiver id."""
    question.require_edges()
    framed = list(counted(ledger, question))
    ties = {(giver, receiver) for exchange in framed for giver, receiver, _ in exchange.legs}
    rows = sorted(
        (
            _pair(one, other, framed, question)
            for one, other in {tuple(sorted(tie)) for tie in ties}
        ),
        key=lambda pair: (pair.giver_id, pair.receiver_id),
    )
    if chosen := _chosen(ledger, question):
        rows = [pair for pair in rows if chosen & {pair.giver_id, pair.receiver_id}]
    coverage = _coverage(ledger, question, framed)
    return Answer(rows, coverage, _warnings(ledger, question, coverage, framed))


def network(ledger: Ledger, question: Question) -> Network:
    """Directed ties by giver and receiver id, and the organizations of `balances` by id.

    Organizations that are asked for choose the edges they are on, and as nodes themselves and the
    other ends of those.
    """
    question.require_edges()
    framed = list(counted(ledger, question))
    edges = sorted({leg[:2] for exchange in framed for leg in exchange.legs})
    nodes = shown(ledger, question, framed)
    if chosen := _chosen(ledger, question):
        edges = [edge for edge in edges if chosen & {*edge}]
        nodes &= chosen.union(*edges)
    coverage = _coverage(ledger, question, framed)
    return Network(
        [_edge(giver, receiver, framed, question) for giver, receiver in edges],
        coverage,
        _warnings(ledger, question, coverage, framed),
        [_node(each, framed, question) for each in sorted(nodes)],
    )


def shown(ledger: Ledger, question: Question, framed: list[Framed]) -> set[str]:
    """Who has a row: the population, and every other party to what the question counts."""
    return population(ledger, question, framed) | _parties(framed)


def population(ledger: Ledger, question: Question, framed: list[Framed]) -> set[str]:
    """Who the question is about; without a word, the roster if there is one, or else the active."""
    match question.population:
        case Population.SEEN:
            whole = Question(programme_id=question.programme_id, identity=question.identity)
            return _parties(list(counted(ledger, whole))) - _boundary(ledger, question)
        case Population.UNSPECIFIED if not ledger.roster:
            return _parties(framed)
        case Population.ACTIVE:
            return _parties(framed) - _boundary(ledger, question)
        case _:
            return _roster(ledger, question)


def _boundary(ledger: Ledger, question: Question) -> set[str]:
    return {
        _map(ledger, question, organization_id)
        for organization_id, version in ledger.roster.items()
        if version.organization.role == BOUNDARY_ROLE
    }


def _parties(framed: list[Framed]) -> set[str]:
    return {party for exchange in framed for party in exchange.parties}


def _roster(ledger: Ledger, question: Question) -> set[str]:
    """Organizations of the roster in force on a day of the window."""
    return {
        _map(ledger, question, organization_id)
        for organization_id, version in ledger.roster.items()
        if in_force(version.organization, question)
    }


def in_force(organization: Organization, question: Question) -> bool:
    """Whether it belongs to the programme on a day of the window."""
    if organization.role == BOUNDARY_ROLE:
        return False
    opened, closed = organization.open_date, organization.close_date
    start = None if opened is None else day_number(opened)
    end = None if closed is None else day_number(closed)
    return (
        (start is None or question.to_day is None or start < question.to_day)
        and (end is None or question.from_day is None or end > question.from_day)
        and (start is None or end is None or start < end)
    )


def counted(ledger: Ledger, question: Question) -> Iterator[Framed]:
    """The exchanges that a question is about."""
    for history in ledger.histories.values():
        revision = history.current
        if history.retracted:
            continue
        assert revision.said.occur_time is not None
        first, _ = period_days(revision.said.occur_time, revision.said.occur_precision)
        if not question.places(first) or not _wanted(question, revision):
            continue
        yield _frame(ledger, question, revision, first)


def _wanted(question: Question, revision: Revision) -> bool:
    exchange = revision.exchange
    return question.wants(exchange.kind, exchange.formality, exchange.topics)


def _frame(ledger: Ledger, question: Question, revision: Revision, day: Day) -> Framed:
    def mapped(ids: tuple[str, ...]) -> frozenset[str]:
        return frozenset(_map(ledger, question, each) for each in ids)

    exchange = revision.exchange
    all_legs = (
        (_map(ledger, question, leg.giver_id), _map(ledger, question, leg.receiver_id), leg)
        for leg in legs(exchange)
    )
    joint = mapped(exchange.party_ids)
    givers, receivers = mapped(exchange.giver_ids), mapped(exchange.receiver_ids)
    return Framed(
        revision=revision,
        day=day,
        legs=tuple(leg for leg in all_legs if leg[0] != leg[1]),
        joint=joint if len(joint) > 1 else frozenset(),
        givers=givers,
        receivers=receivers,
        parties=givers | receivers | joint,
        recorded_by=_map(ledger, question, revision.said.recorded_by),
    )


def _map(ledger: Ledger, question: Question, organization_id: str) -> str:
    return (
        organization_id
        if question.identity is Identity.RECORDED
        else ledger.resolve(organization_id)
    )


def _balance(party: str, framed: list[Framed], question: Question) -> Balance:
    giving = [exchange for exchange in framed if any(leg[0] == party for leg in exchange.legs)]
    taking = [exchange for exchange in framed if any(leg[1] == party for leg in exchange.legs)]
    joint = [exchange for exchange in framed if party in exchange.joint]
    once = question.allocation is Allocation.ONCE
    directed = {exchange.revision.event_id for exchange in (*giving, *taking)}
    return Balance(
        organization_id=party,
        given=None
        if once and question.lens in (Lens.ATTENTION, Lens.BENEFIT)
        else _total(giving, party, 0, question),
        received=None
        if once and question.lens is Lens.BURDEN
        else _total(taking, party, 1, question),
        directed_count=len(directed),
        exchange_count=len(directed) + len(joint),
        given_unknown_count=sum(_unknown(exchange, question.lens) for exchange in giving),
        received_unknown_count=sum(_unknown(exchange, question.lens) for exchange in taking),
        joint_count=len(joint),
        has_net=not once,
    )


def _total(exchanges: list[Framed], party: str, end: int, question: Question) -> int:
    if question.lens is Lens.COUNT and question.allocation is Allocation.ONCE:
        recorded = (
            {
                leg.receiver_id if end else leg.giver_id
                for *ends, leg in exchange.legs
                if ends[end] == party
            }
            for exchange in exchanges
        )
        return sum(len(ids) for ids in recorded) * MILLION
    return sum(
        leg.amount(question.lens) or 0
        for exchange in exchanges
        for *ends, leg in exchange.legs
        if ends[end] == party
    )


def _unknown(exchange: Framed, lens: Lens) -> bool:
    return quantity(exchange.revision.exchange, lens) is None


def _pair(one: str, other: str, framed: list[Framed], question: Question) -> Pair:
    there = _flow(one, other, framed, question)
    back = _flow(other, one, framed, question)
    if (-there.amount, one) > (-back.amount, other):
        one, other, there, back = other, one, back, there
    return Pair(
        giver_id=one,
        receiver_id=other,
        given=there.amount,
        received=back.amount,
        given_count=there.count,
        received_count=back.count,
        given_days=there.days,
        received_days=back.days,
        undated_count=len(there.undated | back.undated),
        given_unknown_count=there.unknown,
        received_unknown_count=back.unknown,
    )


def _edge(giver: str, receiver: str, framed: list[Framed], question: Question) -> Edge:
    flow = _flow(giver, receiver, framed, question)
    return Edge(
        giver_id=giver,
        receiver_id=receiver,
        weight=flow.amount,
        exchange_count=flow.count,
        unknown_count=flow.unknown,
    )


def _node(party: str, framed: list[Framed], question: Question) -> Node:
    balance = _balance(party, framed, question)
    totals = question.allocation is not Allocation.FULL
    return Node(
        organization_id=party,
        given=balance.given if totals else None,
        received=balance.received if totals else None,
        exchange_count=balance.exchange_count,
        isolate=not any(party in exchange.parties for exchange in framed),
    )


@dataclass(frozen=True, slots=True)
class _Flow:
    amount: int
    count: int
    days: int
    undated: frozenset[str]
    unknown: int


def _flow(giver: str, receiver: str, framed: list[Framed], question: Question) -> _Flow:
    amount, count, days, undated, unknown = 0, 0, set(), set(), 0
    for exchange in framed:
        between = [leg for one, other, leg in exchange.legs if (one, other) == (giver, receiver)]
        if not between:
            continue
        count += 1
        unknown += _unknown(exchange, question.lens)
        if exchange.revision.said.occur_precision in (Precision.EXACT, Precision.DAY):
            days.add(exchange.day)
        else:
            undated.add(exchange.revision.event_id)
        if question.allocation is Allocation.FULL:
            amount += quantity(exchange.revision.exchange, question.lens) or 0
        else:
            amount += sum(leg.amount(question.lens) or 0 for leg in between)
    return _Flow(amount, count, len(days), frozenset(undated), unknown)


def _coverage(ledger: Ledger, question: Question, framed: list[Framed]) -> Coverage:
    roster = _roster(ledger, question)
    reported = {party for exchange in framed for party in exchange.reporters()}
    lens = Lens.BURDEN if question.lens is Lens.COUNT else question.lens
    contents = [exchange.revision.exchange for exchange in framed]
    return Coverage(
        roster_count=len(roster),
        recorded_count=len(reported & roster),
        exchange_count=len(framed),
        unknown_minutes_count=sum(
            quantity(content, lens) is None for content in contents if not content.party_ids
        ),
        joint_count=sum(bool(content.party_ids) for content in contents),
        possible_double_count=possible_double_count(framed),
        **straddling(ledger, question)._asdict(),
    )


def _warnings(
    ledger: Ledger, question: Question, coverage: Coverage, framed: list[Framed]
) -> tuple[str, ...]:
    overlap = any(len(exchange.revision.exchange.topics) > 1 for exchange in framed)
    roster = [version.organization for version in ledger.roster.values()]
    unbound = unbound_names(roster, ledger.aliases, _parties(framed))
    return warnings_for(question, coverage, topics_overlap=overlap, has_unbound=bool(unbound))


def _chosen(ledger: Ledger, question: Question) -> set[str]:
    return {_map(ledger, question, chosen) for chosen in question.organization_ids}
