"""Exports metrics to Prometheus over HTTP."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from threading import Lock
from typing import Any

import prometheus_client as prometheus
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from mutua.host_port import parse_host_port
from services.adapters.sql_store.tables import MODEL_VERSION
from services.adapters.telemetry.metrics import (
    BUILD_INFO,
    NO_OP_METER,
    Counter,
    Gauge,
    Histogram,
    Meter,
    Metric,
    Reading,
)

logger = logging.getLogger(__name__)


@contextmanager
def serve_metrics(listen: str) -> Iterator[Meter]:
    """Yields a meter and serves its metrics on `host:port`, among them the version of the process.

    Without an address it yields a meter that measures nothing. Raises OSError if the address is
    malformed or in use.
    """
    if not listen:
        yield NO_OP_METER
        return
    try:
        host, port = parse_host_port(listen)
    except ValueError as error:
        raise OSError(f"MUTUA_METRICS_LISTEN is {listen!r}; {error}") from None
    untyped: Any = prometheus
    untyped.disable_created_metrics()  # they would add a second series to every metric
    meter = PrometheusMeter()
    meter.watch(BUILD_INFO, lambda: {(version("mutua"), str(MODEL_VERSION)): 1})
    try:
        server, thread = prometheus.start_http_server(
            port, host.strip("[]"), registry=meter.registry
        )
    except OSError as error:
        raise OSError(
            f"metrics cannot be served on {listen} ({error.strerror}); "
            "choose another address with MUTUA_METRICS_LISTEN"
        ) from error
    try:
        yield meter
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class PrometheusMeter(Collector):
    """Implements `metrics.Meter`. A metric is exported from its first value on."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self.registry)
        self.registry.register(self)
        self._lock = Lock()
        self._metrics: dict[Metric, Any] = {}
        self._children: dict[tuple[Metric, tuple[str, ...]], Any] = {}
        self._readers: dict[Metric, Callable[[], Reading]] = {}

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        self._child(counter, labels).inc(amount)

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        self._child(histogram, labels).observe(value)

    def watch(self, metric: Counter | Gauge, read: Callable[[], Reading]) -> None:
        self._readers[metric] = read

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Reads the watched metrics, and omits unreadable ones."""
        for metric, read in list(self._readers.items()):
            try:
                reading = read()
            except Exception:
                logger.exception("%s cannot be read", metric.name)
                continue
            kind = CounterMetricFamily if isinstance(metric, Counter) else GaugeMetricFamily
            family = kind(metric.name, metric.description, labels=metric.labels)
            values = {(): reading} if isinstance(reading, float | int) else reading
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family

    def describe(self) -> Iterable[Any]:
        """Returns nothing, so that registering the collector reads no metric."""
        return ()

    def _child(self, metric: Metric, labels: tuple[str, ...]) -> Any:
        child = self._children.get((metric, labels))
        if child is None:
            with self._lock:
                exported = self._metrics.get(metric) or self._export(metric)
                child = exported.labels(*labels) if labels else exported
                self._children[metric, labels] = child
        return child

    def _export(self, metric: Metric) -> Any:
        options: dict[str, Any] = {"registry": self.registry}
        if isinstance(metric, Histogram):
            options["buckets"] = metric.buckets
        kind = prometheus.Histogram if isinstance(metric, Histogram) else prometheus.Counter
        exported = kind(metric.name, metric.description, metric.labels, **options)
        self._metrics[metric] = exported
        return exported
