"""The part that says how mutual the exchange is, next to chance and to what is possible."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, TypedDict

from mutua.v1.analysis_service_pb2 import (
    VERDICT_ABOVE_CHANCE,
    VERDICT_BELOW_CHANCE,
    VERDICT_DEPENDS_ON_YARDSTICK,
    Reciprocity,
    Yardstick,
)
from services.query.dashboard.asker import Asker
from services.query.dashboard.balances import read_optional
from services.query.dashboard.view import Choices, View, ViewContent
from services.query.dashboard.wording import describe_reasons

_PARTS: Final = (
    ("direct", "Direct", "returned between the same two organizations"),
    ("circulating", "Circulating", "comes back through others"),
    ("relayed", "Relayed", "is passed on"),
    ("one_way", "One-way", "has not come back"),
)
_YARDSTICKS: Final[tuple[tuple[Literal["spread", "shuffle"], str], ...]] = (
    ("spread", "Chance, spread evenly"),
    ("shuffle", "Chance, shuffled"),
)
_VERDICTS: Final = {
    VERDICT_ABOVE_CHANCE: "That is more than chance would return",
    VERDICT_BELOW_CHANCE: "That is less than chance would return",
    VERDICT_DEPENDS_ON_YARDSTICK: "Whether that is more than chance would return depends on the "
    "yardstick",
}


class Share(TypedDict):
    """A part of the flow, 0 to 1, and what it means."""

    name: str
    label: str
    meaning: str
    share: float


class Band(TypedDict):
    """What chance returns by one yardstick, and 95 % of its draws; shares of the flow."""

    name: str
    label: str
    expected: float
    low: float
    high: float


class MutualData(TypedDict):
    """Shares are of the flow, 0 to 1. `returned` and `ceiling` are None where undefined."""

    verdict: str
    shares: list[Share]
    returned: float | None
    ceiling: float | None
    bands: list[Band]


class MutualAnswers(NamedTuple):
    """The answer that the part is made from."""

    reciprocity: Any


async def ask_mutual(asker: Asker, _: Choices) -> MutualAnswers:
    return MutualAnswers(await asker.ask("GetReciprocity"))


def make_mutual(answers: MutualAnswers, _: Choices) -> ViewContent:
    row = answers.reciprocity.reciprocities[0]
    data: MutualData = {
        "verdict": describe_verdict(row),
        "shares": [
            {"name": name, "label": label, "meaning": meaning, "share": getattr(row, name)}
            for name, label, meaning in _PARTS
            if row.HasField(name)
        ],
        "returned": read_optional(row, "weighted_reciprocity"),
        "ceiling": read_optional(row, "ceiling"),
        "bands": list_bands(row),
    }
    return ViewContent(data, answers.reciprocity)


def describe_verdict(row: Reciprocity) -> str:
    """How much is returned, next to both yardsticks and to the most that is possible."""
    if not row.HasField("weighted_reciprocity"):
        return "Nothing was given in this window, so nothing could be returned."
    returned = f"{row.weighted_reciprocity:.0%} is returned between the same two organizations."
    if not row.HasField("verdict"):
        reasons = describe_reasons(row.reasons)
        return f"{returned} Whether that is much or little cannot be said: {reasons}."
    yardsticks = (
        f"{_VERDICTS[row.verdict]}: {_describe_band(row.spread)} if everything were spread "
        f"evenly, {_describe_band(row.shuffle)} if receivers were shuffled."
    )
    most = f"The most that was possible is {row.ceiling:.0%}, given what each gave and received."
    return f"{returned} {yardsticks} {most}"


def _describe_band(band: Yardstick) -> str:
    return f"{band.low:.0%} to {band.high:.0%}"


def list_bands(row: Reciprocity) -> list[Band]:
    """What chance returns by both yardsticks; without one that cannot be computed."""
    return [
        {
            "name": name,
            "label": label,
            "expected": getattr(row, name).expected,
            "low": getattr(row, name).low,
            "high": getattr(row, name).high,
        }
        for name, label in _YARDSTICKS
        if row.HasField(name)
    ]


MUTUAL = View(
    name="mutual",
    ask=ask_mutual,
    make=make_mutual,
    question="How much of what was given comes back",
)
