"""Pages: a size within bounds, and a token that knows the question it belongs to."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from services.ledger.errors import PageTokenInvalid, QuestionImpossible, Violation

DEFAULT_SIZE: Final = 1_000
MAX_SIZE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """How many rows, after which key (None: from the first)."""

    size: int
    after: Any
    question: str

    def token(self, last: Any) -> str:
        """What brings the page after the row with key `last`."""
        words = json.dumps([self.question, last, _seal(self.question, last)])
        return urlsafe_b64encode(words.encode()).decode().rstrip("=")


def page_of(request: Any) -> Page:
    """The page a list request asks for.

    Raises QuestionImpossible for a negative size, PageTokenInvalid for a token of another question.
    """
    if request.page_size < 0:
        violation = Violation("page_size", "is negative; 0 is the default")
        raise QuestionImpossible("page_size is negative; 0 is the default", (violation,))
    size = min(request.page_size or DEFAULT_SIZE, MAX_SIZE)
    question = _digest(request)
    if not request.page_token:
        return Page(size, None, question)
    try:
        padded = request.page_token + "=" * (-len(request.page_token) % 4)
        asked, after, seal = json.loads(urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, TypeError, RecursionError):
        seal = asked = after = ""
    if seal != _seal(asked, after):
        raise PageTokenInvalid("page_token is not one that mutua gave; start again without it")
    if asked != question:
        raise PageTokenInvalid("page_token belongs to another question; start again without it")
    return Page(size, after, question)


def _seal(question: str, last: Any) -> str:
    """Tells a token that was cut or changed on its way; it keeps no secret."""
    return sha256(json.dumps([question, last]).encode()).hexdigest()[:8]


def _digest(request: Any) -> str:
    """The request without what differs from page to page."""
    asked = type(request)()
    asked.CopyFrom(request)
    for field in ("page_size", "page_token", "min_position"):
        asked.ClearField(field)
    name = asked.DESCRIPTOR.full_name.encode()
    return sha256(name + asked.SerializeToString(deterministic=True)).hexdigest()[:16]
