"""What each organization gave and received, and the months of one of them."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, TypedDict

from mutua.v1.query_service_pb2 import Balance
from services.ledger.wording import NEITHER_IS_BETTER
from services.query.dashboard.asker import Asker
from services.query.dashboard.directory import Directory, Party
from services.query.dashboard.view import Choices, View, ViewContent
from services.query.dashboard.windows import find_extent, list_month_questions


class BalanceRow(TypedDict):
    """An organization. Amounts are exchanges or minutes of the lens; None where undefined."""

    id: str
    label: str
    given: float | None
    received: float | None
    net: float | None
    exchange_count: int
    joint_count: int
    unknown_count: int


class TrendMonth(TypedDict):
    """A month of one organization."""

    month: str
    given: float | None
    received: float | None


class BalancesData(TypedDict):
    """`rows` have the most active first; `silent` are those without an exchange, by name."""

    rows: list[BalanceRow]
    silent: list[Party]
    selected: Party | None
    trend: list[TrendMonth]
    note: str


class BalancesAnswers(NamedTuple):
    """The answers that the view is made from; `trend` has one for each month."""

    balances: Any
    organizations: Any
    trend: list[Any]


async def ask_balances(asker: Asker, choices: Choices) -> BalancesAnswers:
    """Also asks for each month of the selected organization, inside the window."""
    balances, organizations = await asyncio.gather(
        asker.ask("ListBalances"), asker.ask_organizations()
    )
    if not (organization_id := choices["organization"]):
        return BalancesAnswers(balances, organizations, [])
    extent = find_extent(organizations.organizations)
    months = list_month_questions(asker.question, extent)
    trend = await asker.ask_each("GetBalance", months, organization_id=organization_id)
    return BalancesAnswers(balances, organizations, trend)


def make_balances(answers: BalancesAnswers, choices: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    balances = answers.balances.balances
    rows = [_make_row(each, directory) for each in balances if each.exchange_count]
    rows.sort(key=lambda row: (-(row["given"] or 0) - (row["received"] or 0), row["label"]))
    selected = choices["organization"]
    if answers.trend:
        selected = answers.trend[0].balance.organization_id
    data: BalancesData = {
        "rows": rows,
        "silent": directory.parties(
            each.organization_id for each in balances if not each.exchange_count
        ),
        "selected": directory.party(selected) if selected else None,
        "trend": [_make_month(each) for each in answers.trend],
        "note": NEITHER_IS_BETTER,
    }
    return ViewContent(data, answers.balances)


def _make_row(balance: Balance, directory: Directory) -> BalanceRow:
    return {
        "id": balance.organization_id,
        "label": directory.label(balance.organization_id),
        "given": read_optional(balance, "given"),
        "received": read_optional(balance, "received"),
        "net": read_optional(balance, "net"),
        "exchange_count": balance.exchange_count,
        "joint_count": balance.joint_count,
        "unknown_count": balance.given_unknown_count + balance.received_unknown_count,
    }


def _make_month(answer: Any) -> TrendMonth:
    first, balance = answer.question.from_date, answer.balance
    return {
        "month": f"{first.year:04}-{first.month:02}",
        "given": read_optional(balance, "given"),
        "received": read_optional(balance, "received"),
    }


def read_optional(message: Any, field: str) -> float | None:
    """The value of a field, None if it is absent."""
    return getattr(message, field) if message.HasField(field) else None


BALANCES = View(
    name="balances",
    title="Balances",
    ask=ask_balances,
    make=make_balances,
    question="What did each organization give and receive",
    choices=("organization",),
)
