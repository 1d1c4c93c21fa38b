"""The share returned in each period, with the bands of both yardsticks."""

import math
from xml.etree.ElementTree import Element

from markupsafe import Markup

from services.report.charts.svg import CHANCE, INK, LINE, TIE, add, draw, percent, to_markup
from services.report.text import format_share
from services.report.trend import Trend, TrendPoint

HEIGHT = 220.0
_TOP, _BOTTOM = 10.0, 190.0
_WIDE_LABELS, _NARROW_LABELS = 9, 4
_BAND = 0.26
"""Width of a band as a part of its period."""


def find_top(trend: Trend) -> float:
    """The highest share of the axis, a multiple of 0.2."""
    shares = [each.returned or 0 for each in trend.points]
    shares += [band.high for each in trend.points for band in each.bands]
    return min(1.0, max(0.2, math.ceil(5 * max(shares, default=0)) / 5))


def draw_trend(trend: Trend) -> Markup:
    """As wide as its place. A hollow dot is a period with too little exchange for a verdict."""
    svg = draw(_describe(trend), width="100%", height=HEIGHT)
    top, count = find_top(trend), len(trend.points)
    for share in list_marks(top):
        y = _y(share, top)
        add(svg, "line", x1="0%", x2="100%", y1=y, y2=y, stroke=LINE)
    band_width = min(_BAND / count, 0.02)
    for place, point in enumerate(trend.points):
        _add_bands(svg, point, (place + 0.5) / count, band_width, top)
    _add_line(svg, trend, top)
    for place, point in enumerate(trend.points):
        if point.returned is None:
            continue
        circle = add(
            svg,
            "circle",
            cx=percent((place + 0.5) / count),
            cy=_y(point.returned, top),
            r=4.5,
            fill=INK if point.verdict else "#FFFFFF",
            stroke=INK,
            stroke_width=1.5,
        )
        text = f"{point.label}: {format_share(point.returned)} returned"
        add(circle, "title", f"{text}; {point.note}" if point.note else text)
    _add_labels(svg, trend)
    return to_markup(svg)


def draw_trend_axis(trend: Trend) -> Markup:
    """The shares at the left of the chart."""
    svg = draw("", width=40, height=HEIGHT)
    top = find_top(trend)
    for share in list_marks(top):
        place = {"x": 34, "y": _y(share, top) + 4}
        add(svg, "text", f"{share:.0%}", **place, text_anchor="end", class_="axis")
    return to_markup(svg)


def list_marks(top: float) -> list[float]:
    step = 0.1 if top <= 0.4 else 0.2
    return [step * mark for mark in range(round(top / step) + 1)]


def _add_bands(svg: Element, point: TrendPoint, middle: float, width: float, top: float) -> None:
    for band, start in zip(point.bands, (middle - width * 1.1, middle + width * 0.1), strict=False):
        is_spread = band.name == "Spread"
        height = max(_y(band.low, top) - _y(band.high, top), 1.5)
        add(
            svg,
            "rect",
            x=percent(start),
            width=percent(width),
            y=_y(band.high, top),
            height=height,
            fill=CHANCE if is_spread else "#FFFFFF",
            stroke=CHANCE if is_spread else TIE,
        )


def _add_line(svg: Element, trend: Trend, top: float) -> None:
    """Joins neighbouring periods that both have a share."""
    count = len(trend.points)
    for place, (point, following) in enumerate(zip(trend.points, trend.points[1:], strict=False)):
        if point.returned is not None and following.returned is not None:
            add(
                svg,
                "line",
                x1=percent((place + 0.5) / count),
                x2=percent((place + 1.5) / count),
                y1=_y(point.returned, top),
                y2=_y(following.returned, top),
                stroke=INK,
                stroke_width=1.5,
            )


def _add_labels(svg: Element, trend: Trend) -> None:
    """Fewer labels on a narrow page: the others have the class `wide`."""
    count = len(trend.points)
    wide_step, narrow_step = -(-count // _WIDE_LABELS), -(-count // _NARROW_LABELS)
    narrow_step = -(-narrow_step // wide_step) * wide_step
    for place, point in enumerate(trend.points):
        if place % wide_step == 0:
            name = "axis" if place % narrow_step == 0 else "axis wide"
            x = percent((place + 0.5) / count)
            add(svg, "text", point.label, x=x, y=210, text_anchor="middle", class_=name)


def _describe(trend: Trend) -> str:
    points = [point for point in trend.points if point.returned is not None]
    return "Returned share by period: " + ", ".join(
        f"{point.label} {format_share(point.returned)}" for point in points
    )


def _y(share: float, top: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * share / top
