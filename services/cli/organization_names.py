"""Organizations by the names that people type at a command."""

import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import click

from mutua import organization_directory
from mutua.spelling import name_key, quote

UNBOUND_NAMES: Final = "UNBOUND_NAMES"
"""The warning that `unbound_lines` explains."""
_SHOWN: Final = 5
_LISTED: Final = 12
"""Names in a sentence."""


class CommandLineDirectory(organization_directory.OrganizationDirectory):
    """A directory that turns an ambiguous name into a usage error with what to type instead."""

    def find(self, typed: str) -> str | None:
        """As the client library's. Raises UsageError when several organizations have the name."""
        try:
            return super().find(typed)
        except organization_directory.AmbiguousNameError as error:
            raise click.UsageError(f"{typed!r} {error}: type the id.") from error

    def find_listed(self, typed: str) -> list[str]:
        """The ids of known organizations that a name lists with separators; [] for anything else.

        An import reads such a cell as several organizations; a command takes each by itself.
        """
        parts = [part for part in re.split("[;|,]", typed) if part.strip()]
        ids = [
            organization_id for part in parts if (organization_id := self.find(part)) is not None
        ]
        return ids if len(parts) > 1 and len(ids) == len(parts) else []

    def suggest(self, typed: str) -> str:
        """The near misses of a name, such as "Oakdale Trust (oak-2) or Oakley (oak-7)"."""
        return " or ".join(map(self.label, self.find_near_misses(typed)))


@dataclass(slots=True)
class ResolvedNames:
    """The ids under which typed names are recorded."""

    ids: dict[str, str] = field(default_factory=dict)
    """The id of each, or the name itself where it is new."""
    new_names: list[str] = field(default_factory=list)
    """Names that no organization has."""
    doubtful_names: list[str] = field(default_factory=list)
    """New names that resemble an organization and that nobody confirmed."""

    def describe_new_names(
        self, organization_directory: CommandLineDirectory, undo: str
    ) -> Iterator[str]:
        """Lines about the new names, once recorded; `undo` is the command that takes that back."""
        if new := [name for name in self.new_names if name not in self.doubtful_names]:
            organizations = "organization" if len(new) == 1 else "organizations"
            yield f"New {organizations}, recorded as written: {', '.join(map(quote, new))}."
        for name in self.doubtful_names:
            several = " and ".join(
                map(organization_directory.label, organization_directory.find_listed(name))
            )
            suggestion = (
                f"{several}, each typed by itself"
                if several
                else organization_directory.suggest(name)
            )
            yield (
                f"unknown organization {quote(name)}: recorded as written. "
                f"Did you mean {suggestion}? Then: {undo}"
            )


def resolve_names(
    typed: Iterable[str], organization_directory: CommandLineDirectory, *, yes: bool
) -> ResolvedNames:
    """Finds organizations by typed names; an unknown name stays as it is.

    On a terminal it asks about a new name that resembles an organization, unless `yes` is set.
    Raises UsageError when a name is that of several organizations.
    """
    names = ResolvedNames()
    first_spellings: dict[str, str] = {}
    for name in dict.fromkeys(typed):
        organization_id = organization_directory.find(name)
        if organization_id is None:
            spelling = first_spellings.setdefault(name_key(name), name)
            organization_id = (
                names.ids[spelling]
                if spelling != name
                else _confirm_name(name, names, organization_directory, yes=yes)
            )
        names.ids[name] = organization_id
    return names


def list_names(
    organization_directory: CommandLineDirectory,
    ids: Sequence[str],
    remarks: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The first names of a list with a remark on each, and how many more there are."""
    names = [
        f"{organization_directory.label(each)}{f', {remarks[each]}' if each in remarks else ''}"
        for each in ids[:_LISTED]
    ]
    more = len(ids) - _LISTED
    return "; ".join(names) + (f"; and {more:,} more (--format json has all)" if more > 0 else "")


def shared_spelling_lines(organization_directory: CommandLineDirectory) -> list[str]:
    """Lines about registered organizations that share a name."""
    sharing = organization_directory.find_shared_spellings()
    lines = [
        f"{' and '.join(map(organization_directory.label, ids))} have a spelling in "
        "common: type their ids."
        for ids in sharing[:_SHOWN]
    ]
    more = len(sharing) - _SHOWN
    return [*lines, f"So do {more:,} more."] if more > 0 else lines


def unbound_lines(organization_directory: CommandLineDirectory, mutua: str) -> list[str]:
    """Lines about recorded ids that are spelled like a registered organization, with the command
    that binds them. `mutua` is the command as typed, with its global options."""
    unbound = organization_directory.find_unbound()
    lines = []
    for each in unbound[:_SHOWN]:
        spelling = shlex.quote(each.organization_id)
        labels = " or ".join(map(organization_directory.label, each.registered_ids))
        ids = [shlex.quote(organization_id) for organization_id in each.registered_ids]
        lines.append(
            f"  {quote(each.organization_id)} is spelled like {labels}. To bind it: "
            f"{mutua} organization alias {spelling} {ids[0] if len(ids) == 1 else 'ORGANIZATION'}"
        )
    if len(unbound) > 1:
        more = f"{len(unbound) - _SHOWN:,} more; all" if len(unbound) > _SHOWN else "All"
        lines.append(f"  {more} of them at once: {mutua} organization alias --unbound")
    return lines


def _confirm_name(
    name: str, names: ResolvedNames, organization_directory: CommandLineDirectory, *, yes: bool
) -> str:
    """The id of a new name: the name itself, or a near miss that the user picks."""
    several, near = (
        organization_directory.find_listed(name),
        organization_directory.find_near_misses(name),
    )
    if several and sys.stdin.isatty() and not yes:
        labels = ", ".join(map(organization_directory.label, several))
        click.echo(f"{quote(name)} is new, and lists {labels}: type each by itself.", err=True)
        click.confirm("Record it as one new organization?", abort=True, err=True)
    elif near and sys.stdin.isatty() and not yes:
        click.echo(f"{quote(name)} is new. Did you mean one of these?", err=True)
        for number, organization_id in enumerate(near, start=1):
            click.echo(f"  {number}  {organization_directory.label(organization_id)}", err=True)
        answers = [*map(str, range(1, len(near) + 1)), "y"]
        answer = click.prompt(
            "Type its number, or y to record the name as written",
            type=click.Choice(answers),
            err=True,
        )
        if answer != "y":
            return near[int(answer) - 1]
    elif near or several:
        names.doubtful_names.append(name)
    names.new_names.append(name)
    return name
