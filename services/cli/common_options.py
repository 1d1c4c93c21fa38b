"""Options that many commands share, and the source of the facts that commands record."""

from pathlib import Path
from typing import Final

import click

from mutua.v1.types_pb2 import Source

FORMAT_OPTION: Final = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
SOURCE: Final = Source(client="mutua-cli")
STDIN: Final = Path("-")
"""The name of a file that means stdin."""
