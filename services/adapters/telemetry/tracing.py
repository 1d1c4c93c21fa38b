"""Tracing: passes the caller's trace context through Kafka, together with its facts.

It uses the API of OpenTelemetry only. If the SDK is configured, calls and slabs are spans; else the
context is passed on unchanged. Untraced calls cost next to nothing.
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
"""The only header passed on. Others have any size, and would be stored on the log for ever."""
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_NAME: Final = "mutua"
_MAX_LINKS: Final = 128


def call_span(name: str, traceparent: str) -> AbstractContextManager[Any] | None:
    """A context manager that joins the caller's trace; None if there is none and no SDK."""
    parent = _PROPAGATOR.extract({TRACEPARENT: traceparent}) if traceparent else None
    if _has_sdk():
        tracer = trace.get_tracer(_NAME)
        return tracer.start_as_current_span(name, context=parent, kind=SpanKind.SERVER)
    return None if parent is None else _attach(parent)


@contextmanager
def _attach(parent: Context) -> Iterator[None]:
    token = context.attach(parent)
    try:
        yield
    finally:
        context.detach(token)


def get_trace_id() -> str:
    """The current trace id, 32 hexadecimal digits; "" if the call is not traced."""
    span = trace.get_current_span().get_span_context()
    return trace.format_trace_id(span.trace_id) if span.is_valid else ""


def make_record_headers() -> RecordHeaders:
    """Headers for appended records, with the current trace context; [] if there is none."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return [(TRACEPARENT, carrier[TRACEPARENT].encode())] if carrier else []


@contextmanager
def slab_span(partition: int, records: Iterable[Any]) -> Iterator[None]:
    """Runs the block in a span linked to the traces of these records (messages of aiokafka)."""
    if not _has_sdk():
        yield
        return
    traceparents = {
        value for record in records for name, value in record.headers if name == TRACEPARENT
    }
    links = [
        Link(trace.get_current_span(_extract(traceparent)).get_span_context())
        for traceparent in islice(traceparents, _MAX_LINKS)
    ]
    with trace.get_tracer(_NAME).start_as_current_span(
        "project", kind=SpanKind.CONSUMER, links=links, attributes={"mutua.partition": partition}
    ):
        yield


def _extract(traceparent: bytes) -> Context:
    return _PROPAGATOR.extract({TRACEPARENT: traceparent.decode("ascii", "replace")})


def _has_sdk() -> bool:
    """Whether an SDK is configured, which records spans."""
    return not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)
