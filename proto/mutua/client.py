"""What programs use: one `Client` a programme, safe to share between threads."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import grpc

from mutua.connection import Clock, Connection
from mutua.errors import MutuaError
from mutua.ids import uuid7
from mutua.pages import ListRequest, Page, Pages
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from mutua.v1.query_service_pb2 import (
    Balance,
    Exchange,
    GetBalanceRequest,
    GetBalanceResponse,
    GetStatusRequest,
    GetStatusResponse,
    ListBalancesRequest,
    ListExchangesRequest,
    ListOrganizationsRequest,
    ListPairsRequest,
    Organization,
    Pair,
    Question,
)
from mutua.v1.query_service_pb2_grpc import QueryServiceStub

# The server refuses more than 1,000 events or 1 MiB; what is left over is room for the framing.
REQUEST_EVENTS = 1_000
REQUEST_BYTES = 900 * 1024

RequestOf = TypeVar("RequestOf", bound=ListRequest)
PageOf = TypeVar("PageOf", bound=Page)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """`count` events are durable; as min_position, `position` makes a read see them."""

    count: int
    position: str


class Client:
    """Talks to one server ("host:port"), or to two ("ingest_host:port,query_host:port").

    `organization` says on whose behalf facts are recorded. `deadline_seconds` bounds each request
    together with its retries. Connects at the first request. Every method raises MutuaError.
    """

    def __init__(
        self,
        server: str,
        programme: str = "default",
        organization: str = "",
        deadline_seconds: float = 30.0,
        *,
        clock: Clock = time,
    ) -> None:
        self.programme = programme
        self._connections = [
            Connection(
                address, organization=organization, deadline_seconds=deadline_seconds, clock=clock
            )
            for address in _addresses(server)
        ]
        # One address serves both.
        self._ingest, self._query = self._connections[0], self._connections[-1]
        self._ingest_stub = IngestServiceStub(self._ingest.channel)
        self._query_stub = QueryServiceStub(self._query.channel)

    def record(self, events: Iterable[Event]) -> str:
        """Records up to 1,000 events or 1 MiB in one request; returns the position after them.

        Empty event and programme ids are filled in on the events themselves, so that after an
        UNAVAILABLE, DEADLINE_EXCEEDED or CANCELLED, when nobody knows whether the facts stand, the
        same call can be made again: facts count once by event id.
        """
        request = RecordEventsRequest(events=[self._completed(event) for event in events])
        return self._ingest.call(self._ingest_stub.RecordEvents, request, is_write=True).position

    def record_in_batches(self, events: Iterable[Event]) -> Iterator[Recorded]:
        """Records any number of events, one request after the other, in their order.

        Yields after each request; nothing is recorded unless the result is iterated. When it
        raises, what was yielded before is durable.
        """
        for batch in _batches(map(self._completed, events)):
            yield Recorded(count=len(batch), position=self.record(batch))

    def get_balance(
        self, organization_id: str, question: Question | None = None, *, min_position: str = ""
    ) -> GetBalanceResponse:
        """Raises NOT_FOUND when the organization is neither registered nor seen."""
        request = GetBalanceRequest(
            organization_id=organization_id,
            question=self._asked(question),
            min_position=min_position,
        )
        return self._query.call(self._query_stub.GetBalance, request)

    def list_balances(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
    ) -> Pages[Balance]:
        """What each organization gave and received, by organization id."""
        request = ListBalancesRequest(
            question=self._asked(question),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return self._pages(self._query_stub.ListBalances, request, lambda page: page.balances)

    def list_pairs(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
    ) -> Pages[Pair]:
        """One row for each two organizations with an exchange, by giver and receiver id."""
        request = ListPairsRequest(
            question=self._asked(question),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return self._pages(self._query_stub.ListPairs, request, lambda page: page.pairs)

    def list_organizations(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
    ) -> Pages[Organization]:
        """The roster and every unregistered organization that was named, by id."""
        request = ListOrganizationsRequest(
            question=self._asked(question),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return self._pages(
            self._query_stub.ListOrganizations, request, lambda page: page.organizations
        )

    def list_exchanges(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        batch: str = "",
        exchange_ids: Sequence[str] = (),
    ) -> Pages[Exchange]:
        """Exchanges with all their revisions, retracted ones too, in log order."""
        request = ListExchangesRequest(
            question=self._asked(question),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
            batch=batch,
            exchange_ids=exchange_ids,
        )
        return self._pages(self._query_stub.ListExchanges, request, lambda page: page.exchanges)

    def get_status(self, *, min_position: str = "") -> GetStatusResponse:
        """How far the read models are and what they hold."""
        request = GetStatusRequest(programme_id=self.programme, min_position=min_position)
        return self._query.call(self._query_stub.GetStatus, request)

    def close(self) -> None:
        """Ends requests under way as CANCELLED; later ones raise ValueError, like a closed file."""
        for connection in self._connections:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _completed(self, event: Event) -> Event:
        event.event_id = event.event_id or uuid7()
        event.programme_id = event.programme_id or self.programme
        return event

    def _asked(self, question: Question | None) -> Question:
        asked = Question(programme_id=self.programme)
        if question is not None:
            asked.MergeFrom(question)  # an empty programme_id leaves ours
        return asked

    def _pages(
        self,
        method: "grpc.UnaryUnaryMultiCallable[RequestOf, PageOf]",
        request: RequestOf,
        rows_of: Callable[[PageOf], Iterable[Row]],
    ) -> Pages[Row]:
        def fetch(page_token: str) -> tuple[PageOf, Iterable[Row]]:
            request.page_token = page_token
            page = self._query.call(method, request)
            return page, rows_of(page)

        return Pages(fetch)


def _addresses(server: str) -> list[str]:
    addresses = [address.strip() for address in server.split(",")]
    # gRPC would take 443 for a missing port, and the user would wait for nothing.
    if len(addresses) > 2 or not all(
        host and port.isdecimal() for host, _, port in (a.rpartition(":") for a in addresses)
    ):
        raise MutuaError(
            f"server is {server!r}: give host:port, or ingest_host:port,query_host:port",
            code=grpc.StatusCode.INVALID_ARGUMENT,
        )
    return addresses


def _batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Cuts at the limits of a request; an event above them goes alone, for the server to judge."""
    batch: list[Event] = []
    batch_bytes = 0
    for event in events:
        event_bytes = event.ByteSize() + 5  # with the tag and length that precede it
        if batch and (len(batch) == REQUEST_EVENTS or batch_bytes + event_bytes > REQUEST_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(event)
        batch_bytes += event_bytes
    if batch:
        yield batch
