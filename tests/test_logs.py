"""Text and JSON logs have the same content, with the request id of the call."""

import json
import logging
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from services.adapters.telemetry.logs import LogFormat, configure_logging, set_request_id

logger = logging.getLogger("a.part")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def log_some_messages(capsys: pytest.CaptureFixture[str], form: LogFormat) -> list[str]:
    configure_logging(log_format=form)
    logger.info("not logged at this level")
    logger.warning("%d of them wait", 3)

    def call() -> None:
        set_request_id("the-call")
        try:
            raise ZeroDivisionError("nothing to divide by")
        except ZeroDivisionError:
            logger.exception("it failed")

    copy_context().run(call)
    logger.critical("it is over")
    return capsys.readouterr().err.splitlines()


def test_text_format(capsys: pytest.CaptureFixture[str]) -> None:
    lines = log_some_messages(capsys, "text")
    assert lines[:2] == ["WARNING 3 of them wait", "ERROR it failed (request the-call)"]
    assert lines[2].startswith("Traceback")
    assert lines[-2:] == ["ZeroDivisionError: nothing to divide by", "error: it is over"]


def test_json_format(capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = map(json.loads, log_some_messages(capsys, "json"))
    assert first.pop("time").endswith("+00:00")
    assert first == {"level": "WARNING", "logger": "a.part", "message": "3 of them wait"}
    assert (second["message"], second["request_id"]) == ("it failed", "the-call")
    assert second["exception"].endswith("ZeroDivisionError: nothing to divide by")
    assert (third["level"], third["message"]) == ("CRITICAL", "it is over")


def test_call_without_a_request_id_gets_a_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    def call() -> None:
        set_request_id("")
        logger.warning("logged")

    configure_logging(log_format="json")
    copy_context().run(call)
    copy_context().run(call)
    one, two = (json.loads(line)["request_id"] for line in capsys.readouterr().err.splitlines())
    assert one != two
    assert len(one) == len(two) == 32
