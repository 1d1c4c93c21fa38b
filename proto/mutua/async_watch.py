"""Watches of `AsyncClient`; `make proto` generates those of `Client` from this file."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack

from mutua.async_connection import AsyncConnection, AsyncLink
from mutua.connection import Attempts
from mutua.errors import MutuaError
from mutua.filters import Filters, read_period, read_seed, takes_filters, to_question
from mutua.v1.analysis_service_pb2 import Reciprocity
from mutua.v1.query_service_pb2 import (
    Balance,
    Edge,
    Exchange,
    GetStatusResponse,
    Node,
    Pair,
    Question,
)
from mutua.v1.watch_service_pb2 import (
    AnswerBasis,
    WatchBalancesRequest,
    WatchExchangesRequest,
    WatchNetworkRequest,
    WatchPairsRequest,
    WatchReciprocityRequest,
    WatchStatusRequest,
)
from mutua.watch_state import AnswerChange, WatchState
from mutua.watched_rows import RowKey

Row = TypeVar("Row")


class AsyncWatch(Generic[Row]):
    """The changes of an answer, from its first rows on, until it is closed.

    It connects again when a stream ends or breaks, and goes on with what it holds: a change is
    always the difference to the change before. Raises MutuaError when no server answers within the
    deadline of the client, and when the question has no answer.

    Iterate it from one thread or task only, and close it, or use it as a context manager, to end
    it before the client is closed.
    """

    def __init__(
        self, connection: AsyncConnection, rpc: str, request: Any, *, with_progress: bool
    ) -> None:
        self._connection = connection
        self._rpc = rpc
        self._request = request
        self._with_progress = with_progress
        self._state: WatchState[Row] = WatchState(rpc)
        self._changes = self._follow()

    @property
    def rows(self) -> Mapping[RowKey, Row]:
        """The current rows by key; see `mutua.watched_rows` for the keys."""
        return self._state.rows

    @property
    def basis(self) -> AnswerBasis:
        """What the current rows rest on."""
        return self._state.basis

    @property
    def position(self) -> str:
        """The position of the current rows; "" before the first change."""
        return self._state.position

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnswerChange[Row]:
        return await anext(self._changes)

    async def close(self) -> None:
        """Ends the stream."""
        await self._changes.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _follow(self) -> AsyncGenerator[AnswerChange[Row], None]:
        link = await self._connection.link()
        attempts = Attempts(self._connection, is_write=False)
        while True:
            error = self._connection.early_end_error()
            try:
                async with aclosing(self._read_stream(link, attempts.request_id)) as changes:
                    async for change in changes:
                        attempts = Attempts(self._connection, is_write=False)
                        if self._with_progress or not change.is_progress:
                            yield change
            except MutuaError as failure:
                error = failure
            if error.reason == "RESUME_TOKEN_INVALID" and self._request.resume_token:
                self._state.drop_token(self._request)
                continue
            link = await self._reconnect(link, attempts, error)
            self._request.resume_token = self._state.resume_token

    async def _reconnect(self, link: AsyncLink, attempts: Attempts, error: MutuaError) -> AsyncLink:
        """A link for the next stream. Raises the error with which it is too late or of no use."""
        while True:
            await self._connection.sleep(attempts.delay_seconds(error))
            try:
                return await self._connection.next_link(link, attempts)
            except MutuaError as failure:
                error = failure

    async def _read_stream(
        self, link: AsyncLink, request_id: str
    ) -> AsyncGenerator[AnswerChange[Row], None]:
        self._state.begin_stream()
        method = getattr(link.watch, self._rpc)
        async with aclosing(self._connection.stream(method, self._request, request_id)) as stream:
            async for message in stream:
                if (change := self._state.take(message)) is not None:
                    yield change


class AsyncWatches:
    """Answers that are kept up to date: each method follows one, change by change.

    `for change in client.watch.balances(): ...` gets all balances first, then what changes.
    Methods take the filters of every question but `known_at`. With `with_progress` there is also a
    change without rows at least every 10 s, which says that nothing changed up to its position.
    """

    def __init__(self, connection: AsyncConnection, programme: str) -> None:
        self._connection = connection
        self._programme = programme

    @takes_filters
    def balances(
        self,
        question: Question | None = None,
        *,
        with_progress: bool = False,
        **filters: Unpack[Filters],
    ) -> AsyncWatch[Balance]:
        """The amounts that every organization gave and received; see `list_balances`."""
        request = WatchBalancesRequest(question=to_question(self._programme, question, filters))
        return self._watch("WatchBalances", request, with_progress=with_progress)

    @takes_filters
    def pairs(
        self,
        question: Question | None = None,
        *,
        with_progress: bool = False,
        **filters: Unpack[Filters],
    ) -> AsyncWatch[Pair]:
        """What every two organizations gave each other; see `list_pairs`."""
        request = WatchPairsRequest(question=to_question(self._programme, question, filters))
        return self._watch("WatchPairs", request, with_progress=with_progress)

    @takes_filters
    def network(
        self,
        question: Question | None = None,
        *,
        with_progress: bool = False,
        **filters: Unpack[Filters],
    ) -> AsyncWatch[Node | Edge]:
        """Organizations as nodes, and directed ties as edges; see `get_network`."""
        request = WatchNetworkRequest(question=to_question(self._programme, question, filters))
        return self._watch("WatchNetwork", request, with_progress=with_progress)

    @takes_filters
    def exchanges(
        self,
        question: Question | None = None,
        *,
        after_position: str = "",
        with_progress: bool = False,
        **filters: Unpack[Filters],
    ) -> AsyncWatch[Exchange]:
        """Exchanges as they are recorded, corrected and retracted after a position, none missed.

        Without `after_position` from now on; with that of an answer of `list_exchanges`, or of an
        earlier watch, from there. `rows` stays empty, because this is a list. Raises MutuaError
        (POSITION_OF_ANOTHER_LOG) if the server has another log by now: then list again.
        """
        request = WatchExchangesRequest(
            question=to_question(self._programme, question, filters), after_position=after_position
        )
        return self._watch("WatchExchanges", request, with_progress=with_progress)

    @takes_filters
    def reciprocity(
        self,
        question: Question | None = None,
        *,
        by: str = "",
        seed: int = 0,
        with_progress: bool = False,
        **filters: Unpack[Filters],
    ) -> AsyncWatch[Reciprocity]:
        """How mutual the exchange is, also `by` month, quarter or year; see `get_reciprocity`."""
        request = WatchReciprocityRequest(
            question=to_question(self._programme, question, filters),
            period=read_period(by),
            seed=read_seed(seed),
        )
        return self._watch("WatchReciprocity", request, with_progress=with_progress)

    def status(self, *, with_progress: bool = False) -> AsyncWatch[GetStatusResponse]:
        """The progress of the read models and their counts of records; see `get_status`."""
        request = WatchStatusRequest(programme_id=self._programme)
        return self._watch("WatchStatus", request, with_progress=with_progress)

    def _watch(self, rpc: str, request: Any, *, with_progress: bool) -> AsyncWatch[Any]:
        return AsyncWatch(self._connection, rpc, request, with_progress=with_progress)
