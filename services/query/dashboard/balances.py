"""What each organization gave and received."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, TypedDict

from mutua.v1.query_service_pb2 import Balance
from services.ledger.wording import NEITHER_IS_BETTER
from services.query.dashboard.asker import Asker
from services.query.dashboard.directory import Directory, Party
from services.query.dashboard.view import Choices, View, ViewContent


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


class BalancesData(TypedDict):
    """`rows` have the most active first; `silent` are those without an exchange, by name."""

    rows: list[BalanceRow]
    silent: list[Party]
    note: str


class BalancesAnswers(NamedTuple):
    """The answers that the view is made from."""

    balances: Any
    organizations: Any


async def ask_balances(asker: Asker, _: Choices) -> BalancesAnswers:
    return BalancesAnswers(
        *await asyncio.gather(asker.ask("ListBalances"), asker.ask_organizations())
    )


def make_balances(answers: BalancesAnswers, _: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    balances = answers.balances.balances
    rows = [_make_row(each, directory) for each in balances if each.exchange_count]
    rows.sort(key=lambda row: (-(row["given"] or 0) - (row["received"] or 0), row["label"]))
    data: BalancesData = {
        "rows": rows,
        "silent": directory.parties(
            each.organization_id for each in balances if not each.exchange_count
        ),
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


def read_optional(message: Any, field: str) -> float | None:
    """The value of a field, None if it is absent."""
    return getattr(message, field) if message.HasField(field) else None


BALANCES = View(
    name="balances",
    title="Balances",
    ask=ask_balances,
    make=make_balances,
    question="What did each organization give and receive",
)
