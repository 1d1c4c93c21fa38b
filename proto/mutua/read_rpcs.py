"""The rpcs that read, as both clients call them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import grpc

from mutua.pages import ListResponse
from mutua.v1.query_service_pb2 import (
    Balance,
    Batch,
    Exchange,
    GetBalanceResponse,
    GetConcentrationResponse,
    GetExchangeResponse,
    GetNetworkResponse,
    GetProgrammeResponse,
    GetStatusResponse,
    ListBalancesResponse,
    ListBatchesResponse,
    ListExchangesResponse,
    ListOrganizationsResponse,
    ListPairsResponse,
    ListQuarantineResponse,
    Organization,
    Pair,
    QuarantinedRecord,
)
from mutua.v1.query_service_pb2_grpc import QueryServiceStub

Response = TypeVar("Response")
PageOf = TypeVar("PageOf", bound=ListResponse)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class ReadRpc(Generic[Response]):
    """An rpc with one answer."""

    stub_method: "Callable[[QueryServiceStub], grpc.UnaryUnaryMultiCallable[Any, Response]]"


@dataclass(frozen=True, slots=True)
class ListRpc(ReadRpc[PageOf], Generic[PageOf, Row]):
    """An rpc that is answered in pages, and where a page has its rows."""

    rows_of: Callable[[PageOf], Iterable[Row]]


BALANCE: Final[ReadRpc[GetBalanceResponse]] = ReadRpc(lambda stub: stub.GetBalance)
CONCENTRATION: Final[ReadRpc[GetConcentrationResponse]] = ReadRpc(
    lambda stub: stub.GetConcentration
)
EXCHANGE: Final[ReadRpc[GetExchangeResponse]] = ReadRpc(lambda stub: stub.GetExchange)
NETWORK: Final[ReadRpc[GetNetworkResponse]] = ReadRpc(lambda stub: stub.GetNetwork)
PROGRAMME: Final[ReadRpc[GetProgrammeResponse]] = ReadRpc(lambda stub: stub.GetProgramme)
STATUS: Final[ReadRpc[GetStatusResponse]] = ReadRpc(lambda stub: stub.GetStatus)
BALANCES: Final[ListRpc[ListBalancesResponse, Balance]] = ListRpc(
    lambda stub: stub.ListBalances, lambda page: page.balances
)
BATCHES: Final[ListRpc[ListBatchesResponse, Batch]] = ListRpc(
    lambda stub: stub.ListBatches, lambda page: page.batches
)
EXCHANGES: Final[ListRpc[ListExchangesResponse, Exchange]] = ListRpc(
    lambda stub: stub.ListExchanges, lambda page: page.exchanges
)
ORGANIZATIONS: Final[ListRpc[ListOrganizationsResponse, Organization]] = ListRpc(
    lambda stub: stub.ListOrganizations, lambda page: page.organizations
)
PAIRS: Final[ListRpc[ListPairsResponse, Pair]] = ListRpc(
    lambda stub: stub.ListPairs, lambda page: page.pairs
)
QUARANTINE: Final[ListRpc[ListQuarantineResponse, QuarantinedRecord]] = ListRpc(
    lambda stub: stub.ListQuarantine, lambda page: page.records
)


def append_page(network: GetNetworkResponse, page: GetNetworkResponse) -> None:
    """Adds the page that follows."""
    network.nodes.extend(page.nodes)
    network.edges.extend(page.edges)
    network.warnings.extend(each for each in page.warnings if each not in network.warnings)
    network.next_page_token = page.next_page_token


def prepend_revisions(answer: GetExchangeResponse, earlier: GetExchangeResponse) -> None:
    """Adds the revisions before those of an answer."""
    exchange = earlier.exchange
    exchange.revisions.extend(answer.exchange.revisions)
    answer.exchange.ClearField("revisions")
    answer.exchange.revisions.extend(exchange.revisions)
    answer.exchange.earlier_revision_count = exchange.earlier_revision_count
