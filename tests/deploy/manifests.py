"""deploy/kubernetes as kustomize renders it: its resources, in its namespace, with its images."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml

from tests.deploy.dockerfile import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
_UNDERSTOOD = {"apiVersion", "kind", "namespace", "resources", "images"}
_WITHOUT_NAMESPACE = {"Namespace"}

Object: TypeAlias = dict[str, Any]


def rendered() -> list[Object]:
    """Every object, in the order of the resources."""
    told = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert told.keys() <= _UNDERSTOOD
    tags = {image["name"]: image["newTag"] for image in told["images"]}
    # Written out, so that nothing is shared by what YAML calls aliases.
    objects = [
        each
        for name in told["resources"]
        for each in yaml.safe_load_all(_without_aliases((FOLDER / name).read_text()))
    ]
    for each in objects:
        if each["kind"] not in _WITHOUT_NAMESPACE:
            each["metadata"]["namespace"] = told["namespace"]
        for container in containers(each):
            container["image"] = f"{container['image']}:{tags[container['image']]}"
    return objects


def pod(workload: Object) -> Object:
    """The pod that a workload makes, as its template says; {} for whatever makes none."""
    found: Object = workload.get("spec", {}).get("template", {})
    return found


def containers(workload: Object) -> Iterator[Object]:
    yield from pod(workload).get("spec", {}).get("containers", [])


def named(objects: list[Object], kind: str) -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def _without_aliases(text: str) -> str:
    dumper = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return yaml.dump_all(yaml.safe_load_all(text), Dumper=dumper)
