"""What there is, what changed lately, and who may need help."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, TypedDict

from mutua.frames import to_day
from mutua.v1.query_service_pb2 import LENS_BURDEN, LENS_COUNT, Question
from services.query.dashboard.asker import Asker
from services.query.dashboard.directory import Directory, Party
from services.query.dashboard.filters import with_filters
from services.query.dashboard.view import Choices, View, ViewContent
from services.query.dashboard.windows import find_end, find_extent, with_window
from services.query.dashboard.wording import describe_day

RECENT_DAYS: Final = 30
STOPPED_DAYS: Final = 90
"""An organization that exchanged before these days and not in them has stopped."""


class Total(TypedDict):
    """A figure; `of` is what it is a part of. Units: exchanges, minutes, organizations, ties."""

    name: str
    label: str
    value: float
    of: float | None
    unit: str


class Change(TypedDict):
    """A figure of the recent days and of the days before."""

    name: str
    label: str
    now: float
    before: float
    unit: str


class HelpList(TypedDict):
    """Organizations that may need help, by name, and why they are on the list.

    `notes` has something on each organization, or nothing.
    """

    name: str
    label: str
    meaning: str
    organizations: list[Party]
    notes: list[str]


class OverviewData(TypedDict):
    """`recent` says which days are compared."""

    totals: list[Total]
    changes: list[Change]
    recent: str
    help: list[HelpList]


class WindowAnswers(NamedTuple):
    """What is asked about one window."""

    counts: Any
    minutes: Any
    structure: Any


class OverviewAnswers(NamedTuple):
    """The answers that the overview is made from; `end` is the day after the recent days."""

    organizations: Any
    balances: Any
    whole: WindowAnswers
    recent: WindowAnswers
    before: WindowAnswers
    stopped: Any
    end: date


async def ask_overview(asker: Asker, _: Choices) -> OverviewAnswers:
    question = asker.question
    organizations, balances, whole = await asyncio.gather(
        asker.ask_organizations(),
        asker.ask("ListBalances"),
        _ask_window(asker, question),
    )
    extent = find_extent(organizations.organizations)
    end = find_end(question, extent, to_day(balances.as_of_date))
    middle, start = end - timedelta(RECENT_DAYS), end - timedelta(2 * RECENT_DAYS)
    recent, before, stopped = await asyncio.gather(
        _ask_window(asker, with_window(question, middle, end)),
        _ask_window(asker, with_window(question, start, middle)),
        asker.ask("GetStructure", with_window(question, end - timedelta(STOPPED_DAYS), end)),
    )
    return OverviewAnswers(organizations, balances, whole, recent, before, stopped, end)


async def _ask_window(asker: Asker, question: Question) -> WindowAnswers:
    counted, timed = (with_filters(question, lens=lens) for lens in (LENS_COUNT, LENS_BURDEN))
    return WindowAnswers(
        *await asyncio.gather(
            asker.ask("GetConcentration", counted),
            asker.ask("GetConcentration", timed),
            asker.ask("GetStructure", counted),
        )
    )


def make_overview(answers: OverviewAnswers, _: Choices) -> ViewContent:
    recent_first = answers.end - timedelta(RECENT_DAYS)
    data: OverviewData = {
        "totals": _make_totals(answers),
        "changes": _make_changes(answers.recent, answers.before),
        "recent": (
            f"{describe_day(recent_first)} to {describe_day(answers.end - timedelta(1))}, next to "
            f"the {RECENT_DAYS} days before"
        ),
        "help": _make_help_lists(answers, Directory(answers.organizations.organizations)),
    }
    return ViewContent(data, answers.balances)


def _make_totals(answers: OverviewAnswers) -> list[Total]:
    whole, coverage = answers.whole, answers.balances.coverage
    structure = whole.structure.structures[0]
    active = sum(each.exchange_count > 0 for each in answers.balances.balances)
    return [
        make_total("exchanges", "Exchanges", coverage.exchange_count, "exchanges"),
        make_total("time", "Time given", _sum(whole.minutes), "minutes"),
        make_total(
            "active",
            "Organizations active",
            active,
            "organizations",
            len(answers.balances.balances),
        ),
        make_total("ties", "Ties, from giver to receiver", structure.tie_count, "ties"),
        make_total(
            "recorded",
            "Have recorded",
            coverage.recorded_count,
            "organizations",
            coverage.roster_count,
        ),
    ]


def make_total(name: str, label: str, value: float, unit: str, of: float | None = None) -> Total:
    """A figure with what it is a part of, if it is."""
    return {"name": name, "label": label, "value": value, "of": of, "unit": unit}


def _sum(concentration: Any) -> float:
    """What the organizations of the population gave, those outside it included."""
    return float(concentration.concentrations[0].total)


def _make_changes(recent: WindowAnswers, before: WindowAnswers) -> list[Change]:
    changes: list[Change] = [
        {
            "name": "exchanges",
            "label": "Exchanges",
            "now": recent.counts.coverage.exchange_count,
            "before": before.counts.coverage.exchange_count,
            "unit": "exchanges",
        },
        {
            "name": "time",
            "label": "Time given",
            "now": _sum(recent.minutes),
            "before": _sum(before.minutes),
            "unit": "minutes",
        },
    ]
    for name, label, unit in (
        ("giver_count", "Organizations that gave", "organizations"),
        ("receiver_count", "Organizations that received", "organizations"),
        ("tie_count", "Ties", "ties"),
        ("newcomer_count", "Newcomers", "organizations"),
    ):
        now, then = (getattr(each.structure.structures[0], name) for each in (recent, before))
        changes.append({"name": name, "label": label, "now": now, "before": then, "unit": unit})
    return changes


def _make_help_lists(answers: OverviewAnswers, directory: Directory) -> list[HelpList]:
    whole = answers.whole.structure.structures[0]
    stopped = answers.stopped.structures[0]
    since = describe_day(answers.end - timedelta(STOPPED_DAYS))
    last_days = {
        each.organization_id: describe_day(to_day(each.last_exchange_date))
        for each in stopped.stopped_organizations
    }
    sources = {
        each.organization_id: directory.label(each.only_source_id)
        for each in whole.reaches
        if each.HasField("only_source_id")
    }
    isolates = directory.parties(whole.isolate_ids)
    stopped_parties = directory.parties(last_days)
    receivers = directory.parties(sources)
    return [
        {
            "name": "isolates",
            "label": "Nothing seen of",
            "meaning": "No exchange in the window. They may share in ways that nobody recorded.",
            "organizations": isolates,
            "notes": [],
        },
        {
            "name": "stopped",
            "label": "Stopped",
            "meaning": f"Exchanged before {since}, and not since.",
            "organizations": stopped_parties,
            "notes": [f"last on {last_days[each['id']]}" for each in stopped_parties],
        },
        {
            "name": "sole_source",
            "label": "Receive from one only",
            "meaning": "If that one stops, they receive from nobody.",
            "organizations": receivers,
            "notes": [f"from {sources[each['id']]}" for each in receivers],
        },
    ]


OVERVIEW = View(
    name="overview",
    title="Overview",
    ask=ask_overview,
    make=make_overview,
    question="What was exchanged, what changed lately, and who may need help",
)
