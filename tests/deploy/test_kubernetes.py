"""deploy/kubernetes, rendered: what the schemas say, and what its objects say of each other."""

import tomllib
from typing import Any

import kubernetes_validate
import pytest

from services.adapters.grpc.server import LIVENESS_SERVICE
from services.query.column_cache import BUDGET_BYTES
from services.settings import Settings
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
from tests.deploy.manifests import Manifest, get_containers, get_pod, index_by_name, render

PROCESSES = {"ingest": "Deployment", "projector": "StatefulSet", "query": "Deployment"}
OLDEST = "1.30"
"""What kustomization.yaml says: PodLifecycleSleepAction is on from then on."""


@pytest.fixture(scope="module")
def objects() -> list[Manifest]:
    return render()


@pytest.fixture(params=PROCESSES)
def workload(request: pytest.FixtureRequest, objects: list[Manifest]) -> Manifest:
    return index_by_name(objects, PROCESSES[request.param])[request.param]


def container(workload: Manifest) -> Manifest:
    [found] = get_containers(workload)
    return found


def variables(workload: Manifest) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in container(workload).get("env", [])}


def bytes_of(quantity: str) -> int:
    units = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
    return int(quantity[:-2]) * units[quantity[-2:]]


def workloads(objects: list[Manifest]) -> list[Manifest]:
    return [each for each in objects if get_pod(each)]


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_every_object_is_what_the_schemas_know(objects: list[Manifest], version: str) -> None:
    for each in objects:
        kubernetes_validate.validate(each, version, strict=True)


def test_a_misspelt_field_is_none_that_the_schemas_know() -> None:
    found = index_by_name(render(), "StatefulSet")["projector"]
    get_pod(found)["spec"]["terminationGracePeriod"] = 30
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(found, OLDEST, strict=True)


def test_everything_is_in_the_namespace_that_is_made(objects: list[Manifest]) -> None:
    [namespace] = index_by_name(objects, "Namespace")
    assert {each["metadata"].get("namespace", namespace) for each in objects} == {namespace}


def test_there_are_two_of_each_and_one_of_them_stays(
    workload: Manifest, objects: list[Manifest]
) -> None:
    name, labels = workload["metadata"]["name"], get_pod(workload)["metadata"]["labels"]
    assert workload["spec"]["replicas"] == 2
    assert workload["spec"]["selector"]["matchLabels"] == labels
    [spread] = get_pod(workload)["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    budget = index_by_name(objects, "PodDisruptionBudget")[name]["spec"]
    assert budget["selector"]["matchLabels"] == labels
    assert budget["maxUnavailable"] == 1
    others = [
        get_pod(each)["metadata"]["labels"] for each in workloads(objects) if each != workload
    ]
    assert labels not in others


def ports(workload: Manifest) -> dict[str, int]:
    return {each["name"]: each["containerPort"] for each in container(workload)["ports"]}


def test_ports_are_where_processes_listen(workload: Manifest, objects: list[Manifest]) -> None:
    service = index_by_name(objects, "Service")[workload["metadata"]["name"]]["spec"]
    assert service["selector"] == get_pod(workload)["metadata"]["labels"]
    assert service["ports"][0]["targetPort"] == "grpc"
    told = {**index_by_name(objects, "ConfigMap")["mutua"]["data"], **variables(workload)}
    [calls] = {port_of(told[name]) for name in LISTENING if name in told}
    exposed = parse_stages(DOCKERFILE.read_text())[-1].find_last("EXPOSE").split()
    assert (
        list(ports(workload).values()) == [calls, port_of(told[METRICS])] == list(map(int, exposed))
    )
    assert get_pod(workload)["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(ports(workload)["metrics"]),
    }


def test_probes_ask_what_is_meant(workload: Manifest) -> None:
    port = ports(workload)["grpc"]
    alive, ready = (container(workload)[f"{kind}Probe"] for kind in ("liveness", "readiness"))
    assert alive["grpc"] == {"port": port, "service": LIVENESS_SERVICE}
    assert ready["grpc"] == {"port": port}
    patience = alive["periodSeconds"] * alive["failureThreshold"]
    assert patience > Settings.model_fields["stuck_seconds"].default  # it ends itself, and says why


def test_who_is_told_to_stop_has_the_time_for_it(workload: Manifest) -> None:
    grace = get_pod(workload)["spec"]["terminationGracePeriodSeconds"]
    before = container(workload).get("lifecycle", {"preStop": {"sleep": {"seconds": 0}}})
    module = container(workload)["command"][-1]
    needed = before["preStop"]["sleep"]["seconds"] + GRACE_SECONDS[module] + CLOSING_SECONDS
    assert grace >= needed


def test_projectors_are_known_by_their_ordinals(objects: list[Manifest]) -> None:
    found = index_by_name(objects, "StatefulSet")["projector"]
    [instance] = [each for each in container(found)["env"] if each["name"] == "MUTUA_INSTANCE"]
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert found["spec"]["podManagementPolicy"] == "Parallel"
    strategy = found["spec"]["updateStrategy"]
    assert strategy == {"rollingUpdate": {"partition": found["spec"]["replicas"] // 2}}
    assert (
        index_by_name(objects, "Service")[found["spec"]["serviceName"]]["spec"]["clusterIP"]
        == "None"
    )


def test_every_variable_is_a_setting_and_every_command_exists(objects: list[Manifest]) -> None:
    settings = index_by_name(objects, "ConfigMap")
    for each in settings.values():
        assert_known_settings(each["data"])
    for each in workloads(objects):
        assert_known_settings(variables(each))
        assert_known_command(container(each)["command"])
        config, secret = container(each)["envFrom"]
        assert config["configMapRef"]["name"] in settings
        made = f"create secret generic {secret['secretRef']['name']} "
        assert made in (ROOT / "deploy/README.md").read_text()


def test_the_image_is_the_one_of_this_version(objects: list[Manifest]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for each in workloads(objects):
        assert_pinned(container(each)["image"])
        assert container(each)["image"] == f"mutua:{version}"


def test_every_process_has_its_limits(objects: list[Manifest]) -> None:
    for each in workloads(objects):
        resources = container(each)["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}
    query, ingest = (
        bytes_of(
            container(index_by_name(objects, "Deployment")[name])["resources"]["limits"]["memory"]
        )
        for name in ("query", "ingest")
    )
    assert query >= 2 * BUDGET_BYTES
    assert ingest >= 4 * Settings.model_fields["queue_bytes"].default


def test_nothing_can_write_or_become_more(objects: list[Manifest]) -> None:
    user, _, group = parse_stages(DOCKERFILE.read_text())[-1].find_last("USER").partition(":")
    for each in workloads(objects):
        spec = get_pod(each)["spec"]
        assert not spec["automountServiceAccountToken"]
        assert not spec["enableServiceLinks"]
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": int(user),
            "runAsGroup": int(group),
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container(each)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "volumes" not in spec


def test_only_the_namespace_reaches_what_believes_its_callers(objects: list[Manifest]) -> None:
    policy = index_by_name(objects, "NetworkPolicy")["callers"]["spec"]
    for each in workloads(objects):
        assert (
            policy["podSelector"]["matchLabels"].items()
            <= get_pod(each)["metadata"]["labels"].items()
        )
    assert policy["ingress"] == [
        {"from": [{"podSelector": {}}], "ports": [{"port": "grpc"}]},
        {"from": [{"namespaceSelector": {}}], "ports": [{"port": "metrics"}]},
    ]
