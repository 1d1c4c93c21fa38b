"""The client for programs: one `Client` per programme, safe to share between threads."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from types import TracebackType
from typing import Self, TypeVar, Unpack

from mutua import read_rpcs
from mutua.connection import Connection, RetryClock
from mutua.errors import MutuaError
from mutua.filters import Filters, takes_filters, to_question
from mutua.limits import MAX_PAGE_SIZE
from mutua.location import DirectoryLocation, locate
from mutua.pages import ListRequest, ListResponse, Pages
from mutua.read_rpcs import ListRpc, ReadRpc
from mutua.recording import Recorded, complete_event, split_into_batches
from mutua.recording_stream import RecordingStream
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
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

Response = TypeVar("Response")
PageOf = TypeVar("PageOf", bound=ListResponse)
Row = TypeVar("Row")


class Client:
    """Records facts in one programme, and asks what they add up to.

    Connects to the server at `server` ("host:port"), to two ("ingest_host:port,query_host:port"),
    or to the server of a data `directory` on this machine. While no process serves that directory,
    this process opens it and serves it, also to other processes, until `close`; see
    `DirectoryLocation`.

    Facts are recorded on behalf of `organization`. `deadline_seconds` bounds each request together
    with its retries. The first request connects. Every method raises MutuaError.
    """

    def __init__(
        self,
        server: str = "",
        programme: str = "default",
        organization: str = "",
        deadline_seconds: float = 30.0,
        *,
        directory: str | os.PathLike[str] | DirectoryLocation | None = None,
        clock: RetryClock = time,
    ) -> None:
        self.programme = programme
        self.organization = organization
        self._connections = [
            Connection(
                location, organization=organization, deadline_seconds=deadline_seconds, clock=clock
            )
            for location in locate(server, directory)
        ]
        # One server does both.
        self._ingest, self._query = self._connections[0], self._connections[-1]

    def record(self, events: Iterable[Event]) -> str:
        """Records up to 1,000 events or 1 MiB in one request; returns the position after them.

        Empty event and programme ids are filled in on the events themselves. After UNAVAILABLE,
        DEADLINE_EXCEEDED or CANCELLED the facts may or may not be recorded. Make the same call
        again then, because facts count once by event id.
        """
        request = RecordEventsRequest(
            events=[complete_event(each, self.programme) for each in events]
        )
        return self._ingest.call(
            lambda link: link.ingest.RecordEvents, request, is_write=True
        ).position

    def record_in_batches(self, events: Iterable[Event]) -> Iterator[Recorded]:
        """Records any number of events, one request after the other, in their order.

        Yields after each request; nothing is recorded unless the result is iterated. If it raises,
        everything yielded before is durable.
        """
        for batch in split_into_batches(complete_event(each, self.programme) for each in events):
            yield Recorded(count=len(batch), position=self.record(batch))

    def record_stream(self, events: Iterable[Event]) -> Iterator[Recorded]:
        """Records any number of events of one programme, in their order, as fast as they are taken.

        Sends several groups without waiting and yields each one, in order, once it is durable. A
        broken stream resumes from the first group without an answer; `deadline_seconds` bounds the
        wait for each answer, not the whole stream. Nothing is recorded unless the result is
        iterated. If it raises, everything yielded before is durable. If a fact is refused, the
        error's fields refer to the group after the last one yielded, and nothing from that group on
        is recorded. After any other error, some of the later groups may be recorded.
        """
        with closing(RecordingStream(self._ingest)) as stream:
            for batch in split_into_batches(
                complete_event(each, self.programme) for each in events
            ):
                yield from stream.send(batch)
            yield from stream.finish()

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
        return self._ask(read_rpcs.BALANCE, request)

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
        return self._ask(read_rpcs.CONCENTRATION, request)

    def get_exchange(self, exchange_id: str, *, min_position: str = "") -> GetExchangeResponse:
        """One exchange with all its revisions. Raises NOT_FOUND if it is not recorded."""
        request = GetExchangeRequest(
            programme_id=self.programme, exchange_id=exchange_id, min_position=min_position
        )
        answer = self._ask(read_rpcs.EXCHANGE, request)
        while answer.exchange.earlier_revision_count:
            request.before_event_id = answer.exchange.revisions[0].event_id
            read_rpcs.prepend_revisions(answer, self._ask(read_rpcs.EXCHANGE, request))
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
        network = self._ask(read_rpcs.NETWORK, request)
        while network.next_page_token:
            request.page_token = network.next_page_token
            read_rpcs.append_page(network, self._ask(read_rpcs.NETWORK, request))
        return network

    def get_programme(self, *, min_position: str = "") -> GetProgrammeResponse:
        """The settings of the programme, and its topics with their labels."""
        request = GetProgrammeRequest(programme_id=self.programme, min_position=min_position)
        return self._ask(read_rpcs.PROGRAMME, request)

    def get_status(self, *, min_position: str = "") -> GetStatusResponse:
        """The progress of the read models and their counts of records."""
        request = GetStatusRequest(programme_id=self.programme, min_position=min_position)
        return self._ask(read_rpcs.STATUS, request)

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
        return self._pages(read_rpcs.BALANCES, request)

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
        return self._pages(read_rpcs.PAIRS, request)

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
        return self._pages(read_rpcs.ORGANIZATIONS, request)

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
        return self._pages(read_rpcs.EXCHANGES, request)

    def list_batches(self, *, page_size: int = 0, min_position: str = "") -> Pages[Batch]:
        """The imported batches, ordered by name and generation."""
        request = ListBatchesRequest(
            programme_id=self.programme, page_size=page_size, min_position=min_position
        )
        return self._pages(read_rpcs.BATCHES, request)

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
        return self._pages(read_rpcs.QUARANTINE, request)

    def close(self) -> None:
        """Cancels running requests; later requests raise ValueError, like a closed file.

        Releases a data directory that this client opened. Raises MutuaError if the server on it had
        failed.
        """
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
        # The first error explains more than its consequence.
        with suppress(MutuaError) if error is not None else nullcontext():
            self.close()

    def _ask(self, read: ReadRpc[Response], request: object) -> Response:
        return self._query.call(lambda link: read.stub_method(link.query), request)

    def _pages(self, read: ListRpc[PageOf, Row], request: ListRequest) -> Pages[Row]:
        def fetch(page_token: str) -> tuple[PageOf, Iterable[Row]]:
            request.page_token = page_token
            page = self._ask(read, request)
            return page, read.rows_of(page)

        return Pages(fetch)
