"""Logging to stderr: lines for people, or JSON objects for programs.

Every record that is logged during a call carries the call's request id.
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
"""Libraries that log every attempt to reach a broker; mutua's own loggers report an outage once."""


def get_request_id() -> str:
    """Returns the request id of the current call, "" outside of calls."""
    return _request_id.get()


def set_request_id(request_id: str) -> None:
    """Sets the request id of the current call; "" makes a new one."""
    _request_id.set(request_id or os.urandom(16).hex())


def configure_logging(*, log_format: LogFormat = "text", level: LogLevel = "warning") -> None:
    """Logs to stderr. A message that ends the process has the level CRITICAL."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _LineFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = "error:" if record.levelno == logging.CRITICAL else record.levelname
        request = f" (request {get_request_id()})" if get_request_id() else ""
        line = f"{level} {record.getMessage()}{request}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    """Formats one JSON object a line and omits empty fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": get_request_id(),
            "exception": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({name: value for name, value in fields.items() if value})
