"""Figures of real processes are what was done to them, and alerts and dashboards name no others."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import promql_parser as promql
import pytest
import yaml
from kafka import KafkaProducer

from mutua import Client, MutuaError
from services import metrics
from services.metrics import Metric
from tests.backends import new_database, reachable_folder
from tests.cluster.topics import PARTITIONS, new_topic
from tests.cluster.watched import WatchedCluster
from tests.faults.processes import ROOT, eventually
from tests.projector.newer import newer_fact
from tests.scraping import Scrape
from tests.services.facts import correction, exchange

METRICS = [each for each in vars(metrics).values() if isinstance(each, Metric)]


@pytest.fixture(scope="module")
def cluster(broker: str, postgres: str) -> Iterator[WatchedCluster]:
    """Shared: each test has a programme of its own, and looks at what changed."""
    for topic in new_topic(broker):
        with (
            new_database(postgres) as database,
            reachable_folder() as folder,
            closing(WatchedCluster(folder, broker, topic, database)) as running,
        ):
            yield running


def put(cluster: WatchedCluster, programme_id: str, value: bytes) -> str:
    """Puts any record on the log; its partition."""
    partition = cluster.partition_of(programme_id)
    with closing(KafkaProducer(bootstrap_servers=cluster.broker)) as producer:
        producer.send(cluster.topic, value, programme_id.encode(), partition=partition)
        producer.flush()
    return str(partition)


def lags(cluster: WatchedCluster) -> dict[str, float]:
    return cluster.query.scraped().by("mutua_lag_facts", "partition")


def test_facts_are_counted_by_what_became_of_them(cluster: WatchedCluster) -> None:
    def count(outcome: str) -> float:
        return cluster.ingest.scraped().get("mutua_ingest_facts_total", outcome=outcome)

    before = {outcome: count(outcome) for outcome in ("OK", "INVALID_FACT")}
    with Client(cluster.clients, programme="counts") as client:
        client.record([exchange() for _ in range(7)])
        list(client.record_stream(exchange() for _ in range(50)))
        with pytest.raises(MutuaError):
            client.record([exchange(), exchange("A", "A")])
    assert count("OK") == before["OK"] + 57
    assert count("INVALID_FACT") == before["INVALID_FACT"] + 2
    found = cluster.ingest.scraped()
    assert (
        found.value("mutua_call_seconds_count", method="RecordEvents", outcome="INVALID_FACT") == 1
    )
    assert found.value("mutua_ingest_queued_bytes") == 0
    assert found.value("mutua_ready", service="IngestService") == 1


def test_what_is_not_projected_is_told_in_facts_and_seconds(cluster: WatchedCluster) -> None:
    def projected() -> float:
        return cluster.projector.scraped().get("mutua_projector_slab_facts_sum")

    partition = str(cluster.partition_of("lags"))
    with Client(cluster.clients, programme="lags") as client:
        with cluster.projector.frozen():
            client.record([exchange() for _ in range(30)])
            eventually(lambda: lags(cluster)[partition] == 30, "30 facts are behind")
            told = cluster.query.scraped()
            assert told.value("mutua_lag_seconds", partition=partition) > 0
        eventually(lambda: lags(cluster)[partition] == 0, "they are projected")
        assert cluster.query.scraped().value("mutua_lag_seconds", partition=partition) == 0
    eventually(lambda: projected() == cluster.record_count(), "each is projected once")
    found = cluster.projector.scraped()
    assert found.value("mutua_projector_visible_seconds_sum") > 0
    assert found.value("mutua_projector_partitions") == PARTITIONS
    assert len(lags(cluster)) == PARTITIONS


def test_what_answers_leave_out_is_told(cluster: WatchedCluster) -> None:
    def left_out() -> tuple[float, float]:
        found = cluster.query.scraped()
        return found.value("mutua_waiting_facts"), found.value("mutua_quarantined_facts")

    eventually(lambda: left_out() == (0, 0), "nothing is left out")
    with Client(cluster.clients, programme="aside") as client:
        client.record([correction(missing := exchange())])
        put(cluster, "aside", b"garbage")
        eventually(lambda: left_out() == (1, 1), "one waits and one can never apply")
        client.record([missing])
        eventually(lambda: left_out() == (0, 1), "it waits no longer")


def test_answers_are_measured_and_those_of_the_cache_counted(cluster: WatchedCluster) -> None:
    def hits() -> float:
        return cluster.query.scraped().value("mutua_query_cache_requests_total", result="hit")

    asked = {"method": "ListBalances", "outcome": "OK"}
    with Client(cluster.clients, programme="asks") as client:
        position = client.record([exchange()])
        list(client.list_balances(min_position=position))
        before = cluster.query.scraped(), hits()
        list(client.list_balances())
    found = cluster.query.scraped()
    assert hits() > before[1]
    assert found.value("mutua_query_columns_bytes") > 0
    assert (
        found.value("mutua_call_seconds_count", **asked)
        == before[0].value("mutua_call_seconds_count", **asked) + 1
    )


def test_a_call_has_an_id_that_the_log_names(cluster: WatchedCluster) -> None:
    with Client(cluster.clients, programme="logs") as client:
        client.record([exchange()])
    lines = [
        json.loads(line.split(" ", 1)[1])
        for line in cluster.ingest.said.splitlines()
        if "{" in line
    ]
    calls = [each for each in lines if each["message"].startswith("RecordEvents: OK in")]
    assert calls
    assert len({each["request_id"] for each in calls}) == len(calls)


def test_an_embedded_server_tells_the_same(cluster: WatchedCluster) -> None:
    with Client(cluster.server.address) as client:
        position = client.record([exchange() for _ in range(5)])
        assert [each.given for each in client.list_balances(min_position=position)] == [5, 0]
    found = cluster.server.scraped()
    assert found.value("mutua_ingest_facts_total", outcome="OK") == 5
    assert found.value("mutua_projector_slab_facts_sum") == 5
    assert found.value("mutua_lag_facts", partition="0") >= 0
    assert found.value("mutua_disk_free_bytes") > 0
    assert found.value("mutua_ready", service="QueryService") == 1


def test_a_partition_that_is_held_is_told(cluster: WatchedCluster) -> None:
    """The last of those who record here: the partition stays as it is."""
    held = put(cluster, "held", newer_fact(29, programme="held"))

    def told() -> dict[str, float]:
        return cluster.query.scraped().by("mutua_partition_held", "partition")

    eventually(lambda: told().get(held) == 1, "it is held")
    assert sum(told().values()) == 1
    eventually(lambda: lags(cluster)[held] == 1, "its fact is behind")


# What is declared, alerts and dashboards: all against what the processes above told.


@pytest.fixture(scope="module")
def told(cluster: WatchedCluster) -> dict[str, set[str]]:
    """The names of all series that the processes tell, and of their labels."""
    names: dict[str, set[str]] = {}
    for found in scraped_after_use(cluster):
        for name, labels in found.values:
            names.setdefault(name, set()).update(dict(labels))
    return names


def scraped_after_use(cluster: WatchedCluster) -> list[Scrape]:
    """When each process has done each kind of its work."""
    for server in (cluster.clients, cluster.server.address):
        with Client(server, programme="uses") as client:
            client.list_balances(min_position=client.record([exchange()]))
            eventually(lambda: client.get_status().fact_count > 0, "it is projected")
    eventually(lambda: bool(lags(cluster)), "the lag is known")
    return cluster.scraped()


@dataclass(frozen=True)
class Expression:
    """PromQL, and the names that whoever shows it fills in."""

    where: str
    text: str
    shown: frozenset[str] = frozenset()


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[Expression]:
    for rule in alerts():
        shown = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
        yield Expression(rule["alert"], rule["expr"], frozenset(shown))
    for panel in json.loads((ROOT / "deploy/grafana.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$__rate_interval", "5m")
            shown = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            yield Expression(panel["title"], text, frozenset(shown))


@pytest.mark.parametrize("expression", list(expressions()), ids=lambda each: each.where)
def test_an_expression_is_over_series_that_are_told(
    expression: Expression, told: dict[str, set[str]]
) -> None:
    known = told | {"up": set[str]()}
    selected: list[Any] = []
    grouped: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            selected.append(node)
        elif isinstance(node, promql.AggregateExpr) and node.modifier:
            grouped.update(node.modifier.labels)
        elif isinstance(node, promql.BinaryExpr) and node.modifier and node.modifier.matching:
            grouped.update(node.modifier.matching.labels)

    promql.walk(promql.parse(expression.text), visit)
    assert selected
    labels = {"job", "instance"}
    for selector in selected:
        assert selector.name in known, f"no process tells {selector.name}"
        mine = known[selector.name] | {"job", "instance"}
        assert {each.name for each in selector.matchers.matchers} <= mine
        labels |= mine
    assert grouped <= labels
    assert expression.shown <= labels


def test_every_alert_says_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    for rule in alerts():
        assert set(rule["annotations"]) == {"summary", "runbook"}, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.name)
def test_a_metric_that_is_declared_is_told(metric: Metric, told: dict[str, set[str]]) -> None:
    name = f"{metric.name}_count" if isinstance(metric, metrics.Histogram) else metric.name
    assert told.get(name) == set(metric.labels)
    assert re.fullmatch(r"mutua_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == isinstance(metric, metrics.Counter)


def test_every_metric_is_looked_at() -> None:
    """By an alert or the dashboard; else nobody would see it."""
    text = " ".join(each.text for each in expressions())
    assert [each.name for each in METRICS if each.name not in text] == []
