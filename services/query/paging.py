"""Pages: bounded in rows and bytes, with a token that knows its question and where it began."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar

from google.protobuf.message import Message

from services.ledger.errors import ImpossibleQuestionError, InvalidPageTokenError, Violation
from services.ledger.times import Day

DEFAULT_PAGE_SIZE: Final = 1_000
MAX_PAGE_SIZE: Final = 10_000
MAX_PAGE_BYTES: Final = 3 << 20
"""Encoded bytes of a page: clients read answers up to 4 MiB unless they raise gRPC's limit."""
RESERVED_BYTES: Final = 64 << 10
"""Bytes kept for what a page gets after its rows: next_page_token (a row's key has up to 40 KB when
escaped), position, as_of_date and a warning."""
_LENGTH_BYTES: Final = 5
"""Tag and length before a row: at most one and four bytes."""

Row = TypeVar("Row")


# decision 0036: answers are cached by last offset
class AnswerVersion(NamedTuple):
    """What a list was made of: the facts of its programme up to one, at a position, on a day, as
    these read models have them; tokens of before do not say which.
    """

    programme_offset: int
    next_offset: int
    as_of_day: Day
    read_models_name: str = ""

    def has_same_rows_as(self, other: "AnswerVersion") -> bool:
        """Whether both are made of the same, so that rows of one go on in the other."""
        return (self.programme_offset, self.read_models_name) == (
            other.programme_offset,
            other.read_models_name,
        )


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many rows, after which key (None: from the first), of a list begun when."""

    size: int
    request_digest: str
    after_key: Any = None
    list_version: AnswerVersion | None = None

    def make_token(self, last: Any, begun: AnswerVersion) -> str:
        """What brings the page after the row with key `last`."""
        words = [self.request_digest, last, begun]
        sealed = json.dumps([*words, _checksum(words)])
        return urlsafe_b64encode(sealed.encode()).decode().rstrip("=")


class PageEnd(NamedTuple, Generic[Row]):
    """Where a page ends: its last row, None if it has none, and whether more rows follow."""

    last: Row | None
    has_more: bool


class PageWriter:
    """The encoded bytes that are left for rows of a page. The first row of a page always fits."""

    def __init__(
        self,
        page: Message,
        *,
        max_bytes: int = MAX_PAGE_BYTES,
        reserved_bytes: int = RESERVED_BYTES,
    ) -> None:
        """`page` has all fields but its rows and those that `reserved_bytes` are for."""
        self._remaining_bytes = max_bytes - reserved_bytes - page.ByteSize()
        self._is_empty = True

    def add_rows(
        self,
        field: Any,
        rows: Iterable[Row],
        to_wire: Callable[[Row], Message | Mapping[str, Any]],
        limit: int | None = None,
    ) -> PageEnd[Row]:
        """Adds rows to a repeated field, at most `limit`, until one does not fit.

        Takes at most one row more than it adds. `to_wire` returns a message, or its fields, which
        is faster.
        """
        iterator, last = iter(rows), None
        for row in islice(iterator, limit):
            message = to_wire(row)
            if isinstance(message, Message):
                field.append(message)
            else:
                message = field.add(**message)
            self._remaining_bytes -= message.ByteSize() + _LENGTH_BYTES
            if self._remaining_bytes < 0 and not self._is_empty:
                del field[-1]
                return PageEnd(last, has_more=True)
            self._is_empty = False
            last = row
        return PageEnd(last, has_more=any(True for _ in iterator))


def parse_page_request(request: Any) -> PageRequest:
    """The page a list request asks for.

    Raises ImpossibleQuestionError for a negative size, InvalidPageTokenError for a token of another
    question.
    """
    if request.page_size < 0:
        violation = Violation("page_size", "is negative; 0 is the default")
        raise ImpossibleQuestionError("page_size is negative; 0 is the default", (violation,))
    size = min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    question = digest_request(request, without=("page_size", "page_token", "min_position"))
    if not request.page_token:
        return PageRequest(size, question)
    try:
        padded = request.page_token + "=" * (-len(request.page_token) % 4)
        *words, seal = json.loads(urlsafe_b64decode(padded.encode("ascii")))
        asked, after, begun = words
        page = PageRequest(size, question, after, AnswerVersion(*begun))
    except (ValueError, TypeError, RecursionError):
        words, seal = [], ""
    if seal != _checksum(words):
        raise InvalidPageTokenError("page_token is not one that mutua gave; start again without it")
    if asked != question:
        raise InvalidPageTokenError(
            "page_token belongs to another question; start again without it"
        )
    return page


def digest_request(request: Any, *, without: tuple[str, ...]) -> str:
    """Tells requests apart that differ in more than the fields left out."""
    asked = type(request)()
    asked.CopyFrom(request)
    for field in without:
        asked.ClearField(field)
    name = asked.DESCRIPTOR.full_name.encode()
    return sha256(name + asked.SerializeToString(deterministic=True)).hexdigest()[:32]


def _checksum(words: list[Any]) -> str:
    """Tells a token that was cut or changed on its way; it keeps no secret."""
    return sha256(json.dumps(words).encode()).hexdigest()[:8]
