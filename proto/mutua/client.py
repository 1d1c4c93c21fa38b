"""What programs use: one `Client` a programme, safe to share between threads."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from mutua import reads
from mutua.connection import Clock, Connection, addresses
from mutua.pages import Page, Pages
from mutua.reads import ListRead, Read
from mutua.recording import Recorded, batches, completed
from mutua.stream import Stream
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from mutua.v1.query_service_pb2 import GetNetworkResponse, Question
from mutua.v1.query_service_pb2_grpc import QueryServiceStub

Asked = ParamSpec("Asked")
Response = TypeVar("Response")
PageOf = TypeVar("PageOf", bound=Page)
Row = TypeVar("Row")


def _answer(
    read: Callable[Concatenate[str, Asked], Read[Response]],
) -> "Callable[Concatenate[Client, Asked], Response]":
    @wraps(read)
    def ask(self: "Client", /, *args: Asked.args, **kwargs: Asked.kwargs) -> Response:
        return self._ask(read(self.programme, *args, **kwargs))

    return ask


def _list(
    read: Callable[Concatenate[str, Asked], ListRead[PageOf, Row]],
) -> "Callable[Concatenate[Client, Asked], Pages[Row]]":
    @wraps(read)
    def ask(self: "Client", /, *args: Asked.args, **kwargs: Asked.kwargs) -> Pages[Row]:
        return self._pages(read(self.programme, *args, **kwargs))

    return ask


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
            for address in addresses(server)
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
        request = RecordEventsRequest(events=[completed(each, self.programme) for each in events])
        return self._ingest.call(self._ingest_stub.RecordEvents, request, is_write=True).position

    def record_in_batches(self, events: Iterable[Event]) -> Iterator[Recorded]:
        """Records any number of events, one request after the other, in their order.

        Yields after each request; nothing is recorded unless the result is iterated. When it
        raises, what was yielded before is durable.
        """
        for batch in batches(completed(each, self.programme) for each in events):
            yield Recorded(count=len(batch), position=self.record(batch))

    def record_stream(self, events: Iterable[Event]) -> Iterator[Recorded]:
        """Records any number of events of one programme, in their order, as fast as they are taken.

        Sends groups ahead and yields for each of them, in order, once it is durable. A stream that
        breaks is resumed from the first group without an answer; `deadline_seconds` bounds the
        wait for each answer, not the whole. Nothing is recorded unless the result is iterated.
        When it raises, what was yielded before is durable. When a fact is refused, the fields of
        the error are of the group after the last one yielded, and nothing of it or of what follows
        is recorded; after any other end some of what was sent ahead may be.
        """
        with closing(Stream(self._ingest, self._ingest_stub.RecordStream)) as stream:
            for batch in batches(completed(each, self.programme) for each in events):
                yield from stream.send(batch)
            yield from stream.finish()

    get_balance = _answer(reads.get_balance)
    get_concentration = _answer(reads.get_concentration)
    get_exchange = _answer(reads.get_exchange)
    get_programme = _answer(reads.get_programme)
    get_status = _answer(reads.get_status)
    list_balances = _list(reads.list_balances)
    list_pairs = _list(reads.list_pairs)
    list_organizations = _list(reads.list_organizations)
    list_exchanges = _list(reads.list_exchanges)
    list_batches = _list(reads.list_batches)
    list_quarantine = _list(reads.list_quarantine)

    def get_network(
        self, question: Question | None = None, *, min_position: str = "", order_by: str = ""
    ) -> GetNetworkResponse:
        """Organizations as nodes, isolates too, and all directed ties as edges."""
        read = reads.get_network(
            self.programme, question, min_position=min_position, order_by=order_by
        )
        network = self._ask(read)
        while network.next_page_token:
            read.request.page_token = network.next_page_token
            reads.join(network, self._ask(read))
        return network

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

    def _ask(self, read: Read[Response]) -> Response:
        return self._query.call(read.method(self._query_stub), read.request)

    def _pages(self, read: ListRead[PageOf, Row]) -> Pages[Row]:
        def fetch(page_token: str) -> tuple[PageOf, Iterable[Row]]:
            read.request.page_token = page_token
            page = self._ask(read)
            return page, read.rows_of(page)

        return Pages(fetch)
