"""The two bars of one organization, which meet in the middle: received to the left, gave right."""

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from services.report.charts.svg import GAVE, RECEIVED, add, draw, percent, to_markup
from services.report.flows import FlowBar, FlowBars
from services.report.text import Unit

HEIGHT: Final = 18.0
_LONGEST: Final = 0.76
"""Length of the longest bar; the rest is for its amount."""


@dataclass(frozen=True, slots=True)
class DrawnBar:
    """A row of the chart; both drawings are as wide as their columns."""

    bar: FlowBar
    received: Markup
    given: Markup


def draw_bars(bars: FlowBars, unit: Unit) -> list[DrawnBar]:
    largest = bars.largest or 1.0
    return [
        DrawnBar(
            bar,
            _draw_side(bar.received / largest, unit.format(bar.received), is_received=True),
            _draw_side(bar.given / largest, unit.format(bar.given), is_received=False),
        )
        for bar in bars.bars
    ]


def _draw_side(share: float, amount: str, *, is_received: bool) -> Markup:
    svg = draw(None, width="100%", height=HEIGHT)
    length = share * _LONGEST
    if is_received:
        start, end, shift, anchor, colour = 1 - length, 1 - length, -6, "end", RECEIVED
    else:
        start, end, shift, anchor, colour = 0.0, length, 6, "start", GAVE
    bar = {"x": percent(start), "width": percent(length)}
    add(svg, "rect", **bar, y=1, height=HEIGHT - 2, fill=colour)
    add(svg, "text", amount, x=percent(end), dx=shift, y=13, text_anchor=anchor)
    return to_markup(svg)
