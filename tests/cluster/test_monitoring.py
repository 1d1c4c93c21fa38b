"""Metrics of real processes count what they did; alerts and dashboards use only these."""

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
from services.adapters.telemetry import metrics
from services.adapters.telemetry.metrics import Metric
from tests.backing_services import temporary_database, temporary_shared_folder
from tests.cluster.measured_cluster import MeasuredCluster
from tests.cluster.topics import PARTITIONS, temporary_topic
from tests.faults.server_process import ROOT
from tests.projector.newer_facts import newer_fact
from tests.prometheus_scrape import Scrape
from tests.services.facts import correction, exchange
from tests.waiting import wait_until

METRICS = [each for each in vars(metrics).values() if isinstance(each, Metric)]


@pytest.fixture(scope="module")
def cluster(broker: str, postgres: str) -> Iterator[MeasuredCluster]:
    """Shared: each test has a programme of its own, and looks at what changed."""
    for topic in temporary_topic(broker):
        with (
            temporary_database(postgres) as database,
            temporary_shared_folder() as folder,
            closing(MeasuredCluster(folder, broker, topic, database)) as running,
        ):
            yield running


def put(cluster: MeasuredCluster, programme_id: str, value: bytes) -> str:
    """Puts any record on the log; its partition."""
    partition = cluster.find_partition(programme_id)
    with closing(KafkaProducer(bootstrap_servers=cluster.broker)) as producer:
        producer.send(cluster.topic, value, programme_id.encode(), partition=partition)
        producer.flush()
    return str(partition)


def lag_by_partition(cluster: MeasuredCluster) -> dict[str, float]:
    return cluster.query.scrape().by("mutua_lag_facts", "partition")


# What is declared, alerts and dashboards: all against what the processes above told.


@pytest.fixture(scope="module")
def reported_series(cluster: MeasuredCluster) -> dict[str, set[str]]:
    """The names of all series that the processes tell, and of their labels."""
    names: dict[str, set[str]] = {}
    for scraped in scraped_after_use(cluster):
        for name, labels in scraped.values:
            names.setdefault(name, set()).update(dict(labels))
    return names


def scraped_after_use(cluster: MeasuredCluster) -> list[Scrape]:
    """When each process has done each kind of its work."""
    for server in (cluster.client_address, cluster.server.address):
        with Client(server, programme="uses") as client:
            client.list_balances(min_position=client.record([exchange()]))
            wait_until(lambda: client.get_status().fact_count > 0, "it is projected")
    wait_until(lambda: bool(lag_by_partition(cluster)), "the lag is known")
    return cluster.scrape_all()


@dataclass(frozen=True)
class Expression:
    """PromQL, and the names that a dashboard fills in."""

    where: str
    text: str
    labels: frozenset[str] = frozenset()


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[Expression]:
    for rule in alerts():
        labels = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
        yield Expression(rule["alert"], rule["expr"], frozenset(labels))
    for panel in json.loads((ROOT / "deploy/grafana.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$__rate_interval", "5m")
            labels = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            yield Expression(panel["title"], text, frozenset(labels))


class TestMetrics:
    def test_facts_are_counted_by_outcome(self, cluster: MeasuredCluster) -> None:
        def count(outcome: str) -> float:
            return cluster.ingest.scrape().get("mutua_ingest_facts_total", outcome=outcome)

        before = {outcome: count(outcome) for outcome in ("OK", "INVALID_FACT")}
        with Client(cluster.client_address, programme="counts") as client:
            client.record([exchange() for _ in range(7)])
            list(client.record_stream(exchange() for _ in range(50)))
            with pytest.raises(MutuaError):
                client.record([exchange(), exchange("A", "A")])
        assert count("OK") == before["OK"] + 57
        assert count("INVALID_FACT") == before["INVALID_FACT"] + 2
        scraped = cluster.ingest.scrape()
        assert (
            scraped.value("mutua_call_seconds_count", method="RecordEvents", outcome="INVALID_FACT")
            == 1
        )
        assert scraped.value("mutua_ingest_queued_bytes") == 0
        assert scraped.value("mutua_ready", service="IngestService") == 1

    def test_lag_is_exported_in_facts_and_seconds(self, cluster: MeasuredCluster) -> None:
        def projected() -> float:
            return cluster.projector.scrape().get("mutua_projector_slab_facts_sum")

        partition = str(cluster.find_partition("lags"))
        with Client(cluster.client_address, programme="lags") as client:
            with cluster.projector.freeze():
                client.record([exchange() for _ in range(30)])
                wait_until(
                    lambda: lag_by_partition(cluster)[partition] == 30, "30 facts are behind"
                )
                scraped = cluster.query.scrape()
                assert scraped.value("mutua_lag_seconds", partition=partition) > 0
            wait_until(lambda: lag_by_partition(cluster)[partition] == 0, "they are projected")
            assert cluster.query.scrape().value("mutua_lag_seconds", partition=partition) == 0
        wait_until(lambda: projected() == cluster.record_count(), "each is projected once")
        scraped = cluster.projector.scrape()
        assert scraped.value("mutua_projector_visible_seconds_sum") > 0
        assert scraped.value("mutua_projector_partitions") == PARTITIONS
        assert len(lag_by_partition(cluster)) == PARTITIONS

    def test_waiting_and_quarantined_facts_are_exported(self, cluster: MeasuredCluster) -> None:
        def left_out() -> tuple[float, float]:
            scraped = cluster.query.scrape()
            return scraped.value("mutua_waiting_facts"), scraped.value("mutua_quarantined_facts")

        wait_until(lambda: left_out() == (0, 0), "nothing is left out")
        with Client(cluster.client_address, programme="aside") as client:
            client.record([correction(missing := exchange())])
            put(cluster, "aside", b"garbage")
            wait_until(lambda: left_out() == (1, 1), "one waits and one can never apply")
            client.record([missing])
            wait_until(lambda: left_out() == (0, 1), "it waits no longer")

    def test_calls_and_cache_hits_are_counted(self, cluster: MeasuredCluster) -> None:
        def hits() -> float:
            return cluster.query.scrape().value("mutua_query_cache_requests_total", result="hit")

        labels = {"method": "ListBalances", "outcome": "OK"}
        with Client(cluster.client_address, programme="asks") as client:
            position = client.record([exchange()])
            list(client.list_balances(min_position=position))
            before = cluster.query.scrape(), hits()
            list(client.list_balances())
        scraped = cluster.query.scrape()
        assert hits() > before[1]
        assert scraped.value("mutua_query_columns_bytes") > 0
        assert (
            scraped.value("mutua_call_seconds_count", **labels)
            == before[0].value("mutua_call_seconds_count", **labels) + 1
        )

    def test_log_lines_carry_the_request_id(self, cluster: MeasuredCluster) -> None:
        with Client(cluster.client_address, programme="logs") as client:
            client.record([exchange()])
        lines = [
            json.loads(line) for line in cluster.ingest.output.splitlines() if line.startswith("{")
        ]
        calls = [each for each in lines if each["message"].startswith("RecordEvents: OK in")]
        assert calls
        assert len({each["request_id"] for each in calls}) == len(calls)

    def test_embedded_server_exports_the_same_metrics(self, cluster: MeasuredCluster) -> None:
        with Client(cluster.server.address) as client:
            position = client.record([exchange() for _ in range(5)])
            assert [each.given for each in client.list_balances(min_position=position)] == [5, 0]
        scraped = cluster.server.scrape()
        assert scraped.value("mutua_ingest_facts_total", outcome="OK") == 5
        assert scraped.value("mutua_projector_slab_facts_sum") == 5
        assert scraped.value("mutua_lag_facts", partition="0") >= 0
        assert scraped.value("mutua_disk_free_bytes") > 0
        assert scraped.value("mutua_ready", service="QueryService") == 1

    def test_held_partition_is_exported(self, cluster: MeasuredCluster) -> None:
        """The last of those who record here: the partition stays as it is."""
        partition = put(cluster, "held", newer_fact(29, programme="held"))

        def holds() -> dict[str, float]:
            return cluster.query.scrape().by("mutua_partition_held", "partition")

        wait_until(lambda: holds().get(partition) == 1, "it is held")
        assert sum(holds().values()) == 1
        wait_until(lambda: lag_by_partition(cluster)[partition] == 1, "its fact is behind")

    @pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.name)
    def test_declared_metric_is_exported(
        self, metric: Metric, reported_series: dict[str, set[str]]
    ) -> None:
        name = f"{metric.name}_count" if isinstance(metric, metrics.Histogram) else metric.name
        assert reported_series.get(name) == set(metric.labels)
        assert re.fullmatch(r"mutua_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == isinstance(metric, metrics.Counter)

    def test_every_metric_is_used_by_an_alert_or_panel(self) -> None:
        """By an alert or the dashboard; else nobody would see it."""
        text = " ".join(each.text for each in expressions())
        assert [each.name for each in METRICS if each.name not in text] == []


class TestAlertsAndPanels:
    @pytest.mark.parametrize("expression", list(expressions()), ids=lambda each: each.where)
    def test_expression_uses_exported_series(
        self, expression: Expression, reported_series: dict[str, set[str]]
    ) -> None:
        known = reported_series | {"up": set[str]()}
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
            label_names = known[selector.name] | {"job", "instance"}
            assert {each.name for each in selector.matchers.matchers} <= label_names
            labels |= label_names
        assert grouped <= labels
        assert expression.labels <= labels

    def test_every_alert_has_a_runbook(self) -> None:
        names = [rule["alert"] for rule in alerts()]
        assert len(names) == len(set(names))
        for rule in alerts():
            assert set(rule["annotations"]) == {"summary", "runbook"}, rule["alert"]
            assert rule["labels"]["severity"] in ("page", "ticket")
