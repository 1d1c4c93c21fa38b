"""Which organization an id means."""

from collections.abc import Mapping


def resolve(aliases: Mapping[str, str], recorded: str) -> str:
    """The organization an id means now; chains of aliases are followed."""
    while recorded in aliases:
        recorded = aliases[recorded]
    return recorded
