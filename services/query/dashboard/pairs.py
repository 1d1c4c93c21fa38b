"""One-sided pairs: contact days, the evidence in them, how rich they are, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypedDict

from mutua.v1.analysis_service_pb2 import PairAsymmetry
from services.ledger.wording import NEITHER_IS_BETTER
from services.query.dashboard.asker import Asker
from services.query.dashboard.balances import read_optional
from services.query.dashboard.directory import Directory, Party
from services.query.dashboard.rungs import ask_rungs, count_rungs, describe_rung, find_rung
from services.query.dashboard.view import Choices, View, ViewContent, read_choice
from services.query.dashboard.wording import describe_reasons

MAX_PAIRS: Final = 200
"""Pairs in the view, the first in its order. What the network pays back is computed for each."""
CLEAR_Q: Final = 0.05
"""With this q or less, chance alone would rarely make a pair so one-sided."""
MOST_ONE_SIDED: Final = "interval_low desc, contact_days desc"
EVIDENCES: Final = ("enough", "clear", "every")


class ListedPair(TypedDict):
    """A pair in which the giver gave more under the lens, in exchanges or minutes.

    `p_value`, `q_value` and the interval of the share of contact days in the more frequent
    direction are None below 6 contact days; `paid_back` is None if both gave as much. `path` goes
    from the receiver to the giver. `rungs` has the exchanges on each rung from 1 to 6, `rung` is
    the highest with one, None without any. `reason` says what cannot be said.
    """

    giver_id: str
    receiver_id: str
    giver: str
    receiver: str
    given: float
    received: float
    given_days: int
    received_days: int
    undated_count: int
    p_value: float | None
    q_value: float | None
    interval_low: float | None
    interval_high: float | None
    direction_differs: bool
    paid_back: float | None
    path: list[Party]
    rungs: list[int]
    rung: int | None
    rung_label: str
    reason: str


class PairsData(TypedDict):
    """The first pairs in an order, and whether there are more."""

    rows: list[ListedPair]
    has_more: bool
    order: str
    evidence: str
    note: str


class PairsAnswers(NamedTuple):
    """The answers that the view is made from; `rungs` has one for each rung."""

    pairs: Any
    organizations: Any
    rungs: list[Any]


async def ask_pairs(asker: Asker, choices: Choices) -> PairsAnswers:
    evidence = read_choice(choices, "evidence", EVIDENCES)
    pairs = asker.ask_page(
        "ListAsymmetry",
        page_size=MAX_PAIRS,
        order_by=choices["order"] or MOST_ONE_SIDED,
        every_pair=evidence == "every",
    )
    organizations = asker.ask_organizations()
    return PairsAnswers(*await asyncio.gather(pairs, organizations, ask_rungs(asker)))


def make_pairs(answers: PairsAnswers, choices: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    evidence = read_choice(choices, "evidence", EVIDENCES)
    pairs = [each for each in answers.pairs.pairs if evidence != "clear" or is_clear(each)]
    rungs = count_rungs(answers.rungs)
    data: PairsData = {
        "rows": [
            _make_row(each, directory, rungs[frozenset((each.giver_id, each.receiver_id))])
            for each in pairs
        ],
        "has_more": bool(answers.pairs.next_page_token),
        "order": choices["order"] or MOST_ONE_SIDED,
        "evidence": evidence,
        "note": NEITHER_IS_BETTER,
    }
    return ViewContent(data, answers.pairs)


def is_clear(pair: PairAsymmetry) -> bool:
    return pair.HasField("q_value") and pair.q_value <= CLEAR_Q


def _make_row(pair: PairAsymmetry, directory: Directory, rungs: Sequence[int]) -> ListedPair:
    rung = find_rung(rungs)
    reasons = [each for each in pair.reasons if each != "NO_DIFFERENCE"]
    return {
        "giver_id": pair.giver_id,
        "receiver_id": pair.receiver_id,
        "giver": directory.label(pair.giver_id),
        "receiver": directory.label(pair.receiver_id),
        "given": pair.given,
        "received": pair.received,
        "given_days": pair.given_days,
        "received_days": pair.received_days,
        "undated_count": pair.undated_count,
        "p_value": read_optional(pair, "p_value"),
        "q_value": read_optional(pair, "q_value"),
        "interval_low": read_optional(pair, "interval_low"),
        "interval_high": read_optional(pair, "interval_high"),
        "direction_differs": pair.direction_differs,
        "paid_back": pair.paid_back.amount if pair.HasField("paid_back") else None,
        "path": [directory.party(each) for each in pair.paid_back.path_ids],
        "rungs": list(rungs),
        "rung": rung,
        "rung_label": describe_rung(rung) if rung else "",
        "reason": describe_reasons(reasons) if reasons else "",
    }


PAIRS = View(
    name="pairs",
    title="Pairs",
    ask=ask_pairs,
    make=make_pairs,
    question="Between which two did one give and the other not, and does it come back",
    choices=("order", "evidence"),
)
