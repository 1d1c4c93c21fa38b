"""Concentration of giving and receiving, from the differences between every two members."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from mutua.v1.query_service_pb2 import (
    ALLOCATION_ONCE,
    DIRECTION_GIVING,
    DIRECTION_RECEIVING,
    LENS_ATTENTION,
    LENS_BENEFIT,
    LENS_BURDEN,
    Question,
)
from tests.oracle.answers import Row, compute_balances, find_warnings
from tests.oracle.fold import OracleLedger
from tests.oracle.selection import MILLION, Selection

UNBORNE = {LENS_BURDEN: ["received"], LENS_ATTENTION: ["given"], LENS_BENEFIT: ["given"]}


def compute_concentration(ledger: OracleLedger, question: Question) -> list[Row]:
    """Giving and receiving. Raises UnanswerableQuestionError under allocation full."""
    everybody = Question()
    everybody.CopyFrom(question)
    del everybody.organization_ids[:]
    selection = Selection(ledger, question)
    members = selection.find_population()
    rows = [
        row for row in compute_balances(ledger, everybody) if str(row["organization_id"]) in members
    ]
    rows_by_direction = []
    for direction, side in ((DIRECTION_GIVING, "given"), (DIRECTION_RECEIVING, "received")):
        row: Row = {
            "direction": direction,
            "organization_count": len(rows),
            "lorenz": [],
            "reasons": [],
            "metric_version": 1,
        }
        rows_by_direction.append(row)
        if question.allocation == ALLOCATION_ONCE and side in UNBORNE.get(question.lens, []):
            row["reasons"] = ["NOT_BORNE"]
            continue
        amounts = sorted(round(float(str(each[side])) * MILLION) for each in rows)
        total = sum(amounts)
        row["total"] = total / MILLION
        if question.allocation != ALLOCATION_ONCE:
            row["spill_over"] = _spill_over(selection, members, direction) / MILLION
        reasons = {
            "NO_KNOWN_AMOUNT": total == 0,
            "TOO_FEW_EXCHANGES": len(selection.directed) < 5,
            "MANY_UNKNOWN": "MANY_UNKNOWN" in find_warnings(ledger, question),
        }
        row["reasons"] = [reason for reason, holds in reasons.items() if holds]
        if not row["reasons"]:
            row |= _measures(amounts, total)
    return rows_by_direction


def _spill_over(selection: Selection, members: set[str], direction: int) -> int:
    """What members gave to others, or received from others."""
    spilled = 0
    for exchange in selection.directed:
        for (giver_id, receiver_id), share in selection.split_shares(exchange.content).items():
            ends = (giver_id, receiver_id)
            inside, outside = ends if direction == DIRECTION_GIVING else reversed(ends)
            spilled += share if inside in members and outside not in members else 0
    return spilled


def _measures(amounts: list[int], total: int) -> Row:
    """`gini` is half the mean difference between two amounts, divided by the mean."""
    differences = sum(abs(one - other) for one, other in product(amounts, amounts))
    return {
        "gini": float(Fraction(differences, 2 * len(amounts) * total)),
        "top_three_share": float(Fraction(sum(sorted(amounts, reverse=True)[:3]), total)),
        "lorenz": [
            float(Fraction(sum(amounts[:count]), total)) for count in range(len(amounts) + 1)
        ],
    }
