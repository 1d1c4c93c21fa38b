"""The answer to "is it mutual": one sentence, and what it is measured against."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mutua.measures import ReciprocityMeasures
from services.report.text import Unit, format_share, join_words

VERDICT_WORDS: Final = {
    "above-chance": "More mutual than chance",
    "below-chance": "Less mutual than chance",
    "depends-on-yardstick": "Whether it is more mutual than chance depends on the yardstick",
}
REASON_WORDS: Final = {
    "MANY_UNKNOWN": "many minutes are unknown",
    "TOO_FEW_ORGANIZATIONS": "fewer than 5 organizations both gave and received",
    "TOO_FEW_EXCHANGES": "there are fewer than 30 exchanges",
    "NO_YARDSTICK": "no yardstick fits these totals",
}


@dataclass(frozen=True, slots=True)
class ReferenceBand:
    """A yardstick on the scale from nothing to everything returned."""

    name: str
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutuality:
    """How mutual the exchange is. A measure that is undefined is None."""

    headline: str
    sentences: tuple[str, ...]
    returned: float | None
    interval: tuple[float, float] | None
    ceiling: float | None
    bands: tuple[ReferenceBand, ...]
    verdict: str | None


def describe_mutuality(row: ReciprocityMeasures, unit: Unit) -> Mutuality:
    interval = None
    if row.interval_low is not None and row.interval_high is not None:
        interval = (row.interval_low, row.interval_high)
    return Mutuality(
        headline=make_headline(row),
        sentences=tuple(_describe(row, unit)),
        returned=row.weighted_reciprocity,
        interval=interval,
        ceiling=row.ceiling,
        bands=tuple(list_bands(row)),
        verdict=row.verdict,
    )


def list_bands(row: ReciprocityMeasures) -> Iterator[ReferenceBand]:
    """The yardsticks that exist for these totals."""
    for name, band in (("Spread", row.spread), ("Shuffle", row.shuffle)):
        if band is not None:
            yield ReferenceBand(name, band.expected, band.low, band.high)


def make_headline(row: ReciprocityMeasures) -> str:
    if row.verdict is not None:
        return f"{VERDICT_WORDS.get(row.verdict, row.verdict)}."
    if row.exchange_count == 0:
        return "No exchange was recorded in this window."
    return f"No verdict, because {describe_reasons(row.reasons)}."


def describe_reasons(reasons: tuple[str, ...]) -> str:
    return join_words(REASON_WORDS.get(reason, reason) for reason in reasons)


def _describe(row: ReciprocityMeasures, unit: Unit) -> Iterator[str]:
    if row.weighted_reciprocity is None:
        if row.exchange_count:
            yield f"None of the {unit.noun} is known, so no share can be given."
        return
    flow = "time" if unit.is_minutes else "exchange"
    yield (
        f"{format_share(row.weighted_reciprocity)} of the {flow} is returned between the same two "
        f"organizations. At most {format_share(row.ceiling)} could be, given how much each of them "
        "gave and received."
    )
    expectations = [
        f"{format_share(band.expected)} ({band.name.lower()}, {format_share(band.low)} to "
        f"{format_share(band.high)})"
        for band in list_bands(row)
    ]
    if expectations:
        yield f"Chance alone would return about {join_words(expectations)}."
    if row.reciprocity is not None and row.expected_reciprocity is not None:
        yield (
            f"Of the ties, {format_share(row.reciprocity)} are returned; "
            f"{format_share(row.expected_reciprocity)} would be expected from how many partners "
            "each has."
        )
