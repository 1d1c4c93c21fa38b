"""How far giving, and receiving, lie with a few: Gini, Lorenz and the share of the top three."""

from collections.abc import Iterable
from dataclasses import replace
from enum import IntEnum
from itertools import accumulate
from typing import Final, NamedTuple

from services.ledger.answers import balances, counted, population
from services.ledger.question import (
    FEW_EXCHANGES,
    NO_KNOWN_AMOUNT,
    NOT_BORNE,
    TOO_FEW_EXCHANGES,
    Answer,
    Coverage,
    Question,
)
from services.ledger.state import Ledger
from services.ledger.words import Allocation, Lens

METRIC_VERSION: Final = 1
"""Of the definitions here; numbers of another version are not to be compared with these."""
_TOP: Final = 3


class Direction(IntEnum):
    """Which side of the flow is looked at."""

    GIVING = 1
    RECEIVING = 2


class Concentration(NamedTuple):
    """How one side of the flow lies on a population; `total` in millionths, None is absent."""

    direction: Direction
    organization_count: int
    total: int | None = None
    gini: float | None = None
    """0 when all have the same, nearly 1 when one has everything."""
    top_three_share: float | None = None
    lorenz: tuple[float, ...] = ()
    """The share of those that have least: of none of them, of one, and so on to all."""
    reasons: tuple[str, ...] = ()
    """Why there are no measures; () when there are."""


def concentration(ledger: Ledger, question: Question) -> Answer[Concentration]:
    """Giving, then receiving. Raises QuestionImpossible for allocation full.

    Organizations that are asked for change nothing: they choose rows of organizations.
    """
    members = population(ledger, question, list(counted(ledger, question)))
    found = balances(ledger, replace(question, organization_ids=()))
    rows = [row for row in found.rows if row.organization_id in members]
    given, received = [row.given or 0 for row in rows], [row.received or 0 for row in rows]
    measured = measure(question, found.coverage, given, received)
    return Answer(measured, found.coverage, found.warnings)


def measure(
    question: Question, coverage: Coverage, given: Iterable[int], received: Iterable[int]
) -> list[Concentration]:
    """Of what each organization of the population gave and received, those with nothing too.

    Nothing is said under 5 directed exchanges, without an amount, and of a side that bears nothing.
    """
    few = coverage.exchange_count - coverage.joint_count < FEW_EXCHANGES
    sides = ((Direction.GIVING, sorted(given)), (Direction.RECEIVING, sorted(received)))
    return [
        _measure(direction, amounts, few=few)
        if _is_borne(question, direction)
        else Concentration(direction, len(amounts), reasons=(NOT_BORNE,))
        for direction, amounts in sides
    ]


def _measure(direction: Direction, ascending: list[int], *, few: bool) -> Concentration:
    count, sums = len(ascending), list(accumulate(ascending, initial=0))
    total = sums[-1]
    if few or not total:
        reasons = (NO_KNOWN_AMOUNT,) * (not total) + (TOO_FEW_EXCHANGES,) * few
        return Concentration(direction, count, total, reasons=reasons)
    return Concentration(
        direction,
        count,
        total,
        # Whole numbers to the end: twice the area between the curve and the diagonal.
        gini=((count + 1) * total - 2 * sum(sums)) / (count * total),
        top_three_share=(total - sums[max(0, count - _TOP)]) / total,
        lorenz=tuple(each / total for each in sums),
    )


def _is_borne(question: Question, direction: Direction) -> bool:
    """Whether the allocation lays anything on a side."""
    if question.allocation is not Allocation.ONCE or question.lens is Lens.COUNT:
        return True
    return (question.lens is Lens.BURDEN) == (direction is Direction.GIVING)
