"""Every call has an id and a trace, is measured, and can be found in the log."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final

from services.adapters.tracing import call_span, trace_id
from services.ledger.errors import MutuaError
from services.logs import begin_request
from services.metrics import CALL_SECONDS, OK, Meter

logger = logging.getLogger(__name__)

_REQUEST_ID: Final = "x-request-id"
_FIT: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def observed(
    handle: Callable[[Any, Any], Any], method: str, meter: Meter, *, streams: bool
) -> Callable[[Any, Any], Any]:
    """A handler that does the same; `streams` is whether it answers with many responses."""
    name = method.rpartition("/")[2]

    async def unary(request: Any, context: Any) -> Any:
        with _call(name, context, meter):
            return await handle(request, context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        with _call(name, context, meter):
            async with aclosing(handle(request, context)) as answers:
                async for answer in answers:
                    yield answer

    return stream if streams else unary


@contextmanager
def _call(name: str, context: Any, meter: Meter) -> Iterator[None]:
    metadata = {
        key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
    }
    outcome, began = OK, time.perf_counter()
    with call_span(name, metadata):
        given = metadata.get(_REQUEST_ID, "")
        begin_request(given if _FIT.fullmatch(given) else trace_id())
        try:
            yield
        except MutuaError as error:
            outcome = error.reason or error.code
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "CANCELLED"
            raise
        except BaseException:
            outcome = "INTERNAL"
            raise
        finally:
            seconds = time.perf_counter() - began
            meter.observe(CALL_SECONDS, seconds, name, outcome)
            logger.info("%s: %s in %.3f s", name, outcome, seconds)
