"""Traces: the context a caller is traced in goes with its facts through Kafka.

Only OpenTelemetry's API is used. Where somebody has set up its SDK, calls and slabs are spans; else
the context is passed on as it came. Nobody who is not traced pays for it.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import Any, Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, ProxyTracerProvider, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

RecordHeaders = list[tuple[str, bytes]]

TRACEPARENT: Final = "traceparent"
"""All that is passed on: what else callers may send has any size, and would be kept for ever."""
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_NAME: Final = "mutua"
_MAX_LINKS: Final = 128


def call_span(name: str, traceparent: str) -> AbstractContextManager[Any] | None:
    """What is done in its block is done for the trace that a caller names; None without one."""
    caller = _PROPAGATOR.extract({TRACEPARENT: traceparent}) if traceparent else None
    if _is_recorded():
        tracer = trace.get_tracer(_NAME)
        return tracer.start_as_current_span(name, context=caller, kind=SpanKind.SERVER)
    return None if caller is None else _attached(caller)


@contextmanager
def _attached(caller: Context) -> Iterator[None]:
    token = context.attach(caller)
    try:
        yield
    finally:
        context.detach(token)


def get_trace_id() -> str:
    """32 hexadecimal digits; "" where nothing is traced."""
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""


def make_record_headers() -> RecordHeaders:
    """What goes with the records that are appended here; [] where nothing is traced."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return [(TRACEPARENT, carrier[TRACEPARENT].encode())] if carrier else []


@contextmanager
def slab_span(partition: int, records: Iterable[Any]) -> Iterator[None]:
    """The block projects these records, as aiokafka gives them; linked to where they come from."""
    if not _is_recorded():
        yield
        return
    callers = {value for record in records for name, value in record.headers if name == TRACEPARENT}
    links = [
        Link(trace.get_current_span(_extracted(caller)).get_span_context())
        for caller in islice(callers, _MAX_LINKS)
    ]
    with trace.get_tracer(_NAME).start_as_current_span(
        "project", kind=SpanKind.CONSUMER, links=links, attributes={"mutua.partition": partition}
    ):
        yield


def _extracted(traceparent: bytes) -> Context:
    return _PROPAGATOR.extract({TRACEPARENT: traceparent.decode("ascii", "replace")})


def _is_recorded() -> bool:
    """Whether somebody wants to have spans."""
    return not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)
