"""Every question a client can ask, as the request it becomes; the clients only send them.

The parameters and docstrings here are those of the methods of `Client` and `AsyncClient`, but for
`programme`, which is the client's own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc

from mutua.pages import Page
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
    GetProgrammeRequest,
    GetProgrammeResponse,
    GetStatusRequest,
    GetStatusResponse,
    ListBalancesRequest,
    ListBalancesResponse,
    ListBatchesRequest,
    ListBatchesResponse,
    ListExchangesRequest,
    ListExchangesResponse,
    ListOrganizationsRequest,
    ListOrganizationsResponse,
    ListPairsRequest,
    ListPairsResponse,
    ListQuarantineRequest,
    ListQuarantineResponse,
    Organization,
    Pair,
    QuarantinedRecord,
    Question,
)
from mutua.v1.query_service_pb2_grpc import QueryServiceStub

MAX_PAGE_SIZE = 10_000

Response = TypeVar("Response")
PageOf = TypeVar("PageOf", bound=Page)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Read(Generic[Response]):
    """A request, and the rpc that answers it."""

    method: "Callable[[QueryServiceStub], grpc.UnaryUnaryMultiCallable[Any, Response]]"
    request: Any


@dataclass(frozen=True, slots=True)
class ListRead(Read[PageOf], Generic[PageOf, Row]):
    """A request that is answered in pages, and where a page has its rows."""

    rows_of: Callable[[PageOf], Iterable[Row]]


def get_balance(
    programme: str,
    organization_id: str,
    question: Question | None = None,
    *,
    min_position: str = "",
) -> Read[GetBalanceResponse]:
    """Raises NOT_FOUND when the organization is neither registered nor seen."""
    request = GetBalanceRequest(
        organization_id=organization_id,
        question=_asked(programme, question),
        min_position=min_position,
    )
    return Read(lambda stub: stub.GetBalance, request)


def list_balances(
    programme: str,
    question: Question | None = None,
    *,
    page_size: int = 0,
    min_position: str = "",
    order_by: str = "",
) -> ListRead[ListBalancesResponse, Balance]:
    """What each organization gave and received, by organization id."""
    request = ListBalancesRequest(
        question=_asked(programme, question),
        page_size=page_size,
        min_position=min_position,
        order_by=order_by,
    )
    return ListRead(lambda stub: stub.ListBalances, request, lambda page: page.balances)


def list_pairs(
    programme: str,
    question: Question | None = None,
    *,
    page_size: int = 0,
    min_position: str = "",
    order_by: str = "",
) -> ListRead[ListPairsResponse, Pair]:
    """One row for each two organizations with an exchange, by giver and receiver id."""
    request = ListPairsRequest(
        question=_asked(programme, question),
        page_size=page_size,
        min_position=min_position,
        order_by=order_by,
    )
    return ListRead(lambda stub: stub.ListPairs, request, lambda page: page.pairs)


def get_network(
    programme: str,
    question: Question | None = None,
    *,
    min_position: str = "",
    order_by: str = "",
) -> Read[GetNetworkResponse]:
    """The first page of the network; see `join`."""
    request = GetNetworkRequest(
        question=_asked(programme, question),
        page_size=MAX_PAGE_SIZE,
        min_position=min_position,
        order_by=order_by,
    )
    return Read(lambda stub: stub.GetNetwork, request)


def join(network: GetNetworkResponse, page: GetNetworkResponse) -> None:
    """Adds the page that follows; all nodes are on the first."""
    network.edges.extend(page.edges)
    network.warnings.extend(each for each in page.warnings if each not in network.warnings)
    network.next_page_token = page.next_page_token


def get_concentration(
    programme: str, question: Question | None = None, *, min_position: str = ""
) -> Read[GetConcentrationResponse]:
    """How far giving, and receiving, lie with a few."""
    request = GetConcentrationRequest(
        question=_asked(programme, question), min_position=min_position
    )
    return Read(lambda stub: stub.GetConcentration, request)


def list_organizations(
    programme: str,
    question: Question | None = None,
    *,
    page_size: int = 0,
    min_position: str = "",
    order_by: str = "",
) -> ListRead[ListOrganizationsResponse, Organization]:
    """The roster and every unregistered organization that was named, by id."""
    request = ListOrganizationsRequest(
        question=_asked(programme, question),
        page_size=page_size,
        min_position=min_position,
        order_by=order_by,
    )
    return ListRead(lambda stub: stub.ListOrganizations, request, lambda page: page.organizations)


def list_exchanges(
    programme: str,
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
) -> ListRead[ListExchangesResponse, Exchange]:
    """Exchanges with all their revisions, in log order; retracted ones unless `standing_only`.

    `giver_id` and `receiver_id` together choose the evidence of one edge. `possible_doubles`
    chooses those that may be two reports of one exchange, and lists them next to each other.
    """
    request = ListExchangesRequest(
        question=_asked(programme, question),
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
    return ListRead(lambda stub: stub.ListExchanges, request, lambda page: page.exchanges)


def get_exchange(
    programme: str, exchange_id: str, *, min_position: str = ""
) -> Read[GetExchangeResponse]:
    """One exchange with all its revisions. Raises NOT_FOUND when nobody recorded it."""
    request = GetExchangeRequest(
        programme_id=programme, exchange_id=exchange_id, min_position=min_position
    )
    return Read(lambda stub: stub.GetExchange, request)


def list_batches(
    programme: str, *, page_size: int = 0, min_position: str = ""
) -> ListRead[ListBatchesResponse, Batch]:
    """What was imported, by batch and generation."""
    request = ListBatchesRequest(
        programme_id=programme, page_size=page_size, min_position=min_position
    )
    return ListRead(lambda stub: stub.ListBatches, request, lambda page: page.batches)


def get_programme(programme: str, *, min_position: str = "") -> Read[GetProgrammeResponse]:
    """What the programme is configured to, and its topics with their labels."""
    request = GetProgrammeRequest(programme_id=programme, min_position=min_position)
    return Read(lambda stub: stub.GetProgramme, request)


def list_quarantine(
    programme: str,
    *,
    offsets: Sequence[int] = (),
    page_size: int = 0,
    min_position: str = "",
) -> ListRead[ListQuarantineResponse, QuarantinedRecord]:
    """Records that can never apply, with the reason, in log order; those at `offsets`, or all."""
    request = ListQuarantineRequest(
        programme_id=programme, page_size=page_size, min_position=min_position, offsets=offsets
    )
    return ListRead(lambda stub: stub.ListQuarantine, request, lambda page: page.records)


def get_status(programme: str, *, min_position: str = "") -> Read[GetStatusResponse]:
    """How far the read models are and what they hold."""
    request = GetStatusRequest(programme_id=programme, min_position=min_position)
    return Read(lambda stub: stub.GetStatus, request)


def _asked(programme: str, question: Question | None) -> Question:
    asked = Question(programme_id=programme)
    if question is not None:
        asked.MergeFrom(question)  # an empty programme_id leaves ours
    return asked
