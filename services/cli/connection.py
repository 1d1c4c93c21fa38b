"""Where a command finds its server."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from mutua import Client, DirectoryLocation
from mutua.spelling import quote
from mutua.v1.query_service_pb2 import GetStatusResponse
from services.cli.messages import empty_programme_line
from services.cli.organization_names import CommandLineDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalOptions:
    """The global options. `command` is `mutua` with those of them that were typed."""

    data: Path
    server: str
    programme: str
    organization: str
    command: str


@contextmanager
def open_client(
    global_options: GlobalOptions, *, write: bool, purpose: str, takes_over: bool = True
) -> Iterator[Client]:
    """A client of the server given, else of the data directory.

    While no process serves the directory, this one opens it for `purpose`, to record if `write`;
    without `takes_over` not after another one served it. A client that writes records for the
    organization that --as means by id, name or alias.
    """

    def client_for(organization: str) -> Client:
        directory = None
        if not global_options.server:
            directory = DirectoryLocation(
                global_options.data,
                read_only=not write,
                purpose=purpose,
                open_directory=_open_directory,
                takes_over=takes_over,
            )
        return Client(
            global_options.server,
            directory=directory,
            programme=global_options.programme,
            organization=organization,
        )

    with ExitStack() as stack:
        client = stack.enter_context(client_for(global_options.organization))
        if write and global_options.organization:
            organization_id = _recorder_id(client, global_options.organization)
            if organization_id != global_options.organization:  # served by the first one, maybe
                client = stack.enter_context(client_for(organization_id))
        yield client


def _recorder_id(client: Client, typed: str) -> str:
    """The id of the organization on whose behalf facts are recorded, as typed where it is new."""
    directory = CommandLineDirectory(client.list_organizations())
    organization_id = directory.find(typed)
    if organization_id is None and (near := directory.suggest(typed)):
        click.echo(
            f"--as {quote(typed)} is no organization that is known: facts are recorded for it as "
            f"written. Did you mean {near}?",
            err=True,
        )
    return organization_id or typed


def _open_directory(
    directory: Path, *, read_only: bool, purpose: str
) -> AbstractContextManager[str]:
    # It imports databases, which a command that talks to a server must not wait for.
    from services.app.client_directory import serve_directory

    return serve_directory(directory, read_only=read_only, purpose=purpose)


def require_directory(global_options: GlobalOptions, command: str) -> None:
    """Raises UsageError when a server is named instead of the data directory that is needed."""
    if global_options.server and not is_typed("data"):
        raise click.UsageError(
            f"{command} works on a data directory, not through a server: run it where the data of "
            f"{global_options.server} is, with --data and without --server."
        )


def is_typed(option: str) -> bool:
    """Whether a global option is typed on the command line."""
    root = click.get_current_context().find_root()
    return root.get_parameter_source(option) is ParameterSource.COMMANDLINE


def warn_if_empty(global_options: GlobalOptions, status: GetStatusResponse) -> None:
    """Says on stderr that nothing was recorded in a programme, and which others there are."""
    if status.fact_count or status.lag_count:
        return
    others = []
    if not global_options.server:  # a server does not list its programmes
        from services.app.data_maintenance import list_programmes

        others = list_programmes(global_options.data)
    click.echo(empty_programme_line(global_options.programme, others), err=True)
