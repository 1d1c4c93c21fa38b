"""The four-way split as one bar."""

from collections.abc import Sequence

from markupsafe import Markup

from services.report.charts.svg import SPLIT, add, draw, percent, to_markup
from services.report.flows import SplitPart
from services.report.text import format_share


def draw_split(parts: Sequence[SplitPart]) -> Markup:
    """As wide as its place; the parts follow each other in the order of the legend."""
    label = ", ".join(f"{part.name} {format_share(part.share)}" for part in parts)
    svg = draw(label, width="100%", height=36)
    start = 0.0
    for part, colour in zip(parts, SPLIT, strict=True):
        place = {"x": percent(start), "width": percent(part.share)}
        # A white edge separates neighbours also where colours are not seen.
        add(svg, "rect", **place, y=0, height=36, fill=colour, stroke="#FFFFFF")
        start += part.share
    return to_markup(svg)


def draw_swatch(colour: str) -> Markup:
    svg = draw("", width=12, height=12)
    add(svg, "rect", x=0, y=0, width=12, height=12, rx=2, fill=colour)
    return to_markup(svg)
