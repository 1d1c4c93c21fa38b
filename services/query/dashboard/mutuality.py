"""How mutual ties and amounts are next to chance, period by period, and on whom that depends."""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple, TypedDict

from mutua.frames import to_day
from mutua.v1.analysis_service_pb2 import (
    PERIOD_MONTH,
    PERIOD_QUARTER,
    PERIOD_YEAR,
    Reciprocity,
    WithoutOrganization,
)
from services.ledger.wording import format_count
from services.query.dashboard.asker import Asker
from services.query.dashboard.balances import read_optional
from services.query.dashboard.directory import Directory
from services.query.dashboard.mutual import Band, list_bands
from services.query.dashboard.view import Choices, View, ViewContent, read_choice
from services.query.dashboard.wording import describe_reasons

PERIODS: Final = {"quarter": PERIOD_QUARTER, "month": PERIOD_MONTH, "year": PERIOD_YEAR}
_DEVIATIONS: Final = 1.96
"""Standard deviations to each side that hold 95 % of a normal distribution."""


class TiesData(TypedDict):
    """Ties in both directions. Shares are of ties, 0 to 1; None and no bands where undefined."""

    sentence: str
    returned: float | None
    bands: list[Band]
    tie_count: int
    mutual_count: int
    asymmetric_count: int
    null_count: int


class LeftOutRow(TypedDict):
    """The returned share of the flow without one organization, 0 to 1."""

    id: str
    label: str
    returned: float


class DependenceData(TypedDict):
    """How far the returned share depends on few pairs, and on one organization."""

    sentence: str
    returned: float | None
    bands: list[Band]
    without: list[LeftOutRow]


class PeriodRow(TypedDict):
    """A period of the series. Shares are 0 to 1, None where undefined; `reason` says why there is
    no verdict."""

    label: str
    exchange_count: int
    returned: float | None
    ceiling: float | None
    bands: list[Band]
    ties_returned: float | None
    ties_bands: list[Band]
    reason: str


class MutualityData(TypedDict):
    """`unplaced_count` exchanges are known only to a longer period than those of the series."""

    ties: TiesData
    dependence: DependenceData
    period: str
    series: list[PeriodRow]
    unplaced_count: int


class MutualityAnswers(NamedTuple):
    """The answers that the view is made from."""

    whole: Any
    series: Any
    organizations: Any


async def ask_mutuality(asker: Asker, choices: Choices) -> MutualityAnswers:
    period = PERIODS[read_choice(choices, "period", tuple(PERIODS))]
    return MutualityAnswers(
        *await asyncio.gather(
            asker.ask("GetReciprocity"),
            asker.ask("GetReciprocity", period=period),
            asker.ask_organizations(),
        )
    )


def make_mutuality(answers: MutualityAnswers, choices: Choices) -> ViewContent:
    whole = answers.whole.reciprocities[0]
    period = read_choice(choices, "period", tuple(PERIODS))
    data: MutualityData = {
        "ties": _make_ties(whole),
        "dependence": _make_dependence(whole, Directory(answers.organizations.organizations)),
        "period": period,
        "series": [_make_period(each, period) for each in answers.series.reciprocities],
        "unplaced_count": answers.series.unplaced_count,
    }
    return ViewContent(data, answers.whole)


def _make_ties(row: Reciprocity) -> TiesData:
    return {
        "sentence": _describe_ties(row),
        "returned": read_optional(row, "reciprocity"),
        "bands": _list_tie_bands(row),
        "tie_count": row.tie_count,
        "mutual_count": row.mutual_count,
        "asymmetric_count": row.asymmetric_count,
        "null_count": row.null_count,
    }


def _describe_ties(row: Reciprocity) -> str:
    if not row.HasField("reciprocity"):
        return "There is no tie in this window."
    ties = format_count(row.tie_count, "tie")
    returned = f"Of {ties}, {row.reciprocity:.0%} are returned by a tie back."
    if not (bands := _list_tie_bands(row)):
        return f"{returned} Chance cannot be computed for these ties."
    chance = "; chance returns {low:.0%} to {high:.0%} if all keep their numbers of ties."
    return returned[:-1] + chance.format(**bands[0])


def _list_tie_bands(row: Reciprocity) -> list[Band]:
    """What chance returns if all keep their numbers of ties, or nothing where undefined."""
    if not row.HasField("expected_reciprocity_deviation"):
        return []
    expected = row.expected_reciprocity
    margin = _DEVIATIONS * row.expected_reciprocity_deviation
    return [
        {
            "name": "degrees",
            "label": "Chance, same ties",
            "expected": expected,
            "low": max(0.0, expected - margin),
            "high": min(1.0, expected + margin),
        }
    ]


def _make_dependence(row: Reciprocity, directory: Directory) -> DependenceData:
    without: list[LeftOutRow] = [
        _make_without(getattr(row, field), directory)
        for field in ("lowest_without", "highest_without")
        if row.HasField(field)
    ]
    bands: list[Band] = []
    if row.HasField("interval_low"):
        bands.append(
            {
                "name": "interval",
                "label": "Few pairs, 95%",
                "expected": row.weighted_reciprocity,
                "low": row.interval_low,
                "high": row.interval_high,
            }
        )
    if len(without) == 2:
        bands.append(
            {
                "name": "without",
                "label": "One left out",
                "expected": row.weighted_reciprocity,
                "low": without[0]["returned"],
                "high": without[1]["returned"],
            }
        )
    return {
        "sentence": "The upper bar is wide where few pairs decide, and the lower one where a "
        "single organization does."
        if bands
        else "Nothing was given in this window.",
        "returned": read_optional(row, "weighted_reciprocity"),
        "bands": bands,
        "without": without,
    }


def _make_without(rest: WithoutOrganization, directory: Directory) -> LeftOutRow:
    return {**directory.party(rest.organization_id), "returned": rest.weighted_reciprocity}


def _make_period(row: Reciprocity, period: str) -> PeriodRow:
    return {
        "label": _describe_period(row, period),
        "exchange_count": row.exchange_count,
        "returned": read_optional(row, "weighted_reciprocity"),
        "ceiling": read_optional(row, "ceiling"),
        "bands": list_bands(row),
        "ties_returned": read_optional(row, "reciprocity"),
        "ties_bands": _list_tie_bands(row),
        "reason": "" if row.HasField("verdict") else describe_reasons(row.reasons),
    }


def _describe_period(row: Reciprocity, period: str) -> str:
    """Such as "2019-07", "2019 Q3" or "2019"."""
    first = to_day(row.from_date)
    if period == "month":
        return f"{first:%Y-%m}"
    return f"{first.year} Q{(first.month + 2) // 3}" if period == "quarter" else f"{first.year}"


MUTUALITY = View(
    name="mutuality",
    title="Mutuality",
    ask=ask_mutuality,
    make=make_mutuality,
    question="How mutual is the exchange, next to chance and to what is possible",
    choices=("period",),
)
