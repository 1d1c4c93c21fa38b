"""One organization: what it is, with whom and on what it exchanges, and who depends on it alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypedDict

from mutua.enum_words import words_by_number
from mutua.frames import to_day
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import OrganizationType
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.wording import NEITHER_IS_BETTER
from services.query.dashboard.asker import Asker
from services.query.dashboard.balances import read_optional
from services.query.dashboard.directory import Directory, Party, isolate, shorten
from services.query.dashboard.evidence import EvidenceExchange, make_exchange
from services.query.dashboard.filters import with_filters
from services.query.dashboard.view import Choices, View, ViewContent
from services.query.dashboard.wording import describe_day

PAGE_ROWS: Final = 20
"""Exchanges on a page of the timeline."""
MAX_TIMELINE_ROWS: Final = 1_000
MAX_TOPICS: Final = 60
"""Topics with bars. More make a chart that nobody reads."""
_DateField: TypeAlias = Literal[
    "first_exchange_date", "last_exchange_date", "open_date", "close_date"
]
_DATES: Final[tuple[tuple[str, _DateField], ...]] = (
    ("First exchange ever", "first_exchange_date"),
    ("Last exchange ever", "last_exchange_date"),
    ("In force from", "open_date"),
    ("In force until", "close_date"),
)
_TYPES: Final = words_by_number(OrganizationType.items())


class ProfileLine(TypedDict):
    """Something that is known of an organization."""

    label: str
    value: str


class FlowRow(TypedDict):
    """What it gave to and received from a partner, or on a topic. Amounts are of the lens."""

    id: str
    label: str
    given: float | None
    received: float | None
    unknown_count: int


class OrganizationData(TypedDict):
    """`selected` is None, and the rest empty, if no organization is selected.

    `timeline` has the latest exchanges first. `dependants` received from this organization alone.
    """

    selected: Party | None
    profile: list[ProfileLine]
    partners: list[FlowRow]
    topics: list[FlowRow]
    timeline: list[EvidenceExchange]
    next_rows: int | None
    dependants: list[Party]
    only_source: Party | None
    note: str


class OrganizationAnswers(NamedTuple):
    """The answers that the view is made from; all but `organizations` are None without a choice.

    `topics` has a balance for each of `topic_words`.
    """

    organizations: Any
    balance: Any
    pairs: Any
    exchanges: Any
    structure: Any
    topic_words: list[str]
    topics: list[Any]


async def ask_organization(asker: Asker, choices: Choices) -> OrganizationAnswers:
    organizations = asker.ask_organizations()
    if not (organization_id := choices["organization"]):
        return OrganizationAnswers(await organizations, None, None, None, None, [], [])
    own = with_filters(asker.question, organization_ids=[organization_id])
    listed, balance, pairs, exchanges, structure, topics = await asyncio.gather(
        organizations,
        asker.ask("GetBalance", organization_id=organization_id),
        asker.ask("ListPairs", own),
        asker.ask_page(
            "ListExchanges",
            own,
            page_size=read_rows(choices),
            order_by="occur_time desc",
            standing_only=True,
        ),
        asker.ask("GetStructure"),
        asker.ask("ListTopicAsymmetry", own),
    )
    words = [each.topic for each in topics.topics if each.topic][:MAX_TOPICS]
    questions = [with_filters(asker.question, topics=[word]) for word in words]
    balances = await asker.ask_each("GetBalance", questions, organization_id=organization_id)
    return OrganizationAnswers(listed, balance, pairs, exchanges, structure, words, balances)


def read_rows(choices: Choices) -> int:
    """How many exchanges the timeline has. Raises ImpossibleQuestionError."""
    rows = choices["rows"] or str(PAGE_ROWS)
    if not (re.fullmatch("[1-9][0-9]{0,3}", rows) and int(rows) <= MAX_TIMELINE_ROWS):
        remedy = f"choose a number from 1 to {MAX_TIMELINE_ROWS}"
        raise ImpossibleQuestionError.for_field("rows", f"is {rows[:40]!r}", remedy)
    return int(rows)


def make_organization(answers: OrganizationAnswers, choices: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    if answers.balance is None:
        return ViewContent(_make_nothing(), answers.organizations)
    own_id = answers.balance.balance.organization_id
    reaches = answers.structure.structures[0].reaches
    sources = {
        each.organization_id: each.only_source_id
        for each in reaches
        if each.HasField("only_source_id")
    }
    rows = read_rows(choices)
    has_more = answers.exchanges.next_page_token and rows < MAX_TIMELINE_ROWS
    data: OrganizationData = {
        "selected": directory.party(own_id),
        "profile": _make_profile(answers, directory.organizations.get(own_id)),
        "partners": _make_partners(answers.pairs.pairs, own_id, directory),
        "topics": _make_topics(answers),
        "timeline": [make_exchange(each, directory) for each in answers.exchanges.exchanges],
        "next_rows": min(rows + PAGE_ROWS, MAX_TIMELINE_ROWS) if has_more else None,
        "dependants": directory.parties(each for each, only in sources.items() if only == own_id),
        "only_source": directory.party(sources[own_id]) if own_id in sources else None,
        "note": NEITHER_IS_BETTER,
    }
    own = isolate(directory.label(own_id))
    subject = f"What did {own} give and receive, with whom and on what"
    return ViewContent(data, answers.balance, subject)


def _make_nothing() -> OrganizationData:
    return {
        "selected": None,
        "profile": [],
        "partners": [],
        "topics": [],
        "timeline": [],
        "next_rows": None,
        "dependants": [],
        "only_source": None,
        "note": "",
    }


def _make_profile(
    answers: OrganizationAnswers, organization: Organization | None
) -> list[ProfileLine]:
    lines = [] if organization is None else [*_describe_organization(organization)]
    balance = answers.balance.balance
    lines.append(("Exchanges here", f"{balance.exchange_count:,}"))
    if balance.joint_count:
        lines.append(("Of these joint", f"{balance.joint_count:,}"))
    return [{"label": label, "value": shorten(value)} for label, value in lines if value]


def _describe_organization(organization: Organization) -> Iterator[tuple[str, str]]:
    yield "Id", organization.organization_id
    yield "Type", _TYPES.get(organization.type, "").replace("-", " ").capitalize()
    yield "Sector", organization.sector
    yield "Region", organization.region
    yield "Core system", organization.core_system
    yield "Strategic group", organization.strategic_group
    yield "Size", organization.size
    yield "Role", organization.role
    yield "Registered", "" if organization.registered else "no, only named in exchanges"
    for label, field in _DATES:
        if organization.HasField(field):
            yield label, describe_day(to_day(getattr(organization, field)))


def _make_partners(pairs: Any, own_id: str, directory: Directory) -> list[FlowRow]:
    """The partners of an organization, the most active first."""
    rows: list[FlowRow] = []
    for pair in pairs:
        gave = pair.giver_id == own_id
        partner = pair.receiver_id if gave else pair.giver_id
        rows.append(
            {
                **directory.party(partner),
                "given": pair.given if gave else pair.received,
                "received": pair.received if gave else pair.given,
                "unknown_count": pair.given_unknown_count + pair.received_unknown_count,
            }
        )
    return sorted(rows, key=_order_by_amount)


def _make_topics(answers: OrganizationAnswers) -> list[FlowRow]:
    rows: list[FlowRow] = []
    for topic, answer in zip(answers.topic_words, answers.topics, strict=True):
        balance = answer.balance
        if balance.exchange_count > balance.joint_count:
            rows.append(
                {
                    "id": topic,
                    "label": shorten(topic),
                    "given": read_optional(balance, "given"),
                    "received": read_optional(balance, "received"),
                    "unknown_count": balance.given_unknown_count + balance.received_unknown_count,
                }
            )
    return sorted(rows, key=_order_by_amount)


def _order_by_amount(row: FlowRow) -> tuple[float, str]:
    return -(row["given"] or 0) - (row["received"] or 0), row["label"]


ORGANIZATION = View(
    name="organization",
    title="Organization",
    ask=ask_organization,
    make=make_organization,
    question="What did one organization give and receive, with whom and on what",
    choices=("organization", "rows"),
)
