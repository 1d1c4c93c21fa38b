"""deploy/kubernetes, rendered: its schemas, and the consistency of its objects."""

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
"""The oldest version in kustomization.yaml; it is the first with PodLifecycleSleepAction."""


@pytest.fixture(scope="module")
def objects() -> list[Manifest]:
    return render()


@pytest.fixture(params=PROCESSES)
def workload(request: pytest.FixtureRequest, objects: list[Manifest]) -> Manifest:
    return index_by_name(objects, PROCESSES[request.param])[request.param]


def container(workload: Manifest) -> Manifest:
    [only_container] = get_containers(workload)
    return only_container


def variables(workload: Manifest) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in container(workload).get("env", [])}


def parse_bytes(quantity: str) -> int:
    units = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
    return int(quantity[:-2]) * units[quantity[-2:]]


def workloads(objects: list[Manifest]) -> list[Manifest]:
    return [each for each in objects if get_pod(each)]


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_objects_conform_to_the_schemas(objects: list[Manifest], version: str) -> None:
    for each in objects:
        kubernetes_validate.validate(each, version, strict=True)


def test_schemas_reject_a_misspelt_field() -> None:
    manifest = index_by_name(render(), "StatefulSet")["projector"]
    get_pod(manifest)["spec"]["terminationGracePeriod"] = 30
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(manifest, OLDEST, strict=True)


def test_objects_are_in_the_created_namespace(objects: list[Manifest]) -> None:
    [namespace] = index_by_name(objects, "Namespace")
    assert {each["metadata"].get("namespace", namespace) for each in objects} == {namespace}


def test_workloads_have_two_replicas_and_a_disruption_budget(
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


def test_ports_match_listen_addresses(workload: Manifest, objects: list[Manifest]) -> None:
    service = index_by_name(objects, "Service")[workload["metadata"]["name"]]["spec"]
    assert service["selector"] == get_pod(workload)["metadata"]["labels"]
    assert service["ports"][0]["targetPort"] == "grpc"
    settings = {**index_by_name(objects, "ConfigMap")["mutua"]["data"], **variables(workload)}
    [calls] = {port_of(settings[name]) for name in LISTENING if name in settings}
    exposed = parse_stages(DOCKERFILE.read_text())[-1].find_last("EXPOSE").split()
    assert (
        list(ports(workload).values())
        == [calls, port_of(settings[METRICS])]
        == list(map(int, exposed))
    )
    assert get_pod(workload)["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(ports(workload)["metrics"]),
    }


def test_probes_use_liveness_and_readiness(workload: Manifest) -> None:
    port = ports(workload)["grpc"]
    alive, ready = (container(workload)[f"{kind}Probe"] for kind in ("liveness", "readiness"))
    assert alive["grpc"] == {"port": port, "service": LIVENESS_SERVICE}
    assert ready["grpc"] == {"port": port}
    patience = alive["periodSeconds"] * alive["failureThreshold"]
    assert patience > Settings.model_fields["stuck_seconds"].default  # it ends itself, and says why


def test_termination_grace_periods_are_long_enough(workload: Manifest) -> None:
    grace = get_pod(workload)["spec"]["terminationGracePeriodSeconds"]
    before = container(workload).get("lifecycle", {"preStop": {"sleep": {"seconds": 0}}})
    module = container(workload)["command"][-1]
    needed_seconds = before["preStop"]["sleep"]["seconds"] + GRACE_SECONDS[module] + CLOSING_SECONDS
    assert grace >= needed_seconds


def test_projector_instances_are_pod_names(objects: list[Manifest]) -> None:
    manifest = index_by_name(objects, "StatefulSet")["projector"]
    [instance] = [each for each in container(manifest)["env"] if each["name"] == "MUTUA_INSTANCE"]
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert manifest["spec"]["podManagementPolicy"] == "Parallel"
    strategy = manifest["spec"]["updateStrategy"]
    assert strategy == {"rollingUpdate": {"partition": manifest["spec"]["replicas"] // 2}}
    assert (
        index_by_name(objects, "Service")[manifest["spec"]["serviceName"]]["spec"]["clusterIP"]
        == "None"
    )


def test_variables_are_settings_and_commands_exist(objects: list[Manifest]) -> None:
    settings = index_by_name(objects, "ConfigMap")
    for each in settings.values():
        assert_known_settings(each["data"])
    for each in workloads(objects):
        assert_known_settings(variables(each))
        assert_known_command(container(each)["command"])
        config, secret = container(each)["envFrom"]
        assert config["configMapRef"]["name"] in settings
        command = f"create secret generic {secret['secretRef']['name']} "
        assert command in (ROOT / "deploy/README.md").read_text()


def test_image_has_this_version(objects: list[Manifest]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for each in workloads(objects):
        assert_pinned(container(each)["image"])
        assert container(each)["image"] == f"mutua:{version}"


def test_workloads_have_resource_limits(objects: list[Manifest]) -> None:
    for each in workloads(objects):
        resources = container(each)["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}
    query, ingest = (
        parse_bytes(
            container(index_by_name(objects, "Deployment")[name])["resources"]["limits"]["memory"]
        )
        for name in ("query", "ingest")
    )
    assert query >= 2 * BUDGET_BYTES
    assert ingest >= 4 * Settings.model_fields["queue_bytes"].default


def test_containers_cannot_write_or_gain_privileges(objects: list[Manifest]) -> None:
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


def test_only_the_namespace_reaches_the_services(objects: list[Manifest]) -> None:
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
