"""The part that every page shares: what can be filtered for, and the months with exchanges."""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict

from mutua.enum_words import words_by_number
from mutua.v1.types_pb2 import ExchangeKind, Formality
from services.query.dashboard.asker import Asker
from services.query.dashboard.directory import Directory, Party, shorten
from services.query.dashboard.view import Choices, View, ViewContent
from services.query.dashboard.windows import find_extent, list_month_questions, with_window


class Word(TypedDict):
    """A value of a filter, and what people call it."""

    word: str
    label: str


class Month(TypedDict):
    """A month: how many exchanges it has, and how many organizations recorded one of them."""

    month: str
    exchange_count: int
    recorded_count: int
    roster_count: int


class ProgrammeData(TypedDict):
    """What the filters offer."""

    programme: str
    organizations: list[Party]
    topics: list[Word]
    kinds: list[Word]
    formalities: list[Word]
    months: list[Month]


class ProgrammeAnswers(NamedTuple):
    """The answers that the part is made from; `months` has one for each month."""

    organizations: Any
    programme: Any
    months: list[Any]


async def ask_programme(asker: Asker, _: Choices) -> ProgrammeAnswers:
    """Asks for each month under the filters other than the window."""
    everything = with_window(asker.question, None, None)
    organizations = await asker.ask_organizations()
    questions = list_month_questions(everything, find_extent(organizations.organizations))
    return ProgrammeAnswers(
        organizations,
        await asker.ask("GetProgramme"),
        await asker.ask_each("GetConcentration", questions),
    )


def make_programme(answers: ProgrammeAnswers, _: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    programme = answers.programme.programme
    data: ProgrammeData = {
        "programme": shorten(programme.programme_id),
        "organizations": directory.parties(directory.organizations),
        "topics": [
            {"word": each.topic, "label": shorten(each.label or each.topic)}
            for each in programme.topics
        ],
        "kinds": _list_words(ExchangeKind.items()),
        "formalities": _list_words(Formality.items()),
        "months": [_make_month(each) for each in answers.months],
    }
    return ViewContent(data, answers.organizations)


def _list_words(items: Any) -> list[Word]:
    words = words_by_number(items).values()
    return [{"word": each, "label": each.replace("-", " ").capitalize()} for each in words]


def _make_month(answer: Any) -> Month:
    first = answer.question.from_date
    return {
        "month": f"{first.year:04}-{first.month:02}",
        "exchange_count": answer.coverage.exchange_count,
        "recorded_count": answer.coverage.recorded_count,
        "roster_count": answer.coverage.roster_count,
    }


PROGRAMME = View(
    name="programme",
    ask=ask_programme,
    make=make_programme,
    question="Which organizations, topics and months are there",
)
