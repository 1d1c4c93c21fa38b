"""Balances, pairs, network and coverage of a folded ledger, added up one whole number at a time.

Rows are dicts with the names of the JSON contract; a measure that is absent is an absent key.
P-values, intervals and informants are left out. Amounts inside are millionths.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from mutua.v1.query_service_pb2 import (
    ALLOCATION_FULL,
    ALLOCATION_ONCE,
    LENS_ATTENTION,
    LENS_BENEFIT,
    LENS_BURDEN,
    Question,
)
from tests.oracle.doubles import possible_double_count
from tests.oracle.fold import Ledger
from tests.oracle.frame import MINUTE_LENSES, ONE, Frame, Standing, minutes_under, standing

Row = dict[str, object]


class QuestionImpossibleError(Exception):
    """The question has no answer whatever is on the log: QUESTION_IMPOSSIBLE."""


def balances(ledger: Ledger, question: Question) -> list[Row]:
    """One row an organization, by id. Raises QuestionImpossibleError under allocation full."""
    if question.allocation == ALLOCATION_FULL:
        raise QuestionImpossibleError("what is counted whole on every edge has no total")
    frame = Frame(ledger, question)
    sums: dict[str, Sums] = defaultdict(Sums)
    for number, exchange in enumerate(frame.exchanges):
        _add_to_balances(frame, number, exchange, sums)
    organization_ids = frame.population() | frame.parties()
    return [
        _balance(organization_id, sums[organization_id], question)
        for organization_id in sorted(organization_ids)
        if frame.asks_about(organization_id)
    ]


def pairs(ledger: Ledger, question: Question) -> list[Row]:
    """One row an unordered pair, by giver and receiver id. Raises QuestionImpossibleError under
    allocation once."""
    if question.allocation == ALLOCATION_ONCE:
        raise QuestionImpossibleError("what is counted once on whoever bears it has no edges")
    frame = Frame(ledger, question)
    ties = _ties(frame)
    unordered = {(min(edge), max(edge)) for edge in ties}
    rows = [
        _pair(one, other, ties, question)
        for one, other in unordered
        if frame.asks_about(one) or frame.asks_about(other)
    ]
    return sorted(rows, key=lambda row: (str(row["giver_id"]), str(row["receiver_id"])))


def network(ledger: Ledger, question: Question) -> tuple[list[Row], list[Row]]:
    """Edges by giver and receiver id, nodes by id. Raises QuestionImpossibleError as pairs do."""
    if question.allocation == ALLOCATION_ONCE:
        raise QuestionImpossibleError("what is counted once on whoever bears it has no edges")
    frame = Frame(ledger, question)
    ties = {
        edge: tie for edge, tie in sorted(_ties(frame).items()) if any(map(frame.asks_about, edge))
    }
    edges: list[Row] = [
        {
            "giver_id": giver,
            "receiver_id": receiver,
            "weight": tie.amount(question) / ONE,
            "exchange_count": len(tie.numbers),
            "unknown_count": len(tie.unknown),
        }
        for (giver, receiver), tie in ties.items()
    ]
    sums: dict[str, Sums] = defaultdict(Sums)
    for number, exchange in enumerate(frame.exchanges):
        _add_to_balances(frame, number, exchange, sums)
    shown = frame.population() | frame.parties()
    if frame.asked_ids:
        shown &= frame.asked_ids | {organization_id for edge in ties for organization_id in edge}
    nodes = []
    for organization_id in sorted(shown):
        found = sums[organization_id]
        numbers = found.given_numbers | found.received_numbers | found.joint_numbers
        node: Row = {
            "organization_id": organization_id,
            "exchange_count": len(numbers),
            "isolate": organization_id not in frame.parties(),
            "reasons": [],
        }
        if question.allocation != ALLOCATION_FULL:
            node |= {"given": found.given / ONE, "received": found.received / ONE}
        nodes.append(node)
    return edges, nodes


def coverage(ledger: Ledger, question: Question) -> Row:
    """How much the answer to the question rests on."""
    frame = Frame(ledger, question)
    directed = [exchange for exchange in frame.exchanges if not exchange.content.party_ids]
    roster_ids = frame.roster_ids()
    recorders = {who for exchange in frame.exchanges for who in frame.informants(exchange)}
    minutes = [minutes_under(question.lens, exchange.content) for exchange in directed]
    straddling = [exchange for exchange in standing(ledger) if frame.straddles(exchange)]
    elsewhere = [each for each in straddling if each.first_day < frame.from_day]
    quarters = [each for each in elsewhere if (each.end_day - each.first_day).days > 31]
    return {
        "roster_count": len(roster_ids),
        "recorded_count": len(roster_ids & recorders),
        "exchange_count": len(frame.exchanges),
        "unknown_minutes_count": minutes.count(None),
        "joint_count": len(frame.exchanges) - len(directed),
        "straddling_count": len(straddling),
        "straddling_counted_count": len(straddling) - len(elsewhere),
        "straddling_month_count": len(elsewhere) - len(quarters),
        "straddling_quarter_count": len(quarters),
        "internal_count": 0,
        "possible_double_count": possible_double_count(frame),
    }


def warnings(ledger: Ledger, question: Question) -> list[str]:
    """MANY_UNKNOWN when over a fifth of the directed exchanges have no minutes under the lens;
    TOPICS_OVERLAP when an exchange that was asked for by topic has another topic too;
    UNBOUND_NAMES when a party that is not on the roster looks like somebody who is."""
    frame = Frame(ledger, question)
    directed = [exchange for exchange in frame.exchanges if not exchange.content.party_ids]
    unknown = [exchange for exchange in directed if frame.quantity(exchange.content) is None]
    found = ["MANY_UNKNOWN"] if 5 * len(unknown) > len(directed) else []
    if possible_double_count(frame):
        found.append("POSSIBLE_DOUBLE_REPORTS")
    overlap = any(len(set(exchange.content.topics)) >= 2 for exchange in frame.exchanges)
    if overlap and question.topics:
        found.append("TOPICS_OVERLAP")
    strangers = {ledger.resolve(party) for party in frame.parties()} - {*ledger.roster}
    if _looks(ledger, strangers) & _looks(ledger, {*ledger.roster}):
        found.append("UNBOUND_NAMES")
    return found


def _looks(ledger: Ledger, organization_ids: set[str]) -> set[str]:
    """How ids, names and aliases look to who reads without regard to case."""
    words = {*organization_ids}
    words |= {alias for alias in ledger.aliases if ledger.resolve(alias) in organization_ids}
    words |= {ledger.roster[each].name for each in organization_ids if each in ledger.roster}
    seen = (unicodedata.normalize("NFC", word).replace("\u200b", "").casefold() for word in words)
    return {look for look in seen if look}


@dataclass(slots=True)
class Sums:
    """What adds up to a balance; exchanges stand by their number in the window."""

    given: int = 0
    received: int = 0
    given_numbers: set[int] = field(default_factory=set)
    received_numbers: set[int] = field(default_factory=set)
    joint_numbers: set[int] = field(default_factory=set)
    given_unknown: set[int] = field(default_factory=set)
    received_unknown: set[int] = field(default_factory=set)


def _add_to_balances(frame: Frame, number: int, exchange: Standing, sums: dict[str, Sums]) -> None:
    content = exchange.content
    if content.party_ids:
        parties = frame.mapped_parties(content)
        for party in parties if len(parties) > 1 else ():
            sums[party].joint_numbers.add(number)
        return
    shares, edges = frame.shares(content), frame.edges(content)
    for recorded_giver, recorded_receiver in edges:
        giver = sums[frame.organization(recorded_giver)]
        receiver = sums[frame.organization(recorded_receiver)]
        giver.given_numbers.add(number)
        receiver.received_numbers.add(number)
        if frame.quantity(content) is None:
            giver.given_unknown.add(number)
            receiver.received_unknown.add(number)
        if frame.question.allocation != ALLOCATION_ONCE or frame.question.lens in MINUTE_LENSES:
            giver.given += shares[recorded_giver, recorded_receiver]
            receiver.received += shares[recorded_giver, recorded_receiver]
    if frame.question.allocation == ALLOCATION_ONCE and frame.question.lens not in MINUTE_LENSES:
        for recorded_giver in {giver for giver, _ in edges}:
            sums[frame.organization(recorded_giver)].given += ONE
        for recorded_receiver in {receiver for _, receiver in edges}:
            sums[frame.organization(recorded_receiver)].received += ONE


def _balance(organization_id: str, sums: Sums, question: Question) -> Row:
    directed = sums.given_numbers | sums.received_numbers
    net, total = sums.given - sums.received, sums.given + sums.received
    row: Row = {
        "organization_id": organization_id,
        "exchange_count": len(directed | sums.joint_numbers),
        "given_unknown_count": len(sums.given_unknown),
        "received_unknown_count": len(sums.received_unknown),
        "joint_count": len(sums.joint_numbers),
        "reasons": [],
        "isolate": False,
    }
    once = question.allocation == ALLOCATION_ONCE
    if not (once and question.lens in (LENS_ATTENTION, LENS_BENEFIT)):
        row["given"] = sums.given / ONE
    if not (once and question.lens == LENS_BURDEN):
        row["received"] = sums.received / ONE
    if not once:
        row["net"] = net / ONE
        if total > 0 and len(directed) >= 5:
            row["net_share"] = net / total
    if once:
        row["reasons"] = ["NOT_BORNE"]
    elif "net_share" not in row:
        nothing = ["NO_KNOWN_AMOUNT"] if total == 0 else []
        row["reasons"] = nothing + (["TOO_FEW_EXCHANGES"] if len(directed) < 5 else [])
    return row


@dataclass(slots=True)
class Tie:
    """What one organization gave another; exchanges stand by their number in the window."""

    numbers: set[int] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    undated: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    split_amount: int = 0
    full_amounts: dict[int, int] = field(default_factory=dict)

    def add(self, number: int, exchange: Standing, share: int, quantity: int | None) -> None:
        self.numbers.add(number)
        if exchange.dated:
            self.days.add(exchange.first_day)
        else:
            self.undated.add(number)
        self.split_amount += share
        self.full_amounts[number] = quantity or 0
        if quantity is None:
            self.unknown.add(number)

    def amount(self, question: Question) -> int:
        full = question.allocation == ALLOCATION_FULL
        return sum(self.full_amounts.values()) if full else self.split_amount


def _ties(frame: Frame) -> dict[tuple[str, str], Tie]:
    ties: dict[tuple[str, str], Tie] = {}
    for number, exchange in enumerate(frame.exchanges):
        if exchange.content.party_ids:
            continue
        shares = frame.shares(exchange.content)
        for edge in frame.edges(exchange.content):
            giver, receiver = map(frame.organization, edge)
            tie = ties.setdefault((giver, receiver), Tie())
            tie.add(number, exchange, shares[edge], frame.quantity(exchange.content))
    return ties


def _unknown_share(tie: Tie) -> Fraction:
    return Fraction(len(tie.unknown), len(tie.numbers))


def _pair(one: str, other: str, ties: dict[tuple[str, str], Tie], question: Question) -> Row:
    """The row of two organizations, the smaller id first in the call."""
    there, back = ties.get((one, other), Tie()), ties.get((other, one), Tie())
    giver_id, receiver_id = one, other
    if back.amount(question) > there.amount(question):
        there, back = back, there
        giver_id, receiver_id = other, one
    given, received = there.amount(question), back.amount(question)
    both = Fraction(len(there.unknown) + len(back.unknown), len(there.numbers) + len(back.numbers))
    many = both > Fraction(20, 100)
    if there.numbers and back.numbers:
        many |= abs(_unknown_share(there) - _unknown_share(back)) > Fraction(20, 100)
    return {
        "giver_id": giver_id,
        "receiver_id": receiver_id,
        "given": given / ONE,
        "received": received / ONE,
        "net": (given - received) / ONE,
        "given_count": len(there.numbers),
        "received_count": len(back.numbers),
        "given_days": len(there.days),
        "received_days": len(back.days),
        "direction_differs": given > received and len(there.days) < len(back.days),
        "undated_count": len(there.undated | back.undated),
        "given_unknown_count": len(there.unknown),
        "received_unknown_count": len(back.unknown),
        "reasons": ["MANY_UNKNOWN"] if many else [],
    }
