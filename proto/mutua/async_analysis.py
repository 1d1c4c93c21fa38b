"""Analyses of `AsyncClient`; `make proto` generates those of `Client` from this file."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Unpack

from mutua.filters import Filters, read_period, takes_filters
from mutua.measures import (
    AnalysisAnswer,
    LatencyMeasures,
    LiftMeasures,
    LossMeasures,
    ReciprocityMeasures,
    StructureMeasures,
)
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
            question,
            period=read_period(by),
            seed=seed,
            min_position=min_position,
            **filters,
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
            question,
            attributes=attributes,
            seed=seed,
            min_position=min_position,
            **filters,
        )
        return AnalysisAnswer(LiftMeasures, answer)

    @takes_filters
    async def structure(
        self,
        question: Question | None = None,
        *,
        by_topic: bool = False,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> AnalysisAnswer[StructureMeasures]:
        """How organizations are connected: triads, components, reach, newcomers and isolates.

        One row for everything, then with `by_topic` one for each topic.
        """
        answer = await self._reader.get_structure(
            question, by_topic=by_topic, min_position=min_position, **filters
        )
        return AnalysisAnswer(StructureMeasures, answer)

    @takes_filters
    async def what_if(
        self,
        organization_id: str,
        question: Question | None = None,
        *,
        by_topic: bool = False,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> AnalysisAnswer[LossMeasures]:
        """What would end if an organization stopped. Raises NOT_FOUND if no fact names it.

        One row for everything, then with `by_topic` one for each topic.
        """
        answer = await self._reader.get_what_if(
            organization_id, question, by_topic=by_topic, min_position=min_position, **filters
        )
        return AnalysisAnswer(LossMeasures, answer)

    @takes_filters
    async def latency(
        self,
        question: Question | None = None,
        *,
        by: str = "",
        seed: int = 0,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> AnalysisAnswer[LatencyMeasures]:
        """How long it takes until the other side of a pair gives.

        One row, or with `by` "month", "quarter" or "year" one for the turns that opened in each.
        """
        answer = await self._reader.get_latency(
            question,
            period=read_period(by),
            seed=seed,
            min_position=min_position,
            **filters,
        )
        return AnalysisAnswer(LatencyMeasures, answer)
