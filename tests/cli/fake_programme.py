"""A server with a programme in memory: it records facts and answers with the rows of a test."""

from collections.abc import Iterable
from typing import Any

import grpc

from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest, RecordEventsResponse
from mutua.v1.query_service_pb2 import (
    ALLOCATION_SPLIT,
    BASIS_REPORTED,
    EXCHANGE_STATE_CORRECTED,
    EXCHANGE_STATE_RECORDED,
    EXCHANGE_STATE_RETRACTED,
    IDENTITY_AS_NOW,
    LENS_COUNT,
    POPULATION_ROSTER,
    REPORT_VIEW_UNION,
    Balance,
    Concentration,
    Coverage,
    Edge,
    Exchange,
    GetConcentrationResponse,
    GetNetworkResponse,
    GetPairingsResponse,
    GetProgrammeResponse,
    GetStatusResponse,
    ListBalancesResponse,
    ListExchangesRequest,
    ListExchangesResponse,
    ListOrganizationsResponse,
    ListPairsResponse,
    Node,
    Organization,
    Pair,
    Programme,
    Question,
    Revision,
    Topic,
)
from mutua.v1.types_pb2 import Date
from tests.client.scripted_server import ScriptedFailure, ScriptedServer

ROSTER = (
    ("T-01", "Millbury General Hospital", ("Millbury",)),
    ("T-02", "Thornwick Teaching Hospitals", ("Thornwick",)),
    ("T-03", "Eastmere District Hospital", ("Eastmere", "The General")),
    ("T-04", "Brackenford University Hospitals", ("Brackenford",)),
)


AS_OF = Date(year=2026, month=5, day=1)
TOPICS = (("a", ""), ("b", ""), ("interfaces", ""), ("it-and-data", "IT & data"))


class FakeProgrammeServer(ScriptedServer):
    """Answers with `failure` if it is set; with `is_raced`, no correction takes effect."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.questions: list[Question] = []
        self.exchanges: dict[str, Exchange] = {}
        self.organizations = [
            Organization(organization_id=id_, name=name, aliases=aliases, registered=True)
            for id_, name, aliases in ROSTER
        ]
        self.requests_for_exchanges: list[ListExchangesRequest] = []
        self.topics = [Topic(topic=topic, label=label) for topic, label in TOPICS]
        self.fact_count = 1234
        self.balances: list[Balance] = []
        self.has_more_balances = False
        self.pairs: list[Pair] = []
        self.edges: list[Edge] = []
        self.nodes: list[Node] = []
        self.working_day_minutes: int | None = None
        self.concentrations: list[Concentration] = []
        self.coverage = Coverage(roster_count=4, recorded_count=3, exchange_count=9)
        self.warnings: list[str] = []
        self.failure: ScriptedFailure | None = None
        self.is_raced = False

    def RecordEvents(self, request: RecordEventsRequest, context: Any) -> RecordEventsResponse:  # noqa: N802
        self._begin(request, context)
        for event in request.events:
            self._take(event)
        return RecordEventsResponse(position=self._position)

    def ListBalances(self, request: Any, context: Any) -> ListBalancesResponse:  # noqa: N802
        more = "more" if self.has_more_balances and not request.page_token else ""
        answer = self._begin(request, context)
        return ListBalancesResponse(balances=self.balances, next_page_token=more, **answer)

    def ListPairs(self, request: Any, context: Any) -> ListPairsResponse:  # noqa: N802
        return ListPairsResponse(pairs=self.pairs, **self._begin(request, context))

    def GetNetwork(self, request: Any, context: Any) -> GetNetworkResponse:  # noqa: N802
        answer = self._begin(request, context)
        return GetNetworkResponse(edges=self.edges, nodes=self.nodes, **answer)

    def GetConcentration(self, request: Any, context: Any) -> GetConcentrationResponse:  # noqa: N802
        answer = self._begin(request, context)
        return GetConcentrationResponse(concentrations=self.concentrations, **answer)

    def GetProgramme(self, request: Any, context: Any) -> GetProgrammeResponse:  # noqa: N802
        programme = Programme(
            programme_id=request.programme_id,
            topics=self.topics,
            working_day_minutes=self.working_day_minutes,
        )
        return GetProgrammeResponse(programme=programme, **self._begin(request, context))

    def GetPairings(self, request: Any, context: Any) -> GetPairingsResponse:  # noqa: N802
        return GetPairingsResponse(**self._begin(request, context))

    def ListExchanges(self, request: Any, context: Any) -> ListExchangesResponse:  # noqa: N802
        self.requests_for_exchanges.append(request)
        exchange_ids = request.exchange_ids or self.exchanges
        exchanges = [self.exchanges[id_] for id_ in exchange_ids if id_ in self.exchanges]
        return ListExchangesResponse(exchanges=exchanges, **self._begin(request, context))

    def ListOrganizations(self, request: Any, context: Any) -> ListOrganizationsResponse:  # noqa: N802
        answer = self._begin(request, context)
        return ListOrganizationsResponse(organizations=self.organizations, **answer)

    def GetStatus(self, request: Any, context: Any) -> GetStatusResponse:  # noqa: N802
        return GetStatusResponse(
            fact_count=self.fact_count,
            log_position=self._position,
            projection_position=self._position,
            **self._begin(request, context),
        )

    @property
    def _position(self) -> str:
        return f"p{len(self.events)}"

    def _begin(self, request: Any, context: grpc.ServicerContext) -> dict[str, Any]:
        self.metadata.append({key: str(value) for key, value in context.invocation_metadata()})
        statement = {}
        if hasattr(request, "question"):
            self.questions.append(request.question)
            statement["question"] = with_defaults(request.question)
        if self.failure is not None:
            self.failure.abort(context)
        return {
            "position": self._position,
            "as_of_date": AS_OF,
            "coverage": self.coverage,
            "warnings": self.warnings,
            **statement,
        }

    def _take(self, event: Event) -> None:
        self.events.append(event)
        match event.WhichOneof("fact"):
            case "exchange_recorded":
                self.exchanges[event.event_id] = Exchange(
                    exchange_id=event.event_id,
                    state=EXCHANGE_STATE_RECORDED,
                    revisions=[_revision(event, event.exchange_recorded.exchange)],
                )
            case "exchange_corrected" if not self.is_raced:
                exchange = self.exchanges[event.exchange_corrected.exchange_id]
                exchange.state = EXCHANGE_STATE_CORRECTED
                exchange.revisions.append(_revision(event, event.exchange_corrected.exchange))
            case "exchange_retracted":
                exchange = self.exchanges[event.exchange_retracted.exchange_id]
                exchange.state = EXCHANGE_STATE_RETRACTED
                exchange.revisions.append(Revision(event_id=event.event_id))


def with_defaults(question: Question) -> Question:
    """The question as the service states it, except for values that it takes from read models."""
    whole = Question(
        lens=LENS_COUNT,
        allocation=ALLOCATION_SPLIT,
        identity=IDENTITY_AS_NOW,
        report_view=REPORT_VIEW_UNION,
        population=POPULATION_ROSTER,
        basis=BASIS_REPORTED,
        as_of_date=AS_OF,
    )
    whole.MergeFrom(question)
    return whole


def _revision(event: Event, content: Any) -> Revision:
    return Revision(
        event_id=event.event_id,
        content=content,
        occur_time=event.occur_time,
        occur_precision=event.occur_precision,
        visibility=event.visibility,
    )


def make_balances(rows: Iterable[tuple[str, float, float]]) -> list[Balance]:
    """Balances from the counts (organization, given, received)."""
    return [
        Balance(
            organization_id=id_,
            given=given,
            received=received,
            net=given - received,
            net_share=(given - received) / (given + received) if given + received >= 5 else None,
            exchange_count=int(given + received),
        )
        for id_, given, received in rows
    ]
