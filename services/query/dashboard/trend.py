"""The part that says what one organization gave and received, month by month."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, TypedDict

from services.query.dashboard.asker import Asker
from services.query.dashboard.balances import read_optional
from services.query.dashboard.directory import Directory, Party
from services.query.dashboard.view import Choices, View, ViewContent
from services.query.dashboard.windows import find_extent, list_month_questions


class TrendMonth(TypedDict):
    """A month. Amounts are exchanges or minutes of the lens; None where undefined."""

    month: str
    given: float | None
    received: float | None


class TrendData(TypedDict):
    """`selected` is None, and `months` empty, if no organization is selected."""

    selected: Party | None
    months: list[TrendMonth]


class TrendAnswers(NamedTuple):
    """The answers that the part is made from; `months` has one for each month."""

    organizations: Any
    balance: Any
    months: list[Any]


async def ask_trend(asker: Asker, choices: Choices) -> TrendAnswers:
    """Asks for each month of the selected organization, inside the window."""
    if not (organization_id := choices["organization"]):
        return TrendAnswers(await asker.ask_organizations(), None, [])
    organizations, balance = await asyncio.gather(
        asker.ask_organizations(), asker.ask("GetBalance", organization_id=organization_id)
    )
    questions = list_month_questions(asker.question, find_extent(organizations.organizations))
    months = await asker.ask_each("GetBalance", questions, organization_id=organization_id)
    return TrendAnswers(organizations, balance, months)


def make_trend(answers: TrendAnswers, _: Choices) -> ViewContent:
    if answers.balance is None:
        nothing: TrendData = {"selected": None, "months": []}
        return ViewContent(nothing, answers.organizations)
    directory = Directory(answers.organizations.organizations)
    data: TrendData = {
        "selected": directory.party(answers.balance.balance.organization_id),
        "months": [_make_month(each) for each in answers.months],
    }
    return ViewContent(data, answers.balance)


def _make_month(answer: Any) -> TrendMonth:
    first, balance = answer.question.from_date, answer.balance
    return {
        "month": f"{first.year:04}-{first.month:02}",
        "given": read_optional(balance, "given"),
        "received": read_optional(balance, "received"),
    }


TREND = View(
    name="trend",
    ask=ask_trend,
    make=make_trend,
    question="What did this organization give and receive, month by month",
    choices=("organization",),
)
