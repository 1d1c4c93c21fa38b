"""Scrapes the metrics of a process as Prometheus does."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import PATIENCE_SECONDS

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Scrape:
    """Values by name and labels, and the type of every metric family."""

    values: Mapping[tuple[str, Labels], float]
    kinds: Mapping[str, str]

    def value(self, name: str, **labels: str) -> float:
        """Returns the value of a series. Raises KeyError when it is not exported."""
        return self.values[name, frozenset(labels.items())]

    def get(self, name: str, **labels: str) -> float:
        """Returns the value of a series, 0 when it is not exported."""
        return self.values.get((name, frozenset(labels.items())), 0.0)

    def by(self, name: str, label: str) -> dict[str, float]:
        """Returns the values of a metric by one label."""
        return {
            dict(labels)[label]: value
            for (each, labels), value in self.values.items()
            if each == name
        }


def scrape(address: str) -> Scrape:
    with urlopen(f"http://{address}/metrics", timeout=PATIENCE_SECONDS) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return Scrape(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        },
        {family.name: family.type for family in families},
    )
