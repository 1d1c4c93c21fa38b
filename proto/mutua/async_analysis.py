"""Analyses of `AsyncClient`; `make proto` generates those of `Client` from this file."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Unpack

from mutua.filters import Filters, read_period, takes_filters
from mutua.measures import AnalysisAnswer, LiftMeasures, ReciprocityMeasures
from mutua.v1.query_service_pb2 import Question

if TYPE_CHECKING:
    from mutua.async_reader import AsyncReader


class AsyncAnalysis:
    """How mutual the exchange is, for analysts: each method answers with dataclasses.

    Methods take the filters of every question, such as `from_date="2026-01"` or
    `where={"region": "North West"}`. Answers have `.to_arrow()`, `.to_pandas()` and `.to_polars()`.
    """

    def __init__(self, reader: "AsyncReader") -> None:
        self._reader = reader

    @takes_filters
    async def reciprocity(
        self,
        question: Question | None = None,
        *,
        by: str = "",
        seed: int = 0,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> AnalysisAnswer[ReciprocityMeasures]:
        """How much is returned, next to the most possible and to what chance would return.

        One row, or with `by` "month", "quarter" or "year" a row for each. `seed` fixes the draws.
        """
        answer = await self._reader.get_reciprocity(
            question, period=read_period(by), seed=seed, min_position=min_position, **filters
        )
        return AnalysisAnswer(ReciprocityMeasures, answer)

    @takes_filters
    async def lift(
        self,
        question: Question | None = None,
        *,
        attributes: Iterable[str] = (),
        seed: int = 0,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> AnalysisAnswer[LiftMeasures]:
        """Whether organizations with something in common exchange more than their totals suggest.

        One row for each attribute, such as "core_system"; () is all of them.
        """
        answer = await self._reader.get_lift(
            question, attributes=attributes, seed=seed, min_position=min_position, **filters
        )
        return AnalysisAnswer(LiftMeasures, answer)
