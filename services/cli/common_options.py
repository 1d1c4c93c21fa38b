"""Options that many commands share, and the source of the facts that commands record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from mutua.v1.types_pb2 import Source
from services.setting_table import SETTINGS

OptionDecorator: TypeAlias = Callable[[Any], Any]
"""What decorates a command."""


def _make_format_option(*forms: str) -> OptionDecorator:
    return click.option(
        "--format", "form", type=click.Choice(forms), default=forms[0], show_default=True
    )


FORMAT_OPTION: Final = _make_format_option("table", "json")
CSV_FORMAT_OPTION: Final = _make_format_option("table", "json", "csv")
YES_OPTION: Final = click.option("--yes", is_flag=True, help="Do not ask.")
SOURCE: Final = Source(client="mutua-cli")
STDIN: Final = Path("-")
"""The name of a file that means stdin."""


def setting_option(name: str, *parameter: str, **overrides: Any) -> OptionDecorator:
    """The option of a setting, as the table describes it except for `overrides`."""
    setting = SETTINGS[name]
    described: dict[str, Any] = {
        "envvar": setting.variable,
        "show_default": bool(setting.default),
        "help": setting.plain_help,
    }
    if not overrides.get("required"):
        described["default"] = setting.default or ""
    if len(setting.choices) > 1:
        described["type"] = click.Choice(setting.choices)
    else:
        described["metavar"] = setting.form
    return click.option(setting.option.split()[-1], *parameter, **{**described, **overrides})
