"""The form that records an exchange, what was recorded last, and which files were imported."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypedDict

from mutua.v1.query_service_pb2 import Batch
from services.query.dashboard.asker import Asker
from services.query.dashboard.directory import Directory, shorten
from services.query.dashboard.evidence import EvidenceExchange, make_exchange
from services.query.dashboard.filters import unfiltered
from services.query.dashboard.view import Choices, View, ViewContent

RECENT_EXCHANGES: Final = 200
"""Exchanges from which the form learns who usually exchanges with whom."""
SHOWN_EXCHANGES: Final = 10
SHOWN_BATCHES: Final = 10
EFFORT_MINUTES: Final = (15, 30, 60, 120, 240, 480)


class ImportedFile(TypedDict):
    """A batch with exchanges: how many it recorded, and how many of them still count."""

    batch: str
    label: str
    recorded_by: str
    day: str
    exchange_count: int
    counted_count: int


class RecordingData(TypedDict):
    """`partners` are a giver and a receiver each, without repeats. All lists: the latest first."""

    partners: list[tuple[str, str]]
    latest: list[EvidenceExchange]
    batches: list[ImportedFile]
    effort_minutes: list[int]
    today: str


class RecordingAnswers(NamedTuple):
    """The answers that the view is made from."""

    exchanges: Any
    organizations: Any
    batches: Any


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
            asker.ask("ListBatches"),
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
        "batches": make_batches(answers.batches.batches),
        "effort_minutes": list(EFFORT_MINUTES),
        "today": f"{today.year:04}-{today.month:02}-{today.day:02}",
    }
    return ViewContent(data, answers.exchanges)


def make_batches(batches: Iterable[Batch]) -> list[ImportedFile]:
    """The last ones that recorded exchanges; generations of one batch are one row."""
    rows: dict[tuple[str, str], ImportedFile] = {}
    for each in sorted(batches, key=lambda each: each.last_record_time.ToNanoseconds()):
        if not each.exchange_count:
            continue
        key = (each.batch, each.recorded_by)
        earlier = rows.pop(key, None)
        rows[key] = {
            "batch": each.batch,
            "label": shorten(each.batch),
            "recorded_by": each.recorded_by,
            "day": each.last_record_time.ToJsonString()[:10],
            "exchange_count": each.exchange_count,
            "counted_count": each.exchange_count
            - each.retracted_count
            + (earlier["counted_count"] if earlier else 0),
        }
    return list(reversed(rows.values()))[:SHOWN_BATCHES]


RECORDING = View(
    name="recording",
    title="Log",
    ask=ask_recording,
    make=make_recording,
    question="What was recorded last",
)
