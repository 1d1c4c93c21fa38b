"""deploy/compose.yaml: its schema, its services, and a run of them."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
import yaml

from mutua import Client
from services.adapters.kafka.address import KafkaAddress
from services.adapters.postgres.driver import LOCK_SECONDS, STATEMENT_SECONDS
from tests.cluster.topics import delete_topic
from tests.deploy.container_rules import (
    CLOSING_SECONDS,
    GRACE_SECONDS,
    LISTENING,
    METRICS,
    assert_known_command,
    assert_known_settings,
    assert_pinned,
    port_of,
)
from tests.deploy.dockerfile import DOCKERFILE, ROOT, parse_stages
from tests.deploy.image import Image
from tests.ports import allocate_port
from tests.services.facts import exchange
from tests.waiting import wait_until

COMPOSE = ROOT / "deploy" / "compose.yaml"
PROCESSES = ["ingest-1", "ingest-2", "projector-1", "projector-2", "query-1", "query-2"]

Service: TypeAlias = Mapping[str, Any]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    services_by_name: dict[str, Service] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services_by_name


@pytest.fixture(scope="module")
def our_services(services: dict[str, Service]) -> dict[str, Service]:
    return {name: each for name, each in services.items() if each["image"].startswith("mutua:")}


def conforms(path: Path) -> bool:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, str(path)], stdout=subprocess.DEVNULL).returncode == 0


def seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))


def test_file_conforms_to_the_compose_schema(tmp_path: Path) -> None:
    assert conforms(COMPOSE)
    misspelt = tmp_path / "compose.yaml"
    misspelt.write_text(COMPOSE.read_text().replace("read_only:", "readonly:"))
    assert not conforms(misspelt)


def test_there_are_two_of_each_process_and_what_they_need(
    services: dict[str, Service], our_services: dict[str, Service]
) -> None:
    assert sorted(our_services) == [*PROCESSES, "topic"]
    assert sorted(services.keys() - our_services.keys()) == ["kafka", "postgres"]
    for each in our_services.values():
        assert each["depends_on"].keys() <= services.keys()


def test_images_are_pinned_and_the_broker_is_the_one_that_is_tested(
    services: dict[str, Service],
) -> None:
    for each in services.values():
        assert_pinned(each["image"])
    tested = re.search(
        r"<version>(4[0-9.]+)</version>", (ROOT / "deploy/broker/pom.xml").read_text()
    )
    assert tested is not None
    assert services["kafka"]["image"] == f"apache/kafka:{tested[1]}"


def test_every_variable_is_a_setting_and_every_command_exists(
    our_services: dict[str, Service],
) -> None:
    for each in our_services.values():
        assert_known_settings(each["environment"])
        assert_known_command(each["command"])
        if not each["healthcheck"].get("disable"):
            kind, *command = each["healthcheck"]["test"]
            assert kind == "CMD"
            assert_known_command(command)


def test_ports_are_where_processes_listen_and_only_this_machine_reaches_them(
    our_services: dict[str, Service],
) -> None:
    exposed, measured = map(
        int, parse_stages(DOCKERFILE.read_text())[-1].find_last("EXPOSE").split()
    )
    published = []
    for name in PROCESSES:
        each = our_services[name]
        [listen] = [each["environment"][key] for key in LISTENING if key in each["environment"]]
        assert port_of(listen) == exposed
        assert port_of(each["environment"][METRICS]) == measured
        assert each["healthcheck"]["test"][-1] == f"127.0.0.1:{exposed}"
        for mapping in each.get("ports", []):
            host, port, inside = mapping.split(":")
            assert (host, int(inside)) == ("127.0.0.1", exposed)
            published.append(port)
    assert published == ["7420", "7421", "7430", "7431"]


def test_projectors_have_fixed_instance_names(our_services: dict[str, Service]) -> None:
    for name in ("projector-1", "projector-2"):
        assert our_services[name]["environment"]["MUTUA_INSTANCE"] == name


def test_stop_grace_periods_are_long_enough(our_services: dict[str, Service]) -> None:
    for name in PROCESSES:
        grace = seconds(our_services[name]["stop_grace_period"])
        assert grace >= GRACE_SECONDS[our_services[name]["command"][-1]] + CLOSING_SECONDS
    assert GRACE_SECONDS["services.projector"] > STATEMENT_SECONDS > LOCK_SECONDS


def test_containers_cannot_write_or_gain_privileges(our_services: dict[str, Service]) -> None:
    for each in our_services.values():
        assert each["read_only"]
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert not {"volumes", "tmpfs", "user", "privileged", "cap_add"} & each.keys()


class RunningService:
    """A service of the compose file, as a process of the image on this machine."""

    def __init__(self, image: Image, service: Service, log_url: str, database: str) -> None:
        self.address = f"127.0.0.1:{allocate_port()}"
        places = {"MUTUA_LOG_URL": log_url, "MUTUA_STORE_URL": database}
        listening = {name: self.address for name in LISTENING if name in service["environment"]}
        listening[METRICS] = f"127.0.0.1:{allocate_port()}"
        environment = {**service["environment"], **places, **listening}
        self._image = image
        self.process = subprocess.Popen(image.wrap_command(service["command"], environment))

    def is_healthy(self) -> bool:
        command = self._image.wrap_command(["mutua", "health", self.address], {})
        result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return result.returncode == 0


@contextmanager
def run_service(*arguments: Any) -> Iterator[RunningService]:
    running = RunningService(*arguments)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


@pytest.mark.timeout(400)
def test_started_services_accept_facts_and_answer(
    image: Image, our_services: dict[str, Service], broker: str, database: str
) -> None:
    topic = f"test-{uuid4().hex}"
    place = (str(KafkaAddress(servers=(broker,), topic=topic)), database)
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(run_service(image, our_services[name], *place))
            for name in ("projector-1", "query-1", "ingest-1")  # in no order, before their topic
        }
        stack.callback(delete_topic, broker, topic)
        making = stack.enter_context(run_service(image, our_services["topic"], *place))
        assert making.process.wait(60) == 0
        for name, each in running.items():
            wait_until(each.is_healthy, f"{name} is healthy")
        with Client(f"{running['ingest-1'].address},{running['query-1'].address}") as client:
            position = client.record([exchange("Ashford", "Millbury")])
            rows = list(client.list_balances(min_position=position))
        assert {row.organization_id for row in rows if row.given} == {"Ashford"}
        for each in running.values():
            each.process.send_signal(signal.SIGTERM)
        assert {name: each.process.wait(30) for name, each in running.items()} == dict.fromkeys(
            running, 0
        )
