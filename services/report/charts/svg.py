"""SVG elements, built instead of pasted, so that text in them is escaped."""

from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

INK: Final = "#1B2733"
SECONDARY: Final = "#5A6875"
LINE: Final = "#DDE3E9"
TIE: Final = "#7B8A99"
GAVE: Final = "#1F6FA8"
RECEIVED: Final = "#C77A1E"
CHANCE: Final = "#A9C7DC"
SPLIT: Final = ("#14496F", "#2A8C7A", "#A9C7DC", "#D9A15A")
"""Direct, circulating, relayed and one-way."""
CATEGORIES: Final = (
    ("circle", "#23326C"),
    ("diamond", "#C46536"),
    ("rounded", "#2D9F7F"),
    ("triangle", "#793858"),
    ("square", "#6E849D"),
)
"""Shape and colour by number, so that no category depends on colour alone."""
Attribute = str | float
Corners = tuple[tuple[float, float], ...]
_DIAMOND: Final[Corners] = ((0, -1), (1, 0), (0, 1), (-1, 0))
_TRIANGLE: Final[Corners] = ((0, -1), (0.9, 0.7), (-0.9, 0.7))
_ISOLATED: Final = "\u2068{}\u2069"


def draw(label: str | None, **attributes: Attribute) -> Element:
    """An image that a screen reader calls `label`.

    "" hides it, where words next to it say the same; None lets its text be read as text.
    """
    svg = Element("svg", _write(attributes))
    if label is None:
        return svg
    if label:
        svg.set("role", "img")
        svg.set("aria-label", label)
    else:
        svg.set("aria-hidden", "true")
    return svg


def add(parent: Element, tag: str, text: str = "", **attributes: Attribute) -> Element:
    """Adds an element. Underscores in names of attributes are hyphens."""
    element = SubElement(parent, tag, _write(attributes))
    if text:
        element.text = text
    return element


def add_shape(parent: Element, category: int, x: float, y: float, radius: float) -> Element:
    """The shape of a category, of about the same area for all."""
    shape, colour = CATEGORIES[min(category, len(CATEGORIES) - 1)]
    match shape:
        case "circle":
            return add(parent, "circle", cx=x, cy=y, r=radius, fill=colour)
        case "diamond":
            return _add_polygon(parent, x, y, radius * 1.25, _DIAMOND, colour)
        case "triangle":
            return _add_polygon(parent, x, y, radius * 1.3, _TRIANGLE, colour)
        case _:
            half = radius * 0.89
            return add(
                parent,
                "rect",
                x=x - half,
                y=y - half,
                width=2 * half,
                height=2 * half,
                rx=radius * 0.4 if shape == "rounded" else 0,
                fill=colour,
            )


def isolate(name: str) -> str:
    """A name whose writing direction stays within it."""
    return _ISOLATED.format(name)


def percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def to_markup(svg: Element) -> Markup:
    return Markup(tostring(svg, encoding="unicode"))  # elements escape their text


def _add_polygon(
    parent: Element, x: float, y: float, reach: float, corners: Corners, colour: str
) -> Element:
    points = " ".join(f"{x + reach * dx:.1f},{y + reach * dy:.1f}" for dx, dy in corners)
    return add(parent, "polygon", points=points, fill=colour)


def _write(attributes: dict[str, Attribute]) -> dict[str, str]:
    return {
        name.rstrip("_").replace("_", "-"): value
        if isinstance(value, str)
        else f"{value:.1f}".removesuffix(".0")
        for name, value in attributes.items()
    }
