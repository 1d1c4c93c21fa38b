"""The rpcs that read, as both clients call them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import grpc

from mutua.pages import Page
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

MAX_PAGE_SIZE: Final = 10_000

Response = TypeVar("Response")
PageOf = TypeVar("PageOf", bound=Page)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Read(Generic[Response]):
    """An rpc with one answer."""

    method: "Callable[[QueryServiceStub], grpc.UnaryUnaryMultiCallable[Any, Response]]"


@dataclass(frozen=True, slots=True)
class ListRead(Read[PageOf], Generic[PageOf, Row]):
    """An rpc that is answered in pages, and where a page has its rows."""

    rows_of: Callable[[PageOf], Iterable[Row]]


BALANCE: Final[Read[GetBalanceResponse]] = Read(lambda stub: stub.GetBalance)
CONCENTRATION: Final[Read[GetConcentrationResponse]] = Read(lambda stub: stub.GetConcentration)
EXCHANGE: Final[Read[GetExchangeResponse]] = Read(lambda stub: stub.GetExchange)
NETWORK: Final[Read[GetNetworkResponse]] = Read(lambda stub: stub.GetNetwork)
PROGRAMME: Final[Read[GetProgrammeResponse]] = Read(lambda stub: stub.GetProgramme)
STATUS: Final[Read[GetStatusResponse]] = Read(lambda stub: stub.GetStatus)
BALANCES: Final[ListRead[ListBalancesResponse, Balance]] = ListRead(
    lambda stub: stub.ListBalances, lambda page: page.balances
)
BATCHES: Final[ListRead[ListBatchesResponse, Batch]] = ListRead(
    lambda stub: stub.ListBatches, lambda page: page.batches
)
EXCHANGES: Final[ListRead[ListExchangesResponse, Exchange]] = ListRead(
    lambda stub: stub.ListExchanges, lambda page: page.exchanges
)
ORGANIZATIONS: Final[ListRead[ListOrganizationsResponse, Organization]] = ListRead(
    lambda stub: stub.ListOrganizations, lambda page: page.organizations
)
PAIRS: Final[ListRead[ListPairsResponse, Pair]] = ListRead(
    lambda stub: stub.ListPairs, lambda page: page.pairs
)
QUARANTINE: Final[ListRead[ListQuarantineResponse, QuarantinedRecord]] = ListRead(
    lambda stub: stub.ListQuarantine, lambda page: page.records
)


def join(network: GetNetworkResponse, page: GetNetworkResponse) -> None:
    """Adds the page that follows."""
    network.nodes.extend(page.nodes)
    network.edges.extend(page.edges)
    network.warnings.extend(each for each in page.warnings if each not in network.warnings)
    network.next_page_token = page.next_page_token


def prepend(answer: GetExchangeResponse, earlier: GetExchangeResponse) -> None:
    """Adds the revisions before those of an answer."""
    exchange = earlier.exchange
    exchange.revisions.extend(answer.exchange.revisions)
    answer.exchange.ClearField("revisions")
    answer.exchange.revisions.extend(exchange.revisions)
    answer.exchange.earlier_revision_count = exchange.earlier_revision_count
