"""Lorenz curves of giving and receiving, next to equality."""

from collections.abc import Sequence

from markupsafe import Markup

from services.report.charts.svg import GAVE, LINE, RECEIVED, SECONDARY, add, draw, to_markup
from services.report.flows import LorenzCurve
from services.report.text import format_ratio

WIDTH, HEIGHT = 282.0, 262.0
_LEFT, _TOP, _SIDE = 44.0, 8.0, 210.0
_MAX_POINTS = 200


def draw_lorenz(curves: Sequence[LorenzCurve]) -> Markup:
    """Both curves over all organizations, those with least first."""
    label = "; ".join(f"{curve.side}: Gini {format_ratio(curve.gini)}" for curve in curves)
    svg = draw(f"Lorenz curves. {label}", viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}", width=WIDTH)
    for quarter in range(5):
        share = quarter / 4
        x, y = _x(share), _y(share)
        add(svg, "line", x1=x, x2=x, y1=_y(0), y2=_y(1), stroke=LINE)
        add(svg, "line", x1=_x(0), x2=_x(1), y1=y, y2=y, stroke=LINE)
        text = f"{share:.0%}"
        add(svg, "text", text, x=_LEFT - 6, y=y + 4, text_anchor="end", class_="axis")
        add(svg, "text", text, x=x, y=_y(0) + 16, text_anchor="middle", class_="axis")
    diagonal = add(svg, "line", x1=_x(0), y1=_y(0), x2=_x(1), y2=_y(1), stroke=SECONDARY)
    diagonal.set("stroke-dasharray", "3 3")
    for curve, colour, dashes in zip(curves, (GAVE, RECEIVED), ("none", "7 3"), strict=True):
        if curve.points:
            add(
                svg,
                "polyline",
                points=_trace(curve.points),
                fill="none",
                stroke=colour,
                stroke_width=2.5,
                stroke_dasharray=dashes,
            )
    middle = _x(0.5)
    text = "Part of the organizations, least first"
    add(svg, "text", text, x=middle, y=HEIGHT - 10, text_anchor="middle", class_="axis")
    return to_markup(svg)


def draw_key(colour: str, dashes: str) -> Markup:
    """A piece of a curve, for the legend."""
    svg = draw("", width=26, height=12)
    line = add(svg, "line", x1=0, x2=26, y1=6, y2=6, stroke=colour, stroke_width=2.5)
    line.set("stroke-dasharray", dashes)
    return to_markup(svg)


def _trace(points: Sequence[float]) -> str:
    """Up to _MAX_POINTS of the points, both ends among them."""
    last = len(points) - 1
    steps = min(last, _MAX_POINTS)
    places = sorted({round(step * last / steps) for step in range(steps + 1)})
    return " ".join(f"{_x(each / last):.1f},{_y(points[each]):.1f}" for each in places)


def _x(share: float) -> float:
    return _LEFT + _SIDE * share


def _y(share: float) -> float:
    return _TOP + _SIDE * (1 - share)
