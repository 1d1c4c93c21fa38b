"""The address of a log on Kafka: its brokers, its topic and the security options."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from services.ledger.errors import InvalidArgumentError

_FORM: Final = re.compile(r"kafka://([^/@\s]+:\d+(?:,[^/@\s]+:\d+)*)/([A-Za-z0-9._-]{1,249})")
_BOOTSTRAP_MS: Final = 5_000
_RECONNECT_MAX_MS: Final = 1_000
"""A client reconnects within a second after a broker returns; kafka-python would wait up to 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAddress:
    """The topic that is the log. `security` has TLS and SASL options under kafka-python's names."""

    servers: tuple[str, ...]
    topic: str
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, url: str, security: Mapping[str, Any] | None = None) -> Self:
        """Parses `kafka://host:port,host:port/topic`. Raises InvalidArgumentError."""
        match = _FORM.fullmatch(url)
        if match is None:
            raise InvalidArgumentError(
                f"{url!r} names no log on Kafka", remedy="write kafka://HOST:PORT,HOST:PORT/TOPIC"
            )
        return cls(
            servers=tuple(match[1].split(",")), topic=match[2], security=dict(security or {})
        )

    def __str__(self) -> str:
        return f"kafka://{','.join(self.servers)}/{self.topic}"

    def client_options(self) -> dict[str, Any]:
        """Options for every client of kafka-python."""
        return {
            "bootstrap_servers": list(self.servers),
            "bootstrap_timeout_ms": _BOOTSTRAP_MS,
            "reconnect_backoff_max_ms": _RECONNECT_MAX_MS,
            **self.security,
        }
