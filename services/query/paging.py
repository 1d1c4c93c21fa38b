"""Pages of lists: bounded in rows and in bytes, continued by a page token."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar

from google.protobuf.message import Message

from mutua.limits import MAX_PAGE_SIZE
from services.ledger.errors import ImpossibleQuestionError, InvalidPageTokenError
from services.ledger.times import Day

DEFAULT_PAGE_SIZE: Final = 1_000
MAX_PAGE_BYTES: Final = 3 << 20
"""Maximum encoded size of a page, because gRPC clients read up to 4 MiB by default."""
RESERVED_BYTES: Final = 64 << 10
"""Bytes reserved for the fields that a page gets after its rows: next_page_token (a row key has up
to 40 KB when escaped), position, as_of_date and a warning."""
_LENGTH_BYTES: Final = 5
"""Maximum size of the tag and length before a row: one and four bytes."""

Row = TypeVar("Row")


# decision 0036: answers are cached by last offset
class AnswerVersion(NamedTuple):
    """What an answer is computed from.

    `programme_offset` is the last record of the programme, `next_offset` the position, and
    `read_models_name` is "" in tokens of releases that did not include it.
    """

    programme_offset: int
    next_offset: int
    as_of_day: Day
    read_models_name: str = ""

    def has_same_rows_as(self, other: "AnswerVersion") -> bool:
        """Whether a list that began in one version may continue in the other."""
        return (self.programme_offset, self.read_models_name) == (
            other.programme_offset,
            other.read_models_name,
        )

    def has_same_answer_as(self, other: "AnswerVersion") -> bool:
        """Whether equal requests have equal answers in both versions, positions apart."""
        return self.has_same_rows_as(other) and self.as_of_day == other.as_of_day


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list a request asks for.

    `after_key` is the key of the row before the page, None for the first page. `list_version` is
    the version of the page before.
    """

    size: int
    request_digest: str
    after_key: Any = None
    list_version: AnswerVersion | None = None

    def make_token(self, key: Any, version: AnswerVersion) -> str:
        """The token of the page after the row with this key."""
        fields = [self.request_digest, key, version]
        text = json.dumps([*fields, _checksum(fields)])
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


class PageEnd(NamedTuple, Generic[Row]):
    """The last row of a page, None if the page is empty, and whether more rows follow."""

    last: Row | None
    has_more: bool


class PageWriter:
    """Writes rows into a page until its bytes are used up. The first row of a page always fits."""

    def __init__(
        self,
        page: Message,
        *,
        max_bytes: int = MAX_PAGE_BYTES,
        reserved_bytes: int = RESERVED_BYTES,
    ) -> None:
        """`page` has all its fields except the rows and the fields that use `reserved_bytes`."""
        self._remaining_bytes = max_bytes - reserved_bytes - page.ByteSize()
        self._is_empty = True

    def add_rows(
        self,
        field: Any,
        rows: Iterable[Row],
        to_wire: Callable[[Row], Message | Mapping[str, Any]],
        limit: int | None = None,
    ) -> PageEnd[Row]:
        """Adds at most `limit` rows to a repeated field, until one does not fit.

        Consumes at most one row more than it adds. `to_wire` returns a message or its fields;
        fields are faster.
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
    """Reads page_size and page_token of a list request.

    Raises ImpossibleQuestionError for a negative size, InvalidPageTokenError for a damaged token or
    for one of another question.
    """
    if request.page_size < 0:
        raise ImpossibleQuestionError.for_field("page_size", "is negative", "0 is the default")
    size = min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    request_digest = digest_request(request, without=("page_size", "page_token", "min_position"))
    if not request.page_token:
        return PageRequest(size, request_digest)
    try:
        padded = request.page_token + "=" * (-len(request.page_token) % 4)
        *fields, checksum = json.loads(urlsafe_b64decode(padded.encode("ascii")))
        token_digest, after_key, version = fields
        page = PageRequest(size, request_digest, after_key, AnswerVersion(*version))
    except (ValueError, TypeError, RecursionError):
        fields, checksum = [], ""
    if checksum != _checksum(fields):
        raise InvalidPageTokenError(
            "page_token was not made by mutua", remedy="start again without it"
        )
    if token_digest != request_digest:
        raise InvalidPageTokenError(
            "page_token belongs to another question", remedy="start again without it"
        )
    return page


def require_one_page(response: Message, max_bytes: int = MAX_PAGE_BYTES) -> None:
    """Raises ImpossibleQuestionError for a response without pages that is larger than a page."""
    if response.ByteSize() > max_bytes:
        raise ImpossibleQuestionError(
            f"the answer is larger than {max_bytes / (1 << 20):.0f} MiB",
            remedy="name topics, organizations, or a part of the programme",
        )


def digest_request(request: Any, *, without: tuple[str, ...]) -> str:
    """A digest of the request's type and of all its fields except those in `without`."""
    copy = type(request)()
    copy.CopyFrom(request)
    for field in without:
        copy.ClearField(field)
    name = copy.DESCRIPTOR.full_name.encode()
    return sha256(name + copy.SerializeToString(deterministic=True)).hexdigest()[:32]


def _checksum(fields: list[Any]) -> str:
    """Detects a token that was truncated or edited. It is no signature."""
    return sha256(json.dumps(fields).encode()).hexdigest()[:8]
