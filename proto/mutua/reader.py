"""The questions of `Client`. Generated from `async_reader.py` by `make proto`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar, Unpack

import grpc

from mutua.analysis import Analysis
from mutua.connection import Connection
from mutua.filters import Filters, read_seed, takes_filters, to_question
from mutua.limits import MAX_PAGE_SIZE
from mutua.pages import ListRequest, ListResponse, Pages
from mutua.v1.analysis_service_pb2 import (
    PERIOD_UNSPECIFIED,
    GetGraphRequest,
    GetGraphResponse,
    GetLatencyRequest,
    GetLatencyResponse,
    GetLiftRequest,
    GetLiftResponse,
    GetReciprocityRequest,
    GetReciprocityResponse,
    GetStructureRequest,
    GetStructureResponse,
    GetWhatIfRequest,
    GetWhatIfResponse,
    ListAsymmetryRequest,
    ListTopicAsymmetryRequest,
    PairAsymmetry,
    Period,
    TopicAsymmetry,
)
from mutua.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from mutua.v1.query_service_pb2 import (
    Balance,
    Batch,
    Exchange,
    GetBalanceRequest,
    GetBalanceResponse,
    GetConcentrationRequest,
    GetConcentrationResponse,
    GetExchangeRequest,
    GetExchangeResponse,
    GetNetworkRequest,
    GetNetworkResponse,
    GetPairingsRequest,
    GetPairingsResponse,
    GetProgrammeRequest,
    GetProgrammeResponse,
    GetStatusRequest,
    GetStatusResponse,
    ListBalancesRequest,
    ListBatchesRequest,
    ListExchangesRequest,
    ListOrganizationsRequest,
    ListPairsRequest,
    ListQuarantineRequest,
    Organization,
    Pair,
    QuarantinedRecord,
    Question,
)
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from mutua.watch import Watches

Response = TypeVar("Response")
PageOf = TypeVar("PageOf", bound=ListResponse)
Row = TypeVar("Row")
Network = TypeVar("Network", GetNetworkResponse, GetGraphResponse)

MODEL_MOVED: Final = "MODEL_MOVED"
"""The warning that pages of one answer were computed at different positions."""
_GRAPH_ATTEMPTS: Final = 3


class Reader:
    """Asks what the facts of one programme add up to."""

    programme: str
    _query: Connection

    @property
    def analysis(self) -> Analysis:
        """Analyses of how mutual the exchange is, as dataclasses and tables."""
        return Analysis(self)

    @property
    def watch(self) -> Watches:
        """Answers that are kept up to date while facts are recorded."""
        return Watches(self._query, self.programme)

    @takes_filters
    def get_balance(
        self,
        organization_id: str,
        question: Question | None = None,
        *,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> GetBalanceResponse:
        """The balance of one organization. Raises NOT_FOUND if no fact names it."""
        request = GetBalanceRequest(
            organization_id=organization_id,
            question=to_question(self.programme, question, filters),
            min_position=min_position,
        )
        return self._ask(lambda stub: stub.GetBalance, request)

    @takes_filters
    def get_concentration(
        self,
        question: Question | None = None,
        *,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> GetConcentrationResponse:
        """How concentrated giving and receiving are: Gini, top three share and Lorenz curve."""
        request = GetConcentrationRequest(
            question=to_question(self.programme, question, filters), min_position=min_position
        )
        return self._ask(lambda stub: stub.GetConcentration, request)

    def get_exchange(self, exchange_id: str, *, min_position: str = "") -> GetExchangeResponse:
        """One exchange with all its revisions. Raises NOT_FOUND if it is not recorded."""
        request = GetExchangeRequest(
            programme_id=self.programme, exchange_id=exchange_id, min_position=min_position
        )
        answer = self._ask(lambda stub: stub.GetExchange, request)
        while answer.exchange.earlier_revision_count:
            request.before_event_id = answer.exchange.revisions[0].event_id
            _prepend_revisions(answer, self._ask(lambda stub: stub.GetExchange, request))
        return answer

    @takes_filters
    def get_network(
        self,
        question: Question | None = None,
        *,
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> GetNetworkResponse:
        """Organizations, including isolates, as nodes, and all directed ties as edges."""
        request = GetNetworkRequest(
            question=to_question(self.programme, question, filters),
            page_size=MAX_PAGE_SIZE,
            min_position=min_position,
            order_by=order_by,
        )
        network = self._ask(lambda stub: stub.GetNetwork, request)
        while network.next_page_token:
            request.page_token = network.next_page_token
            _append_page(network, self._ask(lambda stub: stub.GetNetwork, request))
        return network

    def get_pairings(self, *, min_position: str = "") -> GetPairingsResponse:
        """Which organizations the programme binds together, and when."""
        request = GetPairingsRequest(programme_id=self.programme, min_position=min_position)
        return self._ask(lambda stub: stub.GetPairings, request)

    def get_programme(self, *, min_position: str = "") -> GetProgrammeResponse:
        """The settings of the programme, and its topics with their labels."""
        request = GetProgrammeRequest(programme_id=self.programme, min_position=min_position)
        return self._ask(lambda stub: stub.GetProgramme, request)

    @takes_filters
    def get_reciprocity(
        self,
        question: Question | None = None,
        *,
        period: Period.ValueType = PERIOD_UNSPECIFIED,
        seed: int = 0,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> GetReciprocityResponse:
        """How mutual the exchange is, next to chance; by month, quarter or year with `period`."""
        request = GetReciprocityRequest(
            question=to_question(self.programme, question, filters),
            min_position=min_position,
            period=period,
            seed=read_seed(seed),
        )
        return self._query.call(lambda link: link.analysis.GetReciprocity, request)

    @takes_filters
    def get_lift(
        self,
        question: Question | None = None,
        *,
        attributes: Iterable[str] = (),
        seed: int = 0,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> GetLiftResponse:
        """Whether organizations with the same core system, region, ... exchange more than others.

        `attributes` are fields of organizations, such as "core_system"; () is all of them.
        """
        request = GetLiftRequest(
            question=to_question(self.programme, question, filters),
            min_position=min_position,
            attributes=attributes,
            seed=read_seed(seed),
        )
        return self._query.call(lambda link: link.analysis.GetLift, request)

    @takes_filters
    def get_latency(
        self,
        question: Question | None = None,
        *,
        period: Period.ValueType = PERIOD_UNSPECIFIED,
        seed: int = 0,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> GetLatencyResponse:
        """How long it takes until the other side gives; by period of the turns with `period`."""
        request = GetLatencyRequest(
            question=to_question(self.programme, question, filters),
            min_position=min_position,
            period=period,
            seed=read_seed(seed),
        )
        return self._query.call(lambda link: link.analysis.GetLatency, request)

    @takes_filters
    def get_structure(
        self,
        question: Question | None = None,
        *,
        by_topic: bool = False,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> GetStructureResponse:
        """How organizations hang together: triads, components, reach, newcomers and others."""
        request = GetStructureRequest(
            question=to_question(self.programme, question, filters),
            min_position=min_position,
            by_topic=by_topic,
        )
        return self._query.call(lambda link: link.analysis.GetStructure, request)

    @takes_filters
    def get_what_if(
        self,
        organization_id: str,
        question: Question | None = None,
        *,
        by_topic: bool = False,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> GetWhatIfResponse:
        """What would end if an organization stopped. Raises NOT_FOUND if no fact names it."""
        request = GetWhatIfRequest(
            question=to_question(self.programme, question, filters),
            min_position=min_position,
            organization_id=organization_id,
            by_topic=by_topic,
        )
        return self._query.call(lambda link: link.analysis.GetWhatIf, request)

    @takes_filters
    def get_graph(
        self,
        question: Question | None = None,
        *,
        roles_by: str = "",
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> GetGraphResponse:
        """Organizations and ties with what programs for graphs need, at one position.

        `roles_by`, such as "region", counts brokerage roles between the groups of an attribute.
        All pages come from one position, unless there is the warning MODEL_MOVED: facts were
        recorded in each of three attempts.
        """
        request = GetGraphRequest(
            question=to_question(self.programme, question, filters),
            page_size=MAX_PAGE_SIZE,
            min_position=min_position,
            order_by=order_by,
            roles_by=roles_by,
        )
        for _ in range(_GRAPH_ATTEMPTS):
            request.page_token = ""
            graph = self._query.call(lambda link: link.analysis.GetGraph, request)
            while graph.next_page_token:
                request.page_token = graph.next_page_token
                page = self._query.call(lambda link: link.analysis.GetGraph, request)
                _append_page(graph, page)
            if MODEL_MOVED not in graph.warnings:
                break
        return graph

    def get_status(self, *, min_position: str = "") -> GetStatusResponse:
        """The progress of the read models and their counts of records."""
        request = GetStatusRequest(programme_id=self.programme, min_position=min_position)
        return self._ask(lambda stub: stub.GetStatus, request)

    @takes_filters
    def list_asymmetry(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        every_pair: bool = False,
        **filters: Unpack[Filters],
    ) -> Pages[PairAsymmetry]:
        """Pairs with evidence, the most one-sided first, and what the network pays back to them.

        `every_pair` adds pairs with too few contact days for evidence. What is paid back is
        computed page by page: a small `page_size` answers sooner.
        """
        request = ListAsymmetryRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
            every_pair=every_pair,
        )
        return self._analysis_pages(
            lambda stub: stub.ListAsymmetry, lambda page: page.pairs, request
        )

    @takes_filters
    def list_topic_asymmetry(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> Pages[TopicAsymmetry]:
        """How one-sided the exchange on each topic is, ordered by topic."""
        request = ListTopicAsymmetryRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return self._analysis_pages(
            lambda stub: stub.ListTopicAsymmetry, lambda page: page.topics, request
        )

    @takes_filters
    def list_balances(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> Pages[Balance]:
        """The amounts that every organization gave and received, ordered by organization id."""
        request = ListBalancesRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return self._pages(lambda stub: stub.ListBalances, lambda page: page.balances, request)

    @takes_filters
    def list_pairs(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> Pages[Pair]:
        """One row per pair of organizations with an exchange, ordered by giver and receiver id."""
        request = ListPairsRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return self._pages(lambda stub: stub.ListPairs, lambda page: page.pairs, request)

    @takes_filters
    def list_organizations(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> Pages[Organization]:
        """The roster and every unregistered organization in an exchange, ordered by id."""
        request = ListOrganizationsRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return self._pages(
            lambda stub: stub.ListOrganizations, lambda page: page.organizations, request
        )

    @takes_filters
    def list_exchanges(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        batch: str = "",
        exchange_ids: Sequence[str] = (),
        giver_id: str = "",
        receiver_id: str = "",
        standing_only: bool = False,
        possible_doubles: bool = False,
        **filters: Unpack[Filters],
    ) -> Pages[Exchange]:
        """Exchanges with all their revisions, in log order.

        `standing_only` leaves out retracted exchanges. `giver_id` and `receiver_id` together select
        the evidence of one edge, `possible_doubles` the exchanges that may be reported twice.
        """
        request = ListExchangesRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
            batch=batch,
            exchange_ids=exchange_ids,
            giver_id=giver_id,
            receiver_id=receiver_id,
            standing_only=standing_only,
            possible_doubles=possible_doubles,
        )
        return self._pages(lambda stub: stub.ListExchanges, lambda page: page.exchanges, request)

    def list_batches(self, *, page_size: int = 0, min_position: str = "") -> Pages[Batch]:
        """The imported batches, ordered by name and generation."""
        request = ListBatchesRequest(
            programme_id=self.programme, page_size=page_size, min_position=min_position
        )
        return self._pages(lambda stub: stub.ListBatches, lambda page: page.batches, request)

    def list_quarantine(
        self, *, offsets: Sequence[int] = (), page_size: int = 0, min_position: str = ""
    ) -> Pages[QuarantinedRecord]:
        """Quarantined records with their reason, in log order: all, or only those at `offsets`."""
        request = ListQuarantineRequest(
            programme_id=self.programme,
            page_size=page_size,
            min_position=min_position,
            offsets=offsets,
        )
        return self._pages(lambda stub: stub.ListQuarantine, lambda page: page.records, request)

    def _ask(
        self,
        method: "Callable[[QueryServiceStub], grpc.UnaryUnaryMultiCallable[Any, Response]]",
        request: object,
    ) -> Response:
        return self._query.call(lambda link: method(link.query), request)

    def _pages(
        self,
        method: "Callable[[QueryServiceStub], grpc.UnaryUnaryMultiCallable[Any, PageOf]]",
        rows_of: Callable[[PageOf], Iterable[Row]],
        request: ListRequest,
    ) -> Pages[Row]:
        def fetch(page_token: str) -> tuple[PageOf, Iterable[Row]]:
            request.page_token = page_token
            page = self._ask(method, request)
            return page, rows_of(page)

        return Pages.open(fetch)

    def _analysis_pages(
        self,
        method: "Callable[[AnalysisServiceStub], grpc.UnaryUnaryMultiCallable[Any, PageOf]]",
        rows_of: Callable[[PageOf], Iterable[Row]],
        request: ListRequest,
    ) -> Pages[Row]:
        def fetch(page_token: str) -> tuple[PageOf, Iterable[Row]]:
            request.page_token = page_token
            page = self._query.call(lambda link: method(link.analysis), request)
            return page, rows_of(page)

        return Pages.open(fetch)


def _append_page(network: Network, page: Network) -> None:
    """Adds the page that follows."""
    network.nodes.extend(page.nodes)
    network.edges.extend(page.edges)
    network.warnings.extend(each for each in page.warnings if each not in network.warnings)
    network.next_page_token = page.next_page_token


def _prepend_revisions(answer: GetExchangeResponse, earlier: GetExchangeResponse) -> None:
    """Adds the revisions before those of an answer."""
    exchange = earlier.exchange
    exchange.revisions.extend(answer.exchange.revisions)
    answer.exchange.ClearField("revisions")
    answer.exchange.revisions.extend(exchange.revisions)
    answer.exchange.earlier_revision_count = exchange.earlier_revision_count
