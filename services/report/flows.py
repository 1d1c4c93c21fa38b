"""What each organization gave and received, how it returns, and how concentrated it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from mutua.measures import ReciprocityMeasures
from mutua.v1.query_service_pb2 import Balance, Concentration
from services.report.text import Names

MAX_BARS: Final = 40
BarOrder = Literal["name", "amount"]


@dataclass(frozen=True, slots=True)
class FlowBar:
    """What one organization gave and received. `is_incomplete`: some of its minutes are unknown."""

    organization_id: str
    name: str
    given: float
    received: float
    is_incomplete: bool


@dataclass(frozen=True, slots=True)
class FlowBars:
    """Bars of the organizations with the most exchange; `other_count` others have less."""

    bars: tuple[FlowBar, ...]
    other_count: int
    order: BarOrder

    @property
    def largest(self) -> float:
        return max((max(bar.given, bar.received) for bar in self.bars), default=0.0)

    @property
    def has_incomplete(self) -> bool:
        return any(bar.is_incomplete for bar in self.bars)


@dataclass(frozen=True, slots=True)
class SplitPart:
    """A part of the flow by how it returns."""

    name: str
    share: float
    meaning: str


@dataclass(frozen=True, slots=True)
class LorenzCurve:
    """How one side of the flow is distributed over `organization_count` organizations.

    `points[k]` is the part with the k organizations that have least. Empty without measures.
    """

    side: str
    """Giving or Receiving."""
    organization_count: int
    gini: float | None
    top_three_share: float | None
    points: tuple[float, ...]


def list_bars(balances: Sequence[Balance], names: Names, order: BarOrder) -> FlowBars:
    """The organizations with the most exchange, by name or by amount; those without have no bar."""
    bars = [
        FlowBar(
            each.organization_id,
            names[each.organization_id],
            each.given,
            each.received,
            bool(each.given_unknown_count or each.received_unknown_count),
        )
        for each in balances
        if each.given or each.received or each.exchange_count > each.joint_count
    ]
    bars.sort(key=lambda bar: (-bar.given - bar.received, bar.organization_id))
    shown = bars[:MAX_BARS]
    if order == "name":
        place = {
            each: number for number, each in enumerate(names.sort(b.organization_id for b in shown))
        }
        shown.sort(key=lambda bar: place[bar.organization_id])
    return FlowBars(tuple(shown), len(bars) - len(shown), order)


def split_flow(row: ReciprocityMeasures) -> tuple[SplitPart, ...]:
    """The four parts, which add up to 1; () without flow."""
    if row.direct is None:
        return ()
    parts = (
        ("Direct", row.direct, "comes back between the same two organizations"),
        ("Circulating", row.circulating, "comes back through others"),
        ("Relayed", row.relayed, "is passed on to others"),
        ("One-way", row.one_way, "is more than its receivers gave"),
    )
    return tuple(SplitPart(name, share or 0.0, meaning) for name, share, meaning in parts)


def list_curves(concentrations: Sequence[Concentration]) -> tuple[LorenzCurve, ...]:
    """Giving, then receiving."""
    return tuple(
        LorenzCurve(
            side,
            row.organization_count,
            row.gini if row.HasField("gini") else None,
            row.top_three_share if row.HasField("top_three_share") else None,
            tuple(row.lorenz),
        )
        for side, row in zip(("Giving", "Receiving"), concentrations, strict=True)
    )
