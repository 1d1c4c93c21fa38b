"""Organizations by their names, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypedDict

from mutua.v1.query_service_pb2 import Organization

MAX_LABEL_CHARACTERS: Final = 80
"""Longer names are cut, so that a name of 10,000 characters does not fill the page."""


class Party(TypedDict):
    """An organization as views show it."""

    id: str
    label: str


def shorten(text: str, limit: int = MAX_LABEL_CHARACTERS) -> str:
    """The text on one line, cut with an ellipsis."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def isolate(label: str) -> str:
    """The label for a sentence, whose direction it leaves alone whatever letters it has."""
    return f"\u2068{label}\u2069"


class Directory:
    """Labels of organizations: their names, or their ids where they have none."""

    def __init__(self, organizations: Iterable[Organization]) -> None:
        self.organizations = {each.organization_id: each for each in organizations}

    def label(self, organization_id: str) -> str:
        organization = self.organizations.get(organization_id)
        return shorten((organization.name if organization else "") or organization_id)

    def party(self, organization_id: str) -> Party:
        return {"id": organization_id, "label": self.label(organization_id)}

    def parties(self, organization_ids: Iterable[str]) -> list[Party]:
        """These organizations in the order of their names."""
        parties = map(self.party, organization_ids)
        return sorted(parties, key=lambda each: (each["label"].casefold(), each["id"]))
