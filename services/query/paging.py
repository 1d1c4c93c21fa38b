"""Pages: a size within bounds, and a token that knows its question and where the list began."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from services.ledger.errors import PageTokenInvalid, QuestionImpossible, Violation
from services.ledger.times import Day

DEFAULT_SIZE: Final = 1_000
MAX_SIZE: Final = 10_000


class Moment(NamedTuple):
    """What a list was made of: the facts of its programme up to one, at a position, on a day, as
    these read models have them; tokens of before do not say which.
    """

    programme_offset: int
    next_offset: int
    as_of_day: Day
    models: str = ""

    def is_of(self, other: "Moment") -> bool:
        """Whether both are made of the same, so that rows of one go on in the other."""
        return (self.programme_offset, self.models) == (other.programme_offset, other.models)


@dataclass(frozen=True, slots=True)
class Page:
    """How many rows, after which key (None: from the first), of a list begun when."""

    size: int
    question: str
    after: Any = None
    begun: Moment | None = None

    def token(self, last: Any, begun: Moment) -> str:
        """What brings the page after the row with key `last`."""
        words = [self.question, last, begun]
        sealed = json.dumps([*words, _seal(words)])
        return urlsafe_b64encode(sealed.encode()).decode().rstrip("=")


def page_of(request: Any) -> Page:
    """The page a list request asks for.

    Raises QuestionImpossible for a negative size, PageTokenInvalid for a token of another question.
    """
    if request.page_size < 0:
        violation = Violation("page_size", "is negative; 0 is the default")
        raise QuestionImpossible("page_size is negative; 0 is the default", (violation,))
    size = min(request.page_size or DEFAULT_SIZE, MAX_SIZE)
    question = digest(request, without=("page_size", "page_token", "min_position"))
    if not request.page_token:
        return Page(size, question)
    try:
        padded = request.page_token + "=" * (-len(request.page_token) % 4)
        *words, seal = json.loads(urlsafe_b64decode(padded.encode("ascii")))
        asked, after, begun = words
        page = Page(size, question, after, Moment(*begun))
    except (ValueError, TypeError, RecursionError):
        words, seal = [], ""
    if seal != _seal(words):
        raise PageTokenInvalid("page_token is not one that mutua gave; start again without it")
    if asked != question:
        raise PageTokenInvalid("page_token belongs to another question; start again without it")
    return page


def digest(request: Any, *, without: tuple[str, ...]) -> str:
    """Tells requests apart that differ in more than the fields left out."""
    asked = type(request)()
    asked.CopyFrom(request)
    for field in without:
        asked.ClearField(field)
    name = asked.DESCRIPTOR.full_name.encode()
    return sha256(name + asked.SerializeToString(deterministic=True)).hexdigest()[:32]


def _seal(words: list[Any]) -> str:
    """Tells a token that was cut or changed on its way; it keeps no secret."""
    return sha256(json.dumps(words).encode()).hexdigest()[:8]
