"""What a process says while it runs: lines for people, or objects of JSON for programs.

Whatever is said of a call carries its request id.
"""

import json
import logging
import os
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Literal

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_QUIET: Final = ("aiokafka", "kafka")
"""While a broker is away they tell of every attempt; what matters of it is told by our own."""


def get_request_id() -> str:
    """The id of the call that is answered here; "" outside of calls."""
    return _request_id.get()


def set_request_id(given: str) -> None:
    """From here on what is said is of this call, under the id it was given or a new one."""
    _request_id.set(given or os.urandom(16).hex())


def configure_logging(*, log_format: LogFormat = "text", level: LogLevel = "warning") -> None:
    """Has everything said on stderr. What ends a process is said at the level CRITICAL."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _LineFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = "error:" if record.levelno == logging.CRITICAL else record.levelname
        about = f" (request {get_request_id()})" if get_request_id() else ""
        said = f"{level} {record.getMessage()}{about}"
        return f"{said}\n{self.formatException(record.exc_info)}" if record.exc_info else said


class _JsonFormatter(logging.Formatter):
    """One object a line, without what is empty."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": get_request_id(),
            "exception": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({name: value for name, value in said.items() if value})
