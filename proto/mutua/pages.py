"""Lists that arrive page by page."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from mutua.v1.query_service_pb2 import Coverage
from mutua.v1.types_pb2 import Date

Row = TypeVar("Row")


class ListRequest(Protocol):
    """What every list request has."""

    page_token: str


class Page(Protocol):
    """What every list response has beside its rows."""

    next_page_token: str
    position: str

    @property
    def as_of_date(self) -> Date: ...

    @property
    def coverage(self) -> Coverage: ...

    @property
    def warnings(self) -> Sequence[str]: ...


class Pages(Generic[Row]):
    """The rows of all pages, each page asked for when its first row is needed.

    Position, date, coverage and warnings are those of the first page. Only that page is kept:
    iterating again asks for the later ones again. Belongs to one thread.
    """

    def __init__(self, fetch: Callable[[str], tuple[Page, Iterable[Row]]]) -> None:
        """`fetch` answers a page token, "" for the first page, with the page and its rows."""
        self._fetch = fetch

    def __iter__(self) -> Iterator[Row]:
        page, rows = self._first
        yield from rows
        while page.next_page_token:
            page, rows = self._fetch(page.next_page_token)
            yield from rows

    @property
    def position(self) -> str:
        return self._first[0].position

    @property
    def as_of_date(self) -> Date:
        return self._first[0].as_of_date

    @property
    def coverage(self) -> Coverage:
        return self._first[0].coverage

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._first[0].warnings)

    @cached_property
    def _first(self) -> tuple[Page, Iterable[Row]]:
        return self._fetch("")
