"""Start and end of every process of a cluster."""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Final, TypeVar

from services.adapters.grpc.server import GrpcServer
from services.adapters.open_files import raise_file_limit
from services.adapters.telemetry.logs import configure_logging
from services.app.gc_tuning import tune_for_serving
from services.ledger.errors import MutuaError, NewerSchemaError
from services.settings import Settings, read_settings

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.1
LOG_CHECK_SECONDS: Final = 2.0
"""Pause between checks that the topic was not recreated and, in a projector, not truncated."""
_T = TypeVar("_T")


def main(run: Callable[[Settings], int]) -> None:
    """Runs a process with the settings of its environment, and exits with its status.

    A MutuaError or OSError is logged in one line, and the status is 1.
    """
    configure_logging()
    try:
        settings = read_settings()
        configure_logging(log_format=settings.log_format, level=settings.log_level)
        tune_for_serving()
        raise_file_limit()
        status = run(settings)
    except (MutuaError, OSError) as error:
        logger.critical("%s", error)
        status = 1
    sys.exit(status)


# decision 0057: liveness and readiness are separate
async def wait_until_available(
    build: Callable[[], _T], *, on_unavailable: Callable[[str], None]
) -> _T:
    """Calls `build` on a thread until it succeeds, and returns its result.

    `on_unavailable` is called with every new reason. Raises the error at once if a newer mutua made
    the read models, because this version will never read them.
    """
    last_reason = ""
    while True:
        try:
            return await asyncio.to_thread(build)
        except NewerSchemaError:
            raise
        except MutuaError as error:
            if error.message != last_reason:
                last_reason = error.message
                on_unavailable(last_reason)
        await asyncio.sleep(_RETRY_SECONDS)


async def report_health(
    server: GrpcServer, is_ready: Callable[[], bool], ready_text: str = ""
) -> None:
    """Serves the current health, checked every 100 ms, and prints the text when first ready."""
    was_ready = None
    while True:
        if (now_ready := is_ready()) != was_ready:
            await server.set_serving(serving=now_ready)
            was_ready = now_ready
        if now_ready and ready_text:
            print(ready_text, flush=True)
            ready_text = ""
        await asyncio.sleep(_POLL_SECONDS)
