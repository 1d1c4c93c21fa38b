"""Entity tags: what an answer was computed from, so that an unchanged one is not sent again."""

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import NamedTuple

from mutua.v1.types_pb2 import Date
from services.adapters.wire.json_form import to_iso


class AnswerIdentity(NamedTuple):
    """What an answer is computed from, besides its request.

    An answer that is not cacheable also depends on other things, such as the end of the log.
    """

    position: str
    as_of_date: Date
    read_models_name: str
    is_cacheable: bool

    def make_tag(self, request: str) -> str:
        """The entity tag of the answer to a request: who asks, and what.

        It begins with the position.
        """
        others = (request, self.read_models_name, _read_version())
        digest = sha256("\0".join(others).encode()).hexdigest()[:16]
        return f'"{self.position}-{to_iso(self.as_of_date)}-{digest}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Whether an If-None-Match header names a tag. A weak form of it, `W/"..."`, does."""
    names = (each.strip().removeprefix("W/") for each in if_none_match.split(","))
    return any(name in (tag, "*") for name in names)


@cache
def _read_version() -> str:
    return version("mutua")
