"""`organization add`, `alias` and `update`: the roster changed by hand, without an import."""

import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from mutua import Client
from mutua import MutuaError as ClientError
from mutua.spelling import quote
from mutua.v1.event_pb2 import (
    AliasAdded,
    Event,
    OrganizationContent,
    OrganizationRegistered,
    OrganizationUpdated,
)
from mutua.v1.query_service_pb2 import Organization
from services.cli.common_options import FORMAT_OPTION, SOURCE, YES_OPTION
from services.cli.connection import GlobalOptions, open_client
from services.cli.organization_details import (
    ALIAS_IS_FINAL,
    ORGANIZATION_OPTIONS,
    OrganizationValues,
    apply_values,
    content_of,
    describe_changes,
    describe_organization,
    undo_lines,
)
from services.cli.organization_names import CommandLineDirectory, unbound_lines
from services.cli.output import to_json
from services.ledger.wording import format_count


def takes_organization(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options for an organization's content, passed as keywords; None if not typed."""
    for option in reversed((*ORGANIZATION_OPTIONS, YES_OPTION, FORMAT_OPTION)):
        command = option(command)
    return click.pass_obj(command)


@click.group()
def organization() -> None:
    """Change the roster by hand.

    To import a file, type mutua import organizations FILE.

    \b
    Examples:
      mutua organization add elm-3 --name "Elmwood Trust" --type acute
      mutua organization alias "Elmwood Hosp." elm-3
      mutua organization update elm-3 --role exemplar
    """


@organization.command()
@click.argument("organization_id", metavar="ID")
@takes_organization
def add(
    global_options: GlobalOptions, organization_id: str, form: str, *, yes: bool, **values: Any
) -> None:
    """Register an organization.

    Choose an id; it cannot be changed later.

    \b
    Examples:
      mutua organization add elm-3 --name "Elmwood Trust"
      mutua organization add R1A --name "Solent NHS Trust" --alias Solent --type mental-health
      mutua organization add ext-1 --name "A vendor" --role boundary
    """
    organization_id = organization_id.strip()
    with open_client(global_options, write=True, purpose="mutua organization add") as client:
        directory = CommandLineDirectory(client.list_organizations())
        if (existing := directory.get(organization_id)) is not None and existing.registered:
            raise click.ClickException(
                f"{directory.label(organization_id)} is registered already. To change it: "
                f"{global_options.command} organization update {shlex.quote(organization_id)} ..."
            )
        _require_free([organization_id, *values["aliases"]], organization_id, directory)
        _confirm_spellings(organization_id, values, directory, yes=yes)
        content = apply_values(OrganizationContent(organization_id=organization_id), values)
        event = Event(
            source=SOURCE,
            organization_registered=OrganizationRegistered(organization=content),
        )
        after, position = _record(client, [event], global_options.command)
        change = f"{global_options.command} organization update {shlex.quote(organization_id)} ..."
        lines = [
            f"Registered: {describe_organization(content)}.",
            f"A registration cannot be taken back. To change it: {change}",
        ]
        _tell(form, organization_id, event, position, lines, after, global_options)


@organization.command()
@click.argument("organization", metavar="ORGANIZATION")
@takes_organization
def update(
    global_options: GlobalOptions, organization: str, form: str, *, yes: bool, **values: Any
) -> None:
    """Update a registered organization.

    A field that you do not name keeps its value. An empty text clears a field, --external-id
    replaces all external ids, and --alias adds an alias.

    \b
    Examples:
      mutua organization update elm-3 --name "Elmwood NHS Trust" --region Y55
      mutua organization update Elmwood --sector "" --close-date 2026-04-01
    """
    if all(value in (None, ()) for value in values.values()):
        raise click.UsageError("say what to change, for example --name NAME.")
    with open_client(global_options, write=True, purpose="mutua organization update") as client:
        directory = CommandLineDirectory(client.list_organizations())
        existing = _registered(organization, directory, global_options)
        organization_id = existing.organization_id
        before = content_of(existing)
        after = apply_values(before, values)
        if after == before:
            _tell_nothing_changed(form, organization_id)
            return
        new_aliases = [each for each in after.aliases if each not in before.aliases]
        _require_free(new_aliases, organization_id, directory)
        if values["name"] == before.name:
            values["name"] = None
        _confirm_spellings(organization_id, values, directory, yes=yes)
        event = Event(source=SOURCE, organization_updated=OrganizationUpdated(organization=after))
        directory_after, position = _record(client, [event], global_options.command)
        undo = f"{global_options.command} organization update {shlex.quote(organization_id)}"
        lines = [
            f"Changed: {describe_organization(after)}.",
            *describe_changes(before, after),
            *undo_lines(undo, before, after),
        ]
        _tell(form, organization_id, event, position, lines, directory_after, global_options)


@organization.command()
@click.argument("spelling", metavar="[SPELLING", required=False)
@click.argument("organization", metavar="ORGANIZATION]", required=False)
@click.option(
    "--unbound",
    is_flag=True,
    help="Bind every recorded id that is spelled like one registered organization.",
)
@YES_OPTION
@FORMAT_OPTION
@click.pass_obj
def alias(
    global_options: GlobalOptions,
    spelling: str | None,
    organization: str | None,
    form: str,
    *,
    unbound: bool,
    yes: bool,
) -> None:
    """Bind an alias to an organization.

    The alias also applies to facts that are recorded already. Recorded ids that differ from
    SPELLING only in case, blanks and invisible characters are bound too. An alias cannot be
    removed, so the command asks first on a terminal.

    \b
    Examples:
      mutua organization alias "Ashcombe Hospital" ash-1
      mutua organization alias R0X "Ashcombe Hospital" --yes
      mutua organization alias --unbound
    """
    if unbound == (spelling is not None) or (spelling is None) != (organization is None):
        raise click.UsageError("type a SPELLING and an ORGANIZATION, or --unbound.")
    with open_client(global_options, write=True, purpose="mutua organization alias") as client:
        directory = CommandLineDirectory(client.list_organizations())
        bindings = (
            _unbound_bindings(directory)
            if spelling is None or organization is None
            else _bindings(spelling, organization, directory, global_options)
        )
        if not bindings:
            _tell_nothing_changed(form, "")
            return
        _confirm_bindings(bindings, directory, yes=yes)
        events = [
            Event(source=SOURCE, alias_added=AliasAdded(alias=each, organization_id=means))
            for each, means in bindings
        ]
        after, position = _record(client, events, global_options.command)
        lines = [
            f"Bound: {quote(each)} means {directory.label(means)}, also in what was recorded "
            "before."
            for each, means in bindings
        ]
        _tell(
            form,
            bindings[0][1],
            events[-1],
            position,
            [*lines, ALIAS_IS_FINAL],
            after,
            global_options,
        )


def _registered(
    typed: str, directory: CommandLineDirectory, global_options: GlobalOptions
) -> Organization:
    """A registered organization by id, name or alias. Raises ClickException."""
    organization_id = directory.find(typed)
    match = directory.get(organization_id) if organization_id is not None else None
    if match is not None and match.registered:
        return match
    near = directory.suggest(typed)
    hint = f" Did you mean {near}?" if near else ""
    raise click.ClickException(
        f"{quote(typed)} is not registered.{hint} To register it: "
        f"{global_options.command} organization add "
        f"{shlex.quote(organization_id or typed)} --name NAME"
    )


def _bindings(
    spelling: str, typed: str, directory: CommandLineDirectory, global_options: GlobalOptions
) -> list[tuple[str, str]]:
    """Pairs of alias and organization id to record, [] if all are bound. Raises ClickException."""
    means = directory.find(typed)
    if means is None:
        means = _registered(typed, directory, global_options).organization_id
    spelling = spelling.strip()
    aliases = directory.find_unregistered_spellings(spelling) or [spelling]
    bound = directory.aliases_of(means)
    aliases = [each for each in aliases if each != means and each not in bound]
    _require_free(aliases, means, directory)
    return [(each, means) for each in aliases]


def _unbound_bindings(directory: CommandLineDirectory) -> list[tuple[str, str]]:
    """Unbound ids with one meaning. The others are named on stderr, for a person to decide."""
    unbound = directory.find_unbound()
    for each in unbound:
        if len(each.registered_ids) > 1:
            labels = " or ".join(map(directory.label, each.registered_ids))
            click.echo(f"{quote(each.organization_id)} may be {labels}: bind it by id.", err=True)
    return [
        (each.organization_id, each.registered_ids[0])
        for each in unbound
        if len(each.registered_ids) == 1
    ]


def _require_free(
    spellings: Sequence[str], organization_id: str, directory: CommandLineDirectory
) -> None:
    """Raises ClickException where the core would set the fact aside."""
    for spelling in spellings:
        owner = directory.owner_of_alias(spelling)
        if owner is not None and owner != organization_id:
            raise click.ClickException(
                f"{quote(spelling)} is an alias of {directory.label(owner)} already, and stays "
                "so. Use another id or spelling."
            )
        existing = directory.get(spelling)
        if spelling != organization_id and existing is not None and existing.registered:
            raise click.ClickException(
                f"{quote(spelling)} is itself registered, so it cannot become an alias: exchanges "
                "of the two would have to be merged, which this version cannot do yet."
            )


def _confirm_spellings(
    organization_id: str, values: OrganizationValues, directory: CommandLineDirectory, *, yes: bool
) -> None:
    """Asks where the id or a name is spelled like another registered organization.

    Raises ClickException without a terminal, and Abort when the answer is no.
    """
    for spelling in (organization_id, values["name"], *values["aliases"]):
        if not spelling or yes:
            continue
        others = directory.find_all_registered(spelling) - {organization_id}
        if not others:
            continue
        labels = " and ".join(map(directory.label, sorted(others)))
        message = (
            f"{quote(spelling)} is spelled like {labels}: after this, people have to type ids."
        )
        if not sys.stdin.isatty():
            raise click.ClickException(f"{message} If that is meant, say --yes.")
        click.confirm(f"{message} Go on?", abort=True, err=True)


def _confirm_bindings(
    bindings: Sequence[tuple[str, str]], directory: CommandLineDirectory, *, yes: bool
) -> None:
    """Asks on a terminal, since an alias stays. Raises Abort when the answer is no."""
    if yes or not sys.stdin.isatty():
        return
    for spelling, means in bindings:
        click.echo(f"{quote(spelling)} will mean {directory.label(means)}.", err=True)
    aliases = format_count(len(bindings), "spelling")
    click.confirm(f"{ALIAS_IS_FINAL} Bind {aliases}?", abort=True, err=True)


def _record(
    client: Client, events: Sequence[Event], mutua: str
) -> tuple[CommandLineDirectory | None, str]:
    """Records facts; returns the organizations afterwards and the position of the last fact.

    The organizations are None, with a note on stderr, if answers do not show the facts yet. Raises
    ClickException when a fact was set aside. `mutua` is the command as typed, for the message.
    """
    position = ""
    for batch in client.record_in_batches(events):
        position = batch.position
    try:
        directory = CommandLineDirectory(client.list_organizations(min_position=position))
    except ClientError as error:
        click.echo(f"It is recorded; answers do not show it yet: {error.message}", err=True)
        return None, position
    for event in events:
        if not _applies(event, directory):
            raise click.ClickException(
                "somebody changed the roster at the same time, so the fact was set aside: "
                f"{mutua} quarantine list shows why."
            )
    return directory, position


def _applies(event: Event, directory: CommandLineDirectory) -> bool:
    """Whether answers show a fact; an alias of an unlisted organization counts as shown."""
    if event.HasField("alias_added"):
        fact = event.alias_added
        entry = directory.get(fact.organization_id)
        return entry is None or fact.alias in entry.aliases
    content = getattr(event, str(event.WhichOneof("fact"))).organization
    entry = directory.get(content.organization_id)
    return entry is not None and entry.registered


def _tell(
    form: str,
    organization_id: str,
    event: Event,
    position: str,
    lines: Sequence[str],
    after: CommandLineDirectory | None,
    global_options: GlobalOptions,
) -> None:
    if form == "json":
        document = {
            "organization_id": organization_id,
            "event_id": event.event_id,
            "position": position,
        }
        click.echo(to_json(document))
        return
    for line in lines:
        click.echo(line)
    if after is not None and (unbound := unbound_lines(after, global_options.command)):
        click.echo("Ids that were recorded before are not bound to the roster:", err=True)
        click.echo("\n".join(unbound), err=True)


def _tell_nothing_changed(form: str, organization_id: str) -> None:
    if form == "json":
        click.echo(to_json({"organization_id": organization_id}))
    else:
        click.echo("It is so already: nothing changed.")
