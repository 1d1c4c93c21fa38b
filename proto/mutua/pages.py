"""Lists that arrive page by page."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from google.protobuf.descriptor import Descriptor

from mutua import frames
from mutua.v1.query_service_pb2 import Coverage, Question
from mutua.v1.types_pb2 import Date

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Row = TypeVar("Row")


class ListRequest(Protocol):
    """What every list request has."""

    page_token: str


class ListResponse(Protocol):
    """The fields of every list response except its rows."""

    next_page_token: str
    position: str

    @property
    def as_of_date(self) -> Date: ...

    @property
    def coverage(self) -> Coverage: ...

    @property
    def warnings(self) -> Sequence[str]: ...


class ListAnswer(ABC):
    """What a list answers and rests on: question, position, date and coverage of its first page,
    and the warnings."""

    def __init__(self) -> None:
        self._later_warnings: list[str] = []

    @property
    @abstractmethod
    def first_page(self) -> ListResponse: ...

    @property
    def position(self) -> str:
        return self.first_page.position

    @property
    def as_of_date(self) -> Date:
        return self.first_page.as_of_date

    @property
    def coverage(self) -> Coverage:
        return self.first_page.coverage

    @property
    def question(self) -> Question:
        """The question as it was answered; empty for lists that take none."""
        return getattr(self.first_page, "question", None) or Question()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the first page, and others of the later pages that were read so far."""
        return tuple(dict.fromkeys((*self.first_page.warnings, *self._later_warnings)))

    @property
    def _row_descriptor(self) -> Descriptor:
        page: Any = self.first_page
        descriptor: Descriptor = page.DESCRIPTOR.fields_by_number[1].message_type
        return descriptor


class Pages(ListAnswer, Generic[Row]):
    """The rows of all pages, each page asked for when its first row is needed.

    Only the first page is kept: iterating again asks for the later ones again. Belongs to one
    thread.
    """

    def __init__(self, fetch: Callable[[str], tuple[ListResponse, Iterable[Row]]]) -> None:
        """`fetch` answers a page token, "" for the first page, with the page and its rows."""
        super().__init__()
        self._fetch = fetch

    @classmethod
    def open(cls, fetch: Callable[[str], tuple[ListResponse, Iterable[Row]]]) -> Self:
        """The pages, none of which is fetched yet."""
        return cls(fetch)

    def __iter__(self) -> Iterator[Row]:
        page, rows = self._first
        yield from rows
        while page.next_page_token:
            page, rows = self._fetch(page.next_page_token)
            self._later_warnings += page.warnings
            yield from rows

    def to_arrow(self) -> "pa.Table":
        """All rows as a table; see `mutua.frames`. Needs pyarrow."""
        return frames.to_arrow(self, self._row_descriptor)

    def to_pandas(self) -> "pd.DataFrame":
        """All rows as a DataFrame of pandas. Needs pandas and pyarrow."""
        return frames.to_pandas(self, self._row_descriptor)

    def to_polars(self) -> "pl.DataFrame":
        """All rows as a DataFrame of polars. Needs polars and pyarrow."""
        return frames.to_polars(self, self._row_descriptor)

    @property
    def first_page(self) -> ListResponse:
        return self._first[0]

    @cached_property
    def _first(self) -> tuple[ListResponse, Iterable[Row]]:
        return self._fetch("")


class AsyncPages(ListAnswer, Generic[Row]):
    """The rows of all pages; each page after the first is asked for when its first row is needed.

    Only the first page is kept: iterating again asks for the later ones again.
    """

    def __init__(
        self,
        first: tuple[ListResponse, Iterable[Row]],
        fetch: Callable[[str], Awaitable[tuple[ListResponse, Iterable[Row]]]],
    ) -> None:
        """`fetch` answers a page token with the page and its rows."""
        super().__init__()
        self._first = first
        self._fetch = fetch

    @classmethod
    async def open(
        cls, fetch: Callable[[str], Awaitable[tuple[ListResponse, Iterable[Row]]]]
    ) -> Self:
        """The pages, of which the first is fetched."""
        return cls(await fetch(""), fetch)

    async def __aiter__(self) -> AsyncIterator[Row]:
        page, rows = self._first
        for row in rows:
            yield row
        while page.next_page_token:
            page, rows = await self._fetch(page.next_page_token)
            self._later_warnings += page.warnings
            for row in rows:
                yield row

    async def to_arrow(self) -> "pa.Table":
        """All rows as a table; see `mutua.frames`. Needs pyarrow."""
        return frames.to_arrow([row async for row in self], self._row_descriptor)

    async def to_pandas(self) -> "pd.DataFrame":
        """All rows as a DataFrame of pandas. Needs pandas and pyarrow."""
        return frames.to_pandas([row async for row in self], self._row_descriptor)

    async def to_polars(self) -> "pl.DataFrame":
        """All rows as a DataFrame of polars. Needs polars and pyarrow."""
        return frames.to_polars([row async for row in self], self._row_descriptor)

    @property
    def first_page(self) -> ListResponse:
        return self._first[0]
