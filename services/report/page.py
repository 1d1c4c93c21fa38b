"""The report as one HTML file without scripts, whose styles and drawings are in it."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from services.ledger.wording import NEITHER_IS_BETTER
from services.report.charts.bars import draw_bars
from services.report.charts.lorenz import draw_key, draw_lorenz
from services.report.charts.network import SIZES, draw_network
from services.report.charts.scale import draw_scale, draw_scale_axis
from services.report.charts.split import draw_split, draw_swatch
from services.report.charts.svg import CATEGORIES, GAVE, RECEIVED, SPLIT, add_shape, draw, to_markup
from services.report.charts.trend import draw_trend, draw_trend_axis
from services.report.one_sided_pairs import MAX_Q
from services.report.report import Report
from services.report.text import clean_name, format_probability, format_ratio, format_share

MAX_TITLE: Final = 120
MAX_SHELF: Final = 24
"""Isolates on the shelf of the map."""


def render_page(report: Report, *, title: str = "") -> str:
    """The whole page; without a title it has the name of the programme."""
    style = files("services.report").joinpath("style.css").read_text(encoding="utf-8")
    template = _make_environment().get_template("page.html")
    return template.render(
        report=report,
        title=clean_name(title, MAX_TITLE) or f"Programme {report.programme}",
        style=Markup(style),  # our own file
        style_hash=b64encode(sha256(style.encode()).digest()).decode(),
        neither_is_better=NEITHER_IS_BETTER,
        max_shelf=MAX_SHELF,
        max_q=MAX_Q,
        scale=draw_scale(report.mutuality),
        scale_axis=draw_scale_axis(),
        maps=[draw_network(report.network, size) for size in SIZES] if report.network.nodes else [],
        shapes=[draw_category(number) for number in range(len(CATEGORIES))],
        bars=draw_bars(report.bars, report.unit),
        split=draw_split(report.split) if report.split else "",
        split_swatches=[draw_swatch(colour) for colour in SPLIT],
        lorenz=draw_lorenz(report.curves) if any(c.points for c in report.curves) else "",
        curve_keys=[draw_key(GAVE, "none"), draw_key(RECEIVED, "7 3")],
        trend=draw_trend(report.trend) if report.trend.points else "",
        trend_axis=draw_trend_axis(report.trend),
    )


def draw_category(number: int) -> Markup:
    """The shape of a category, for legend and shelf."""
    svg = draw("", width=14, height=14)
    add_shape(svg, number, 7, 7, 5)
    return to_markup(svg)


def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("services.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = format_share
    environment.filters["ratio"] = format_ratio
    environment.filters["probability"] = format_probability
    return environment
