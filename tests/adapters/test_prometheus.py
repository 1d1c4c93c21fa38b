"""Metrics as Prometheus scrapes them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.adapters.telemetry.metrics import NO_OP_METER, Counter, Gauge, Histogram
from services.adapters.telemetry.prometheus import serve_metrics
from tests.ports import allocate_port
from tests.prometheus_scrape import scrape

APPLES = Counter("apples_total", "Apples, by colour.", ("colour",))
WEIGHT = Histogram("apple_weight", "Weight of an apple.", buckets=(1, 10))
TREES = Gauge("trees", "Trees that stand.")
LEAVES = Counter("leaves_total", "Leaves, by tree.", ("tree", "side"))


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{allocate_port()}"


def test_serve_metrics_without_address_measures_nothing() -> None:
    with serve_metrics("") as meter:
        assert meter is NO_OP_METER


def test_values_of_many_threads_are_exported(address: str) -> None:
    with serve_metrics(address) as meter, ThreadPoolExecutor(8) as pool:
        meter.add(APPLES, 0, "green")
        list(pool.map(lambda _: meter.add(APPLES, 2, "red"), range(500)))
        list(pool.map(lambda weight: meter.observe(WEIGHT, weight), (0.5, 1, 5, 20)))
        scrape_result = scrape(address)
    assert scrape_result.by("apples_total", "colour") == {"green": 0, "red": 1_000}
    assert scrape_result.by("apple_weight_bucket", "le") == {"1.0": 2, "10.0": 3, "+Inf": 4}
    assert scrape_result.value("apple_weight_sum") == 26.5
    assert (scrape_result.kinds["apples"], scrape_result.kinds["apple_weight"]) == (
        "counter",
        "histogram",
    )
    assert scrape_result.value("process_resident_memory_bytes") > 0
    assert sum(scrape_result.by("mutua_build_info", "version").values()) == 1


def test_watched_metric_is_read_at_every_scrape(address: str) -> None:
    trees = 3.0
    leaves: dict[tuple[str, ...], float] = {("oak", "left"): 7.0}
    with serve_metrics(address) as meter:
        meter.watch(TREES, lambda: trees)
        meter.watch(LEAVES, lambda: leaves)
        before = scrape(address)
        trees, leaves = 4, {}
        after = scrape(address)
    assert (before.value("trees"), after.value("trees")) == (3, 4)
    assert before.value("leaves_total", tree="oak", side="left") == 7
    assert after.by("leaves_total", "tree") == {}


def test_unreadable_metric_is_omitted_and_logged(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    def raise_lookup_error() -> float:
        raise LookupError("no tree stands")

    with serve_metrics(address) as meter:
        meter.watch(TREES, raise_lookup_error)
        meter.add(APPLES, 1, "red")
        scrape_result = scrape(address)
    assert "trees" not in scrape_result.kinds
    assert scrape_result.value("apples_total", colour="red") == 1
    assert "trees cannot be read" in caplog.text


def test_serve_metrics_names_malformed_or_occupied_address(address: str) -> None:
    with pytest.raises(OSError, match="MUTUA_METRICS_LISTEN is 'nowhere'; write HOST:PORT"):
        serve_metrics("nowhere").__enter__()
    with (
        serve_metrics(address),
        pytest.raises(OSError, match=f"{address} .*in use.*choose another .*MUTUA_METRICS_LISTEN"),
        serve_metrics(address),
    ):
        pass
    with serve_metrics(address):  # the port is free again
        pass
