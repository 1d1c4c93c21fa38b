"""What is true of a container wherever it is described."""

import importlib.util
import re
from collections.abc import Iterable, Sequence

import click

from services.app import ingest_service, projector_service, query_service
from services.cli.main import mutua
from services.settings import Settings

CLOSING_SECONDS = 4.0
"""What there has to be beyond the grace that a process gives what is under way."""
GRACE_SECONDS = {
    "services.ingest": ingest_service.GRACE_SECONDS,
    "services.projector": projector_service.GRACE_SECONDS,
    "services.query": query_service.GRACE_SECONDS,
}
LISTENING = ("MUTUA_LISTEN", "MUTUA_HEALTH_LISTEN")
METRICS = "MUTUA_METRICS_LISTEN"
_PINNED = re.compile(r"[a-z][a-z0-9/-]*:[0-9]+(\.[0-9]+)+(-[a-z]+)*|postgres:[0-9]+-[a-z]+")


def assert_known_settings(names: Iterable[str]) -> None:
    """Every variable is one that the settings read; a misspelt one would be ignored."""
    known = {f"MUTUA_{name.upper()}" for name in Settings.model_fields}
    assert set(names) <= known


def assert_known_command(command: Sequence[str]) -> None:
    """It is a module that can be run, or a command of `mutua` with options that it has."""
    if list(command[:2]) == ["python", "-m"]:
        [module] = command[2:]
        assert importlib.util.find_spec(f"{module}.__main__")
        return
    first, *words = command
    assert first == "mutua"
    found: click.Command = mutua
    context = click.Context(mutua)
    while words and isinstance(found, click.Group):
        name, *words = words
        inner = found.get_command(context, name)
        assert inner is not None, f"mutua has no command {name}"
        found = inner
    options = {option for each in found.params for option in each.opts}
    assert {word for word in words if word.startswith("--")} <= options


def assert_pinned(image: str) -> None:
    """It names a version, and no registry."""
    assert _PINNED.fullmatch(image), image


def port_of(listen: str) -> int:
    """The port of an address that is reached from other containers."""
    host, _, port = listen.rpartition(":")
    assert host == "0.0.0.0"
    return int(port)
