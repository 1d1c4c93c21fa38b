"""Reference answers: balances, pairs and the network, straight from the state of a ledger.

They are slow and plain on purpose, because tests compare the fast answers of `services.network`
with them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.ledger.allocation import MILLION, Leg, get_quantity, split_into_legs
from services.ledger.doubles import count_possible_doubles
from services.ledger.enums import (
    BOUNDARY_ROLE,
    Allocation,
    Identity,
    Lens,
    Population,
    Precision,
    Side,
)
from services.ledger.exchange import Exchange
from services.ledger.half_life import compute_weight, decay
from services.ledger.identity import is_internal, resolve, resolve_exchange
from services.ledger.organization import Organization
from services.ledger.question import (
    MANY_UNKNOWN,
    Answer,
    Balance,
    Coverage,
    Edge,
    Network,
    Node,
    Pair,
    Question,
    find_warnings,
)
from services.ledger.spelling import find_unbound_names
from services.ledger.state import Ledger, Revision
from services.ledger.straddling import count_straddling
from services.ledger.times import Day, date_to_day, find_period


@dataclass(frozen=True, slots=True)
class ResolvedExchange:
    """A standing exchange of the window, with recorded ids resolved to organizations."""

    event_id: str
    exchange: Exchange
    day: Day
    is_dated: bool
    recorded_by: str
    is_internal: bool
    """Internal exchanges enter no measure, so they have neither legs nor joint parties."""
    legs: tuple[Leg, ...]
    joint_ids: frozenset[str]
    weight: float
    """The part of its amounts that balances count; see `half_life`."""

    @property
    def parties(self) -> frozenset[str]:
        return frozenset(self.exchange.list_party_ids())

    def find_reporters(self) -> frozenset[str]:
        """Returns the recorder where it is a party, and every organization of the reporting side.

        That side is the named one, else the one that the recorder is on.
        """
        givers, receivers = self.exchange.giver_ids, self.exchange.receiver_ids
        reporters = self.parties & {self.recorded_by}
        for side, ids in ((Side.GIVER, givers), (Side.RECEIVER, receivers)):
            unnamed = self.exchange.reported_by is Side.UNSPECIFIED
            if self.exchange.reported_by is side or (unnamed and self.recorded_by in ids):
                reporters |= {*ids}
        return reporters


def compute_balances(ledger: Ledger, question: Question) -> Answer[Balance]:
    """Returns one row for each organization of the population and each other party, by id."""
    question.require_totals()
    exchanges = list(select_exchanges(ledger, question))
    coverage = _coverage(ledger, question, exchanges)
    warnings = _warnings(ledger, question, coverage, exchanges)
    isolates = _isolates(ledger, question, exchanges)
    rows = [
        _balance(each, exchanges, question)._replace(
            answer_is_vague=MANY_UNKNOWN in warnings, isolate=each in isolates
        )
        for each in sorted(find_row_organizations(ledger, question, exchanges))
    ]
    if requested := _requested_ids(ledger, question):
        rows = [row for row in rows if row.organization_id in requested]
    return Answer(rows, coverage, warnings)


def compute_pairs(ledger: Ledger, question: Question) -> Answer[Pair]:
    """Returns one row for each two organizations with a directed exchange, by their ids.

    Evidence is left out: `measures.pair_evidence` is held to other libraries.
    """
    question.require_edges()
    exchanges = list(select_exchanges(ledger, question))
    ties = {leg[:2] for exchange in exchanges for leg in exchange.legs}
    rows = sorted(
        (
            _pair(one, other, exchanges, question)
            for one, other in {tuple(sorted(tie)) for tie in ties}
        ),
        key=lambda pair: (pair.giver_id, pair.receiver_id),
    )
    if requested := _requested_ids(ledger, question):
        rows = [pair for pair in rows if requested & {pair.giver_id, pair.receiver_id}]
    coverage = _coverage(ledger, question, exchanges)
    return Answer(rows, coverage, _warnings(ledger, question, coverage, exchanges))


def compute_network(ledger: Ledger, question: Question) -> Network:
    """Returns directed ties by giver and receiver id, and the organizations of `balances` by id.

    Requested organizations restrict the edges to theirs, and the nodes to the ends of those and
    themselves.
    """
    question.require_edges()
    exchanges = list(select_exchanges(ledger, question))
    edges = sorted({leg[:2] for exchange in exchanges for leg in exchange.legs})
    nodes = find_row_organizations(ledger, question, exchanges)
    if requested := _requested_ids(ledger, question):
        edges = [edge for edge in edges if requested & {*edge}]
        nodes &= requested.union(*edges)
    coverage = _coverage(ledger, question, exchanges)
    isolates = _isolates(ledger, question, exchanges)
    return Network(
        [_edge(giver, receiver, exchanges, question) for giver, receiver in edges],
        coverage,
        _warnings(ledger, question, coverage, exchanges),
        [
            _node(each, exchanges, question)._replace(isolate=each in isolates)
            for each in sorted(nodes)
        ],
    )


def find_row_organizations(
    ledger: Ledger, question: Question, exchanges: list[ResolvedExchange]
) -> set[str]:
    """Returns the population and every other party to a counted exchange."""
    return find_population(ledger, question, exchanges) | _parties(exchanges)


def find_population(
    ledger: Ledger, question: Question, exchanges: list[ResolvedExchange]
) -> set[str]:
    """Returns the population; unspecified, it is the roster if there is one, else the active."""
    match question.population:
        case Population.SEEN:
            whole = Question(programme_id=question.programme_id, identity=question.identity)
            return _parties(list(select_exchanges(ledger, whole))) - _boundary(ledger, question)
        case Population.UNSPECIFIED if not ledger.roster:
            return _parties(exchanges)
        case Population.ACTIVE:
            return _parties(exchanges) - _boundary(ledger, question)
        case _:
            return _roster(ledger, question)


def _isolates(ledger: Ledger, question: Question, exchanges: list[ResolvedExchange]) -> set[str]:
    """Returns the population without an exchange of any kind in the window."""
    anything = list(select_exchanges(ledger, question.remove_content_filters()))
    return find_population(ledger, question, exchanges) - _parties(anything)


def _boundary(ledger: Ledger, question: Question) -> set[str]:
    return {
        _resolve_id(ledger, question, organization_id)
        for organization_id, version in ledger.roster.items()
        if version.organization.role == BOUNDARY_ROLE
    }


def _parties(exchanges: list[ResolvedExchange]) -> set[str]:
    return {party for exchange in exchanges for party in exchange.parties}


def _roster(ledger: Ledger, question: Question) -> set[str]:
    """Returns the organizations of the roster in force on a day of the window."""
    return {
        _resolve_id(ledger, question, organization_id)
        for organization_id, version in ledger.roster.items()
        if is_in_force(version.organization, question)
    }


def is_in_force(organization: Organization, question: Question) -> bool:
    """Whether an organization belongs to the programme on a day of the window."""
    if organization.role == BOUNDARY_ROLE:
        return False
    opened, closed = organization.open_date, organization.close_date
    start = None if opened is None else date_to_day(opened)
    end = None if closed is None else date_to_day(closed)
    return (
        (start is None or question.to_day is None or start < question.to_day)
        and (end is None or question.from_day is None or end > question.from_day)
        and (start is None or end is None or start < end)
    )


def select_exchanges(ledger: Ledger, question: Question) -> Iterator[ResolvedExchange]:
    """Yields the exchanges that a question counts."""
    for history in ledger.histories.values():
        revision = history.current
        if history.is_retracted:
            continue
        assert revision.content_event.occur_time is not None
        first, _ = find_period(
            revision.content_event.occur_time, revision.content_event.occur_precision
        )
        if not question.is_in_window(first) or not _matches(question, revision):
            continue
        yield _resolve(ledger, question, revision, first)


def _matches(question: Question, revision: Revision) -> bool:
    exchange = revision.exchange
    return question.matches(exchange.kind, exchange.formality, exchange.topics)


def _resolve(ledger: Ledger, question: Question, revision: Revision, day: Day) -> ResolvedExchange:
    exchange = resolve_exchange(_aliases(ledger, question), revision.exchange)
    internal = is_internal(exchange)
    return ResolvedExchange(
        event_id=revision.event_id,
        exchange=exchange,
        day=day,
        is_dated=revision.content_event.occur_precision in (Precision.EXACT, Precision.DAY),
        recorded_by=_resolve_id(ledger, question, revision.content_event.recorded_by),
        is_internal=internal,
        legs=() if internal else tuple(split_into_legs(exchange)),
        joint_ids=frozenset(() if internal else exchange.party_ids),
        weight=compute_weight(question, revision.content_event.occur_time or 0),
    )


def _aliases(ledger: Ledger, question: Question) -> Mapping[str, str]:
    return {} if question.identity is Identity.RECORDED else ledger.aliases


def _resolve_id(ledger: Ledger, question: Question, organization_id: str) -> str:
    return resolve(_aliases(ledger, question), organization_id)


def _balance(party: str, exchanges: list[ResolvedExchange], question: Question) -> Balance:
    giving = [each for each in exchanges if any(leg.giver_id == party for leg in each.legs)]
    taking = [each for each in exchanges if any(leg.receiver_id == party for leg in each.legs)]
    joint_count = sum(party in exchange.joint_ids for exchange in exchanges)
    once = question.allocation is Allocation.ONCE
    return Balance(
        organization_id=party,
        given=None
        if once and question.lens in (Lens.ATTENTION, Lens.BENEFIT)
        else _total(giving, party, "giver_id", question),
        received=None
        if once and question.lens is Lens.BURDEN
        else _total(taking, party, "receiver_id", question),
        given_count=len(giving),
        received_count=len(taking),
        given_unknown_count=sum(_unknown(exchange, question.lens) for exchange in giving),
        received_unknown_count=sum(_unknown(exchange, question.lens) for exchange in taking),
        joint_count=joint_count,
        has_net=not once,
    )


def _total(exchanges: list[ResolvedExchange], party: str, end: str, question: Question) -> int:
    """Returns the sum of the legs with a party at one end, `giver_id` or `receiver_id`."""
    if question.lens is Lens.COUNT and question.allocation is Allocation.ONCE:
        return sum(decay(MILLION, exchange.weight) for exchange in exchanges)
    return sum(
        decay(leg.amount(question.lens) or 0, exchange.weight)
        for exchange in exchanges
        for leg in exchange.legs
        if getattr(leg, end) == party
    )


def _unknown(exchange: ResolvedExchange, lens: Lens) -> bool:
    return get_quantity(exchange.exchange, lens) is None


def _pair(one: str, other: str, exchanges: list[ResolvedExchange], question: Question) -> Pair:
    there = _flow(one, other, exchanges, question)
    back = _flow(other, one, exchanges, question)
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
        informants=max(1, len((there.reporters | back.reporters) & {one, other}))
        if there.count and back.count
        else None,
    )


def _edge(giver: str, receiver: str, exchanges: list[ResolvedExchange], question: Question) -> Edge:
    flow = _flow(giver, receiver, exchanges, question)
    return Edge(
        giver_id=giver,
        receiver_id=receiver,
        weight=flow.amount,
        exchange_count=flow.count,
        unknown_count=flow.unknown,
    )


def _node(party: str, exchanges: list[ResolvedExchange], question: Question) -> Node:
    balance = _balance(party, exchanges, question)
    totals = question.allocation is not Allocation.FULL
    return Node(
        organization_id=party,
        given=balance.given if totals else None,
        received=balance.received if totals else None,
        exchange_count=balance.exchange_count,
    )


@dataclass(frozen=True, slots=True)
class _Flow:
    amount: int
    count: int
    days: int
    undated: frozenset[str]
    unknown: int
    reporters: frozenset[str]


def _flow(
    giver: str, receiver: str, exchanges: list[ResolvedExchange], question: Question
) -> _Flow:
    amount, count, days, undated, unknown = 0, 0, set(), set(), 0
    reporters = frozenset[str]()
    for exchange in exchanges:
        leg = next((leg for leg in exchange.legs if leg[:2] == (giver, receiver)), None)
        if leg is None:
            continue
        count += 1
        reporters |= exchange.find_reporters()
        unknown += _unknown(exchange, question.lens)
        if exchange.is_dated:
            days.add(exchange.day)
        else:
            undated.add(exchange.event_id)
        if question.allocation is Allocation.FULL:
            amount += get_quantity(exchange.exchange, question.lens) or 0
        else:
            amount += leg.amount(question.lens) or 0
    return _Flow(amount, count, len(days), frozenset(undated), unknown, reporters)


def _coverage(ledger: Ledger, question: Question, exchanges: list[ResolvedExchange]) -> Coverage:
    roster = _roster(ledger, question)
    reported = {party for exchange in exchanges for party in exchange.find_reporters()}
    lens = Lens.BURDEN if question.lens is Lens.COUNT else question.lens
    directed = [exchange for exchange in exchanges if exchange.legs]
    return Coverage(
        roster_count=len(roster),
        recorded_count=len(reported & roster),
        exchange_count=len(exchanges),
        unknown_minutes_count=sum(get_quantity(each.exchange, lens) is None for each in directed),
        joint_count=sum(bool(exchange.joint_ids) for exchange in exchanges),
        possible_double_count=count_possible_doubles(exchanges),
        internal_count=sum(exchange.is_internal for exchange in exchanges),
        **count_straddling(ledger, question)._asdict(),
    )


def _warnings(
    ledger: Ledger, question: Question, coverage: Coverage, exchanges: list[ResolvedExchange]
) -> tuple[str, ...]:
    overlap = any(len(exchange.exchange.topics) > 1 for exchange in exchanges)
    roster = [version.organization for version in ledger.roster.values()]
    unbound = find_unbound_names(roster, ledger.aliases, _parties(exchanges))
    return find_warnings(question, coverage, topics_overlap=overlap, has_unbound=bool(unbound))


def _requested_ids(ledger: Ledger, question: Question) -> set[str]:
    return {_resolve_id(ledger, question, requested) for requested in question.organization_ids}
