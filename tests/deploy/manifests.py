"""deploy/kubernetes as kustomize renders it: its resources, in its namespace, with its images."""

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
        for container in get_containers(each):
            container["image"] = f"{container['image']}:{tags[container['image']]}"
    return objects


def get_pod(workload: Manifest) -> Manifest:
    """The pod that a workload makes, as its template says; {} for whatever makes none."""
    found: Manifest = workload.get("spec", {}).get("template", {})
    return found


def get_containers(workload: Manifest) -> Iterator[Manifest]:
    yield from get_pod(workload).get("spec", {}).get("containers", [])


def index_by_name(objects: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def _without_aliases(text: str) -> str:
    dumper = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return yaml.dump_all(yaml.safe_load_all(text), Dumper=dumper)
