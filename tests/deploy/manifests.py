"""Renders deploy/kubernetes as kustomize does: resources, namespace and images."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml

from tests.deploy.dockerfile import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
_UNDERSTOOD = {"apiVersion", "kind", "namespace", "resources", "images"}
_WITHOUT_NAMESPACE = {"Namespace"}

Manifest: TypeAlias = dict[str, Any]


def render() -> list[Manifest]:
    """Every object, in the order of the resources."""
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert kustomization.keys() <= _UNDERSTOOD
    tags = {image["name"]: image["newTag"] for image in kustomization["images"]}
    # Without YAML aliases, because aliases would share objects.
    objects = [
        each
        for name in kustomization["resources"]
        for each in yaml.safe_load_all(_without_aliases((FOLDER / name).read_text()))
    ]
    for each in objects:
        if each["kind"] not in _WITHOUT_NAMESPACE:
            each["metadata"]["namespace"] = kustomization["namespace"]
        for container in get_containers(each):
            container["image"] = f"{container['image']}:{tags[container['image']]}"
    return objects


def get_pod(workload: Manifest) -> Manifest:
    """The pod template of a workload; {} if it has none."""
    template: Manifest = workload.get("spec", {}).get("template", {})
    return template


def get_containers(workload: Manifest) -> Iterator[Manifest]:
    yield from get_pod(workload).get("spec", {}).get("containers", [])


def index_by_name(objects: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def _without_aliases(text: str) -> str:
    dumper = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return yaml.dump_all(yaml.safe_load_all(text), Dumper=dumper)
