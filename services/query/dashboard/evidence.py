"""The part with what lies behind a node or a tie: exchanges, or the one-sided pairs of all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypedDict

from mutua.v1.query_service_pb2 import Exchange
from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    OccurPrecision,
)
from services.query.dashboard.asker import Asker
from services.query.dashboard.directory import Directory, shorten
from services.query.dashboard.filters import with_filters
from services.query.dashboard.view import Choices, View, ViewContent
from services.query.dashboard.wording import KIND_WORDS, describe_day, list_words

MAX_ROWS: Final = 40
MAX_LABELS: Final = 4
MAX_NOTE_CHARACTERS: Final = 300


class EvidenceExchange(TypedDict):
    """An exchange as people read it; `minutes` are the giver's, None where unknown."""

    id: str
    day: str
    givers: str
    receivers: str
    kind: str
    topics: list[str]
    minutes: int | None
    note: str


class EvidencePair(TypedDict):
    """A pair in which one side gave more. Amounts are of the lens."""

    giver_id: str
    receiver_id: str
    giver: str
    receiver: str
    given: float
    received: float


class EvidenceData(TypedDict):
    """Exchanges of what is selected, the latest first; pairs if nothing is."""

    title: str
    exchanges: list[EvidenceExchange]
    pairs: list[EvidencePair]
    has_more: bool


class EvidenceAnswers(NamedTuple):
    """The answers that the part is made from; exchanges or pairs are None."""

    exchanges: Any
    pairs: Any
    organizations: Any


async def ask_evidence(asker: Asker, choices: Choices) -> EvidenceAnswers:
    organizations = asker.ask_organizations()
    if not any(choices.values()):
        pairs = asker.ask_page("ListPairs", page_size=MAX_ROWS, order_by="net desc")
        answers = await asyncio.gather(organizations, pairs)
        return EvidenceAnswers(None, answers[1], answers[0])
    question = asker.question
    if choices["organization"] and not choices["giver"]:
        question = with_filters(question, organization_ids=[choices["organization"]])
    exchanges = asker.ask_page(
        "ListExchanges",
        question,
        page_size=MAX_ROWS,
        order_by="occur_time desc",
        giver_id=choices["giver"],
        receiver_id=choices["receiver"],
        standing_only=True,
    )
    answers = await asyncio.gather(organizations, exchanges)
    return EvidenceAnswers(answers[1], None, answers[0])


def make_evidence(answers: EvidenceAnswers, choices: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    basis = answers.pairs if answers.exchanges is None else answers.exchanges
    data: EvidenceData = {
        "title": _make_title(choices, directory),
        "exchanges": []
        if answers.exchanges is None
        else [make_exchange(each, directory) for each in answers.exchanges.exchanges],
        "pairs": []
        if answers.pairs is None
        else [
            {
                "giver_id": each.giver_id,
                "receiver_id": each.receiver_id,
                "giver": directory.label(each.giver_id),
                "receiver": directory.label(each.receiver_id),
                "given": each.given,
                "received": each.received,
            }
            for each in answers.pairs.pairs
            if each.net > 0
        ],
        "has_more": bool(basis.next_page_token),
    }
    return ViewContent(data, basis)


def _make_title(choices: Choices, directory: Directory) -> str:
    if choices["giver"]:
        return f"{directory.label(choices['giver'])} to {directory.label(choices['receiver'])}"
    if choices["organization"]:
        return f"Exchanges of {directory.label(choices['organization'])}"
    return "One-sided pairs"


def make_exchange(exchange: Exchange, directory: Directory) -> EvidenceExchange:
    """An exchange in its current form."""
    revision = exchange.revisions[-1]
    content = revision.content
    return {
        "id": exchange.exchange_id,
        "day": describe_occurrence(revision.occur_time, revision.occur_precision),
        "givers": _list_labels(content.giver_ids or content.party_ids, directory),
        "receivers": _list_labels(content.receiver_ids, directory),
        "kind": KIND_WORDS.get(content.kind, "other").replace("-", " "),
        "topics": [shorten(topic) for topic in content.topics],
        "minutes": content.giver_minutes if content.HasField("giver_minutes") else None,
        "note": shorten(content.note.plain, MAX_NOTE_CHARACTERS),
    }


def _list_labels(organization_ids: Sequence[str], directory: Directory) -> str:
    """The first few names, and how many more there are."""
    labels = [directory.label(each) for each in organization_ids[:MAX_LABELS]]
    more = len(organization_ids) - len(labels)
    return list_words([*labels, f"{more} more"] if more else labels)


def describe_occurrence(time: Any, precision: OccurPrecision.ValueType) -> str:
    """Such as "3 May 2019", "May 2019" or "April to June 2019", as far as it is known."""
    day = time.ToDatetime().date()
    if precision == OCCUR_PRECISION_MONTH:
        return f"{day:%B} {day.year}"
    if precision == OCCUR_PRECISION_QUARTER:
        return f"{day:%B} to {day.replace(month=day.month + 2):%B} {day.year}"
    return describe_day(day)


EVIDENCE = View(
    name="evidence",
    ask=ask_evidence,
    make=make_evidence,
    question="Which exchanges are behind it",
    choices=("organization", "giver", "receiver"),
)
