"""Figures as Prometheus reads them, on an address of their own."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from threading import Lock
from typing import Any, Final

import prometheus_client as prometheus
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

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

_MAX_PORT: Final = 65_535


@contextmanager
def serve_metrics(listen: str) -> Iterator[Meter]:
    """A meter whose figures are served on `host:port`, at first the version of this process.

       Without an address nothing is measured.
    Raises OSError when nothing can listen there.
    """
    if not listen:
        yield NO_OP_METER
        return
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _MAX_PORT:
        raise OSError(f"MUTUA_METRICS_LISTEN is {listen!r}; give HOST:PORT")
    untyped: Any = prometheus
    untyped.disable_created_metrics()  # a second series beside each, which nothing reads
    meter = PrometheusMeter()
    meter.watch(BUILD_INFO, lambda: {(version("mutua"), str(MODEL_VERSION)): 1})
    try:
        server, thread = prometheus.start_http_server(
            int(port), host.strip("[]"), registry=meter.registry
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
    """See `metrics.Meter`. A metric appears once something was told of it."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self.registry)
        self.registry.register(self)
        self._lock = Lock()
        self._told: dict[Metric, Any] = {}
        self._children: dict[tuple[Metric, tuple[str, ...]], Any] = {}
        self._watched: dict[Metric, Callable[[], Reading]] = {}

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        self._child(counter, labels).inc(amount)

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        self._child(histogram, labels).observe(value)

    def watch(self, metric: Counter | Gauge, read: Callable[[], Reading]) -> None:
        self._watched[metric] = read

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """What is watched, as it is now; what cannot be read is left out."""
        for metric, read in list(self._watched.items()):
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
        """Nothing, so that nothing is read when this is registered."""
        return ()

    def _child(self, metric: Metric, labels: tuple[str, ...]) -> Any:
        child = self._children.get((metric, labels))
        if child is None:
            with self._lock:
                told = self._told.get(metric) or self._tell(metric)
                child = told.labels(*labels) if labels else told
                self._children[metric, labels] = child
        return child

    def _tell(self, metric: Metric) -> Any:
        options: dict[str, Any] = {"registry": self.registry}
        if isinstance(metric, Histogram):
            options["buckets"] = metric.buckets
        kind = prometheus.Histogram if isinstance(metric, Histogram) else prometheus.Counter
        told = kind(metric.name, metric.description, metric.labels, **options)
        self._told[metric] = told
        return told
