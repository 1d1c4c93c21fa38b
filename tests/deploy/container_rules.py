"""Assertions that hold for containers in every deployment."""

import importlib.util
import re
from collections.abc import Iterable, Sequence

import click

from services.app import ingest_service, projector_service, query_service
from services.cli.main import mutua
from services.settings import Settings

CLOSING_SECONDS = 4.0
"""Time a container needs to stop in addition to the grace of its process."""
GRACE_SECONDS = {
    "services.ingest": ingest_service.GRACE_SECONDS,
    "services.projector": projector_service.GRACE_SECONDS,
    "services.query": query_service.GRACE_SECONDS,
}
LISTENING = ("MUTUA_LISTEN", "MUTUA_HEALTH_LISTEN")
METRICS = "MUTUA_METRICS_LISTEN"
_PINNED = re.compile(r"[a-z][a-z0-9/-]*:[0-9]+(\.[0-9]+)+(-[a-z]+)*|postgres:[0-9]+-[a-z]+")


def assert_known_settings(names: Iterable[str]) -> None:
    """Every variable is a setting, because mutua ignores a misspelt one."""
    setting_names = {f"MUTUA_{name.upper()}" for name in Settings.model_fields}
    assert set(names) <= setting_names


def assert_known_command(command: Sequence[str]) -> None:
    """The command is a runnable module, or a command of `mutua` with existing options."""
    if list(command[:2]) == ["python", "-m"]:
        [module] = command[2:]
        assert importlib.util.find_spec(f"{module}.__main__")
        return
    first, *words = command
    assert first == "mutua"
    current: click.Command = mutua
    context = click.Context(mutua)
    while words and isinstance(current, click.Group):
        name, *words = words
        subcommand = current.get_command(context, name)
        assert subcommand is not None, f"mutua has no command {name}"
        current = subcommand
    options = {option for parameter in current.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def assert_pinned(image: str) -> None:
    """The image has a version and no registry."""
    assert _PINNED.fullmatch(image), image


def port_of(listen: str) -> int:
    """The port of an address that listens on all interfaces."""
    host, _, port = listen.rpartition(":")
    assert host == "0.0.0.0"
    return int(port)
