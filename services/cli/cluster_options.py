"""Where a cluster is: options of the commands that look at its log and its read models."""

from collections.abc import Callable
from typing import Any, TypeAlias

import click

OptionDecorator: TypeAlias = Callable[[Any], Any]
"""What decorates a command."""


def log_url_option(what: str, *, required: bool = False) -> OptionDecorator:
    """The option for a topic of Kafka; "" without one, unless it is required."""
    return _url(
        "--log-url", "MUTUA_LOG_URL", "kafka://HOST:PORT,.../TOPIC", what, required=required
    )


def store_url_option(what: str, *, required: bool = False) -> OptionDecorator:
    """The option for the database of the read models; "" without one, unless it is required."""
    return _url("--store-url", "MUTUA_STORE_URL", "postgresql://...", what, required=required)


def _url(name: str, variable: str, form: str, what: str, *, required: bool) -> OptionDecorator:
    given = {"required": True} if required else {"default": ""}
    return click.option(name, envvar=variable, metavar=form, help=what, **given)
