"""Rows of a scale from nothing to everything returned: the observed share, chance and ceiling."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from markupsafe import Markup

from services.report.charts.svg import (
    CHANCE,
    INK,
    LINE,
    SECONDARY,
    TIE,
    add,
    draw,
    percent,
    to_markup,
)
from services.report.mutuality import Mutuality
from services.report.text import format_share

ROW_HEIGHT = 34.0
_MIDDLE = ROW_HEIGHT / 2


@dataclass(frozen=True, slots=True)
class ScaleRow:
    """One row: what it is, its value in words, and its drawing, as wide as its place."""

    name: str
    value: str
    drawing: Markup


def draw_scale(mutuality: Mutuality) -> list[ScaleRow]:
    """The observed share first, then each yardstick and the ceiling; [] without a share."""
    if mutuality.returned is None:
        return []
    rows = [ScaleRow("Returned", format_share(mutuality.returned), _draw_returned(mutuality))]
    for band in mutuality.bands:
        svg = _start(mutuality)
        add(
            svg,
            "rect",
            x=percent(band.low),
            y=_MIDDLE - 8,
            width=percent(max(band.high - band.low, 0.004)),
            height=16,
            rx=2,
            fill=CHANCE if band.name == "Spread" else "#FFFFFF",
            stroke=CHANCE if band.name == "Spread" else TIE,
        )
        _add_tick(svg, band.expected, 8, SECONDARY)
        value = f"{format_share(band.low)} to {format_share(band.high)}"
        rows.append(ScaleRow(f"Chance: {band.name.lower()}", value, to_markup(svg)))
    if mutuality.ceiling is not None:
        svg = _start(mutuality)
        end = percent(mutuality.ceiling)
        add(svg, "line", x1="0%", x2=end, y1=_MIDDLE, y2=_MIDDLE, stroke=TIE, stroke_width=2)
        _add_tick(svg, mutuality.ceiling, 8, INK)
        rows.append(ScaleRow("At most", format_share(mutuality.ceiling), to_markup(svg)))
    return rows


def draw_scale_axis() -> Markup:
    """The marks of 0 to 100%."""
    svg = draw("", width="100%", height=18)
    for quarter in range(5):
        anchor = "start" if quarter == 0 else "end" if quarter == 4 else "middle"
        text = f"{25 * quarter}%"
        add(svg, "text", text, x=text, y=13, text_anchor=anchor, class_="axis")
    return to_markup(svg)


def _draw_returned(mutuality: Mutuality) -> Markup:
    svg = _start(mutuality)
    if mutuality.interval is not None:
        low, high = map(percent, mutuality.interval)
        add(svg, "line", x1=low, x2=high, y1=_MIDDLE, y2=_MIDDLE, stroke=INK, stroke_width=2)
        for end in mutuality.interval:
            _add_tick(svg, end, 5, INK)
    add(svg, "circle", cx=percent(mutuality.returned or 0), cy=_MIDDLE, r=7, fill=INK)
    return to_markup(svg)


def _start(mutuality: Mutuality) -> Element:
    """A row with the marks of the axis, and the observed share as a line through all rows."""
    svg = draw("", width="100%", height=ROW_HEIGHT)
    for quarter in range(5):
        x = percent(quarter / 4)
        add(svg, "line", x1=x, x2=x, y1=0, y2=ROW_HEIGHT, stroke=LINE)
    x = percent(mutuality.returned or 0)
    add(svg, "line", x1=x, x2=x, y1=0, y2=ROW_HEIGHT, stroke=INK, stroke_dasharray="2 3")
    return svg


def _add_tick(svg: Element, share: float, reach: float, colour: str) -> None:
    x = percent(share)
    top, bottom = _MIDDLE - reach, _MIDDLE + reach
    add(svg, "line", x1=x, x2=x, y1=top, y2=bottom, stroke=colour, stroke_width=2)
