"""The form that records an exchange, and what was recorded last."""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple, TypedDict

from services.query.dashboard.asker import Asker, unfiltered
from services.query.dashboard.directory import Directory
from services.query.dashboard.evidence import EvidenceExchange, make_exchange
from services.query.dashboard.view import Choices, View, ViewContent

RECENT_EXCHANGES: Final = 200
"""Exchanges from which the form learns who usually exchanges with whom."""
SHOWN_EXCHANGES: Final = 10
EFFORT_MINUTES: Final = (15, 30, 60, 120, 240, 480)


class RecordingData(TypedDict):
    """`partners` are a giver and a receiver each, the latest first, without repeats."""

    partners: list[tuple[str, str]]
    latest: list[EvidenceExchange]
    effort_minutes: list[int]
    today: str


class RecordingAnswers(NamedTuple):
    """The answers that the view is made from."""

    exchanges: Any
    organizations: Any


async def ask_recording(asker: Asker, _: Choices) -> RecordingAnswers:
    everything = unfiltered(asker.question)
    return RecordingAnswers(
        *await asyncio.gather(
            asker.ask_page(
                "ListExchanges",
                everything,
                page_size=RECENT_EXCHANGES,
                order_by="record_time desc",
                standing_only=True,
            ),
            asker.ask_organizations(),
        )
    )


def make_recording(answers: RecordingAnswers, _: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    exchanges = answers.exchanges.exchanges
    pairs = (
        (giver, receiver)
        for exchange in exchanges
        for giver in exchange.revisions[-1].content.giver_ids
        for receiver in exchange.revisions[-1].content.receiver_ids
    )
    today = answers.exchanges.as_of_date
    data: RecordingData = {
        "partners": list(dict.fromkeys(pairs))[:RECENT_EXCHANGES],
        "latest": [make_exchange(each, directory) for each in exchanges[:SHOWN_EXCHANGES]],
        "effort_minutes": list(EFFORT_MINUTES),
        "today": f"{today.year:04}-{today.month:02}-{today.day:02}",
    }
    return ViewContent(data, answers.exchanges)


RECORDING = View(
    name="recording",
    title="Log",
    ask=ask_recording,
    make=make_recording,
    question="What was recorded last",
)
