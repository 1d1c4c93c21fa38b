"""Balances, pairs, network and coverage of a folded ledger, added up one whole number at a time.

Rows are dicts with the names of the JSON contract; a measure that is absent is an absent key.
Evidence equals a float that differs in the last digits (`pytest.approx`). Amounts inside are
millionths.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from mutua.v1.query_service_pb2 import (
    ALLOCATION_FULL,
    ALLOCATION_ONCE,
    LENS_ATTENTION,
    LENS_BENEFIT,
    LENS_BURDEN,
    Question,
)
from tests.oracle.doubles import count_possible_doubles
from tests.oracle.evidence import weigh_evidence
from tests.oracle.fold import OracleLedger
from tests.oracle.selection import (
    MILLION,
    MINUTE_LENSES,
    Selection,
    StandingExchange,
    find_reporters,
    get_minutes,
    list_standing_exchanges,
)

Row = dict[str, object]


class UnanswerableQuestionError(Exception):
    """The question has no answer whatever is on the log: QUESTION_IMPOSSIBLE."""


def compute_balances(ledger: OracleLedger, question: Question) -> list[Row]:
    """A row for every organization by id. Raises UnanswerableQuestionError for allocation full."""
    if question.allocation == ALLOCATION_FULL:
        raise UnanswerableQuestionError("what is counted whole on every edge has no total")
    selection = Selection(ledger, question)
    isolates, sums = selection.find_isolates(), _sums(selection)
    many_unknown = _has_many_unknown(selection)
    rows = []
    for organization_id in sorted(selection.find_population() | selection.find_parties()):
        if selection.is_requested(organization_id):
            row = _balance(sums[organization_id], question, many_unknown=many_unknown)
            row["organization_id"] = organization_id
            row["isolate"] = organization_id in isolates
            row["reasons"] = [*row["reasons"], *_why_nothing(row)]
            rows.append(row)
    return rows


def compute_pairs(ledger: OracleLedger, question: Question) -> list[Row]:
    """One row for every pair, by giver and receiver id. Raises UnanswerableQuestionError under
    allocation once."""
    if question.allocation == ALLOCATION_ONCE:
        raise UnanswerableQuestionError("an exchange counted once on its bearer has no edges")
    selection = Selection(ledger, question)
    ties = _ties(selection)
    unordered = {(min(edge), max(edge)) for edge in ties}
    rows = [_pair(one, other, ties, question) for one, other in unordered]
    weigh_evidence(rows)
    rows = [row for row in rows if any(map(selection.is_requested, _ends(row)))]
    return sorted(rows, key=lambda row: (str(row["giver_id"]), str(row["receiver_id"])))


def compute_network(ledger: OracleLedger, question: Question) -> tuple[list[Row], list[Row]]:
    """Edges by giver and receiver id, nodes by id. Raises UnanswerableQuestionError as pairs do."""
    if question.allocation == ALLOCATION_ONCE:
        raise UnanswerableQuestionError("an exchange counted once on its bearer has no edges")
    selection = Selection(ledger, question)
    ties = {
        edge: tie
        for edge, tie in sorted(_ties(selection).items())
        if any(map(selection.is_requested, edge))
    }
    edges: list[Row] = [
        {
            "giver_id": giver,
            "receiver_id": receiver,
            "weight": tie.amount(question) / MILLION,
            "exchange_count": len(tie.numbers),
            "unknown_count": len(tie.unknown),
        }
        for (giver, receiver), tie in ties.items()
    ]
    sums, isolates = _sums(selection), selection.find_isolates()
    organization_ids = selection.find_population() | selection.find_parties()
    if selection.requested_ids:
        organization_ids &= selection.requested_ids | {
            organization_id for edge in ties for organization_id in edge
        }
    nodes = []
    for organization_id in sorted(organization_ids):
        total = sums[organization_id]
        numbers = total.given_numbers | total.received_numbers | total.joint_numbers
        node: Row = {
            "organization_id": organization_id,
            "exchange_count": len(numbers),
            "isolate": organization_id in isolates,
        }
        node["reasons"] = _why_nothing(node)
        if question.allocation != ALLOCATION_FULL:
            node |= {"given": total.given / MILLION, "received": total.received / MILLION}
        nodes.append(node)
    return edges, nodes


def compute_coverage(ledger: OracleLedger, question: Question) -> Row:
    """The coverage of the answer."""
    selection = Selection(ledger, question)
    roster_ids = selection.find_roster_ids()
    recorders = {who for exchange in selection.exchanges for who in find_reporters(exchange)}
    minutes = [get_minutes(question.lens, exchange.content) for exchange in selection.directed]
    straddling = [
        exchange
        for exchange in list_standing_exchanges(ledger)
        if selection.is_straddling(exchange)
    ]
    elsewhere = [each for each in straddling if each.first_day < selection.from_day]
    quarters = [each for each in elsewhere if (each.end_day - each.first_day).days > 31]
    return {
        "roster_count": len(roster_ids),
        "recorded_count": len(roster_ids & recorders),
        "exchange_count": len(selection.exchanges),
        "unknown_minutes_count": minutes.count(None),
        "joint_count": len(selection.measured) - len(selection.directed),
        "straddling_count": len(straddling),
        "straddling_counted_count": len(straddling) - len(elsewhere),
        "straddling_month_count": len(elsewhere) - len(quarters),
        "straddling_quarter_count": len(quarters),
        "internal_count": len(selection.exchanges) - len(selection.measured),
        "possible_double_count": count_possible_doubles(selection),
    }


def find_warnings(ledger: OracleLedger, question: Question) -> list[str]:
    """MANY_UNKNOWN when over a fifth of the directed exchanges have no minutes under the lens;
    TOPICS_OVERLAP when an exchange that was asked for by topic has another topic too;
    UNBOUND_NAMES if an unregistered party resembles a registered organization."""
    selection = Selection(ledger, question)
    warnings = ["MANY_UNKNOWN"] if _has_many_unknown(selection) else []
    if count_possible_doubles(selection):
        warnings.append("POSSIBLE_DOUBLE_REPORTS")
    overlap = any(len(set(exchange.content.topics)) >= 2 for exchange in selection.exchanges)
    if overlap and question.topics:
        warnings.append("TOPICS_OVERLAP")
    strangers = {ledger.resolve(party) for party in selection.find_parties()} - {*ledger.roster}
    if _looks(ledger, strangers) & _looks(ledger, {*ledger.roster}):
        warnings.append("UNBOUND_NAMES")
    return warnings


def _has_many_unknown(selection: Selection) -> bool:
    quantities = [selection.get_quantity(exchange.content) for exchange in selection.directed]
    return 5 * quantities.count(None) > len(quantities)


def _looks(ledger: OracleLedger, organization_ids: set[str]) -> set[str]:
    """Ids, names and aliases in a form that ignores case."""
    words = {*organization_ids}
    words |= {alias for alias in ledger.aliases if ledger.resolve(alias) in organization_ids}
    words |= {ledger.roster[each].name for each in organization_ids if each in ledger.roster}
    normalized = (
        unicodedata.normalize("NFC", word).replace("\u200b", "").casefold() for word in words
    )
    return {word for word in normalized if word}


@dataclass(slots=True)
class OracleSums:
    """The sums of a balance; exchanges are numbered within the window."""

    given: int = 0
    received: int = 0
    given_numbers: set[int] = field(default_factory=set)
    received_numbers: set[int] = field(default_factory=set)
    joint_numbers: set[int] = field(default_factory=set)
    given_unknown: set[int] = field(default_factory=set)
    received_unknown: set[int] = field(default_factory=set)


def _sums(selection: Selection) -> dict[str, OracleSums]:
    sums: dict[str, OracleSums] = defaultdict(OracleSums)
    for number, exchange in enumerate(selection.measured):
        _add_to_balances(selection, number, exchange, sums)
    return sums


def _add_to_balances(
    selection: Selection, number: int, exchange: StandingExchange, sums: dict[str, OracleSums]
) -> None:
    content = exchange.content
    if content.party_ids:
        for party in content.party_ids:
            sums[party].joint_numbers.add(number)
        return
    once = selection.question.allocation == ALLOCATION_ONCE
    for (giver_id, receiver_id), share in selection.split_shares(content).items():
        giver, receiver = sums[giver_id], sums[receiver_id]
        giver.given_numbers.add(number)
        receiver.received_numbers.add(number)
        if selection.get_quantity(content) is None:
            giver.given_unknown.add(number)
            receiver.received_unknown.add(number)
        if not once or selection.question.lens in MINUTE_LENSES:
            giver.given += share
            receiver.received += share
    if once and selection.question.lens not in MINUTE_LENSES:
        for giver_id in content.giver_ids:
            sums[giver_id].given += MILLION
        for receiver_id in content.receiver_ids:
            sums[receiver_id].received += MILLION


def _balance(sums: OracleSums, question: Question, *, many_unknown: bool) -> dict[str, Any]:
    directed = sums.given_numbers | sums.received_numbers
    net, total = sums.given - sums.received, sums.given + sums.received
    many_unknown |= _many_unknown(
        len(sums.given_numbers),
        len(sums.given_unknown),
        len(sums.received_numbers),
        len(sums.received_unknown),
    )
    row: dict[str, Any] = {
        "exchange_count": len(directed | sums.joint_numbers),
        "given_unknown_count": len(sums.given_unknown),
        "received_unknown_count": len(sums.received_unknown),
        "joint_count": len(sums.joint_numbers),
        "reasons": [],
    }
    once = question.allocation == ALLOCATION_ONCE
    if not (once and question.lens in (LENS_ATTENTION, LENS_BENEFIT)):
        row["given"] = sums.given / MILLION
    if not (once and question.lens == LENS_BURDEN):
        row["received"] = sums.received / MILLION
    if not once:
        row["net"] = net / MILLION
    reasons = {
        "NO_KNOWN_AMOUNT": total == 0,
        "TOO_FEW_EXCHANGES": len(directed) < 5,
        "MANY_UNKNOWN": many_unknown,
    }
    if once:
        row["reasons"] = ["NOT_BORNE"]
    elif not any(reasons.values()):
        row["net_share"] = net / total
    else:
        row["reasons"] = [reason for reason, holds in reasons.items() if holds]
    return row


def _why_nothing(row: Row) -> list[str]:
    """Why an organization has no exchange in the answer."""
    if row["exchange_count"]:
        return []
    return ["NOTHING_SEEN" if row["isolate"] else "NONE_OF_THESE"]


def _many_unknown(given: int, given_unknown: int, received: int, received_unknown: int) -> bool:
    """Whether over a fifth is unknown, or the directions are over 20 points apart."""
    if given + received == 0:
        return False
    if Fraction(given_unknown + received_unknown, given + received) > Fraction(20, 100):
        return True
    if not given or not received:
        return False
    apart = abs(Fraction(given_unknown, given) - Fraction(received_unknown, received))
    return apart > Fraction(20, 100)


@dataclass(slots=True)
class OracleTie:
    """The sums from one organization to another; exchanges are numbered within the window."""

    numbers: set[int] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    undated: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    reporters: set[str] = field(default_factory=set)
    split_amount: int = 0
    full_amounts: dict[int, int] = field(default_factory=dict)

    def add(
        self, number: int, exchange: StandingExchange, share: int, quantity: int | None
    ) -> None:
        self.numbers.add(number)
        self.reporters |= find_reporters(exchange)
        if exchange.is_dated:
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


def _ties(selection: Selection) -> dict[tuple[str, str], OracleTie]:
    ties: dict[tuple[str, str], OracleTie] = {}
    for number, exchange in enumerate(selection.directed):
        for edge, share in selection.split_shares(exchange.content).items():
            tie = ties.setdefault(edge, OracleTie())
            tie.add(number, exchange, share, selection.get_quantity(exchange.content))
    return ties


def _pair(one: str, other: str, ties: dict[tuple[str, str], OracleTie], question: Question) -> Row:
    """The row of two organizations, the smaller id first in the call."""
    there, back = ties.get((one, other), OracleTie()), ties.get((other, one), OracleTie())
    giver_id, receiver_id = one, other
    if back.amount(question) > there.amount(question):
        there, back = back, there
        giver_id, receiver_id = other, one
    given, received = there.amount(question), back.amount(question)
    many = _many_unknown(
        len(there.numbers), len(there.unknown), len(back.numbers), len(back.unknown)
    )
    row: Row = {
        "giver_id": giver_id,
        "receiver_id": receiver_id,
        "given": given / MILLION,
        "received": received / MILLION,
        "net": (given - received) / MILLION,
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
    if there.numbers and back.numbers:
        told = (there.reporters | back.reporters) & {one, other}
        row["informants"] = 2 if told == {one, other} else 1
    return row


def _ends(row: Row) -> tuple[str, str]:
    return str(row["giver_id"]), str(row["receiver_id"])
