"""Resume tokens: which answer a subscriber holds, signed so that nobody else can make one."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Final

from services.ledger.errors import ForeignPositionError, InvalidResumeTokenError
from services.ledger.position import Position, parse_position
from services.ledger.times import Day

_SIGNATURE_BYTES: Final = 16
_REMEDY: Final = (
    "subscribe without it; the snapshot has everything, and WatchExchanges goes on after_position"
)


@dataclass(frozen=True, slots=True)
class ResumeToken:
    """What a subscriber holds after a step.

    `question_digest` stands for the watch with all fields of its request, `principal` for who asks.
    `state_digest` stands for the rows and what they rest on: a subscriber that returns with the
    digest of the current state needs nothing, whatever moved or replaced the read models meanwhile.
    """

    position: str
    question_digest: str
    as_of_day: Day
    principal: str
    state_digest: str


class TokenSigner:
    """Signs tokens and reads them back. Processes with the same key read each other's tokens."""

    def __init__(self, key: bytes, *, log_id: str, origins: Mapping[str, int]) -> None:
        self._key = key
        self._log_id = log_id
        self._origins = origins

    def sign(self, token: ResumeToken) -> str:
        body = json.dumps(astuple(token), separators=(",", ":")).encode()
        return urlsafe_b64encode(self._signature(body) + body).decode().rstrip("=")

    def read(
        self, text: str, *, question_digest: str, principal: str
    ) -> tuple[ResumeToken, Position]:
        """The token and its position in this log.

        Raises InvalidResumeTokenError for a token that was not signed with this key, and for one
        of another question, principal or log.
        """
        try:
            content = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except ValueError:
            content = b""
        signature, body = content[:_SIGNATURE_BYTES], content[_SIGNATURE_BYTES:]
        if not body or not hmac.compare_digest(signature, self._signature(body)):
            raise _make_error("was not made by this mutua, or was damaged")
        token = ResumeToken(*json.loads(body))
        if token.question_digest != question_digest:
            raise _make_error("belongs to another question")
        if token.principal != principal:
            raise _make_error("belongs to another caller")
        try:
            position = parse_position(token.position, log_id=self._log_id, origins=self._origins)
        except ForeignPositionError as error:
            raise _make_error("belongs to another log") from error
        return token, position

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_SIGNATURE_BYTES]


def _make_error(problem: str) -> InvalidResumeTokenError:
    return InvalidResumeTokenError.for_field("resume_token", problem, _REMEDY)
