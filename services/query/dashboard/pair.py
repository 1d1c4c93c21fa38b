"""The part with the exchanges between two organizations, in both directions."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, TypedDict

from services.query.dashboard.asker import Asker
from services.query.dashboard.directory import Directory
from services.query.dashboard.evidence import MAX_ROWS, EvidenceExchange, make_exchange
from services.query.dashboard.view import Choices, View, ViewContent


class PairDirection(TypedDict):
    """The exchanges from one organization to another, the latest first."""

    giver: str
    receiver: str
    exchanges: list[EvidenceExchange]
    has_more: bool


class PairData(TypedDict):
    """Both directions; none if no pair is selected."""

    directions: list[PairDirection]


class PairAnswers(NamedTuple):
    """The answers that the part is made from; no directions if no pair is selected."""

    directions: list[Any]
    organizations: Any


async def ask_pair(asker: Asker, choices: Choices) -> PairAnswers:
    giver, receiver = choices["giver"], choices["receiver"]
    ways = [(giver, receiver), (receiver, giver)] if giver and receiver else []
    pages = (
        asker.ask_page(
            "ListExchanges",
            page_size=MAX_ROWS,
            order_by="occur_time desc",
            giver_id=source,
            receiver_id=target,
            standing_only=True,
        )
        for source, target in ways
    )
    organizations = asker.ask_organizations()
    first, *directions = await asyncio.gather(organizations, *pages)
    return PairAnswers(directions, first)


def make_pair(answers: PairAnswers, choices: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    labels = [directory.label(choices["giver"]), directory.label(choices["receiver"])]
    directions: list[PairDirection] = [
        {
            "giver": giver,
            "receiver": receiver,
            "exchanges": [make_exchange(each, directory) for each in answer.exchanges],
            "has_more": bool(answer.next_page_token),
        }
        for answer, (giver, receiver) in zip(
            answers.directions, (labels, labels[::-1]), strict=False
        )
    ]
    data: PairData = {"directions": directions}
    return ViewContent(data, answers.directions[0] if directions else answers.organizations)


PAIR = View(
    name="pair",
    ask=ask_pair,
    make=make_pair,
    question="Which exchanges are between these two",
    choices=("giver", "receiver"),
)
