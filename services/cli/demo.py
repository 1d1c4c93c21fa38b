"""`demo`: the main job once through, on a generated programme."""

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import click

from mutua import Client
from mutua.location import find_running_server
from mutua.v1.query_service_pb2 import LENS_COUNT, Pair, Question
from services.cli.connection import GlobalOptions, is_typed
from services.cli.dates import to_date
from services.cli.messages import (
    NEITHER_IS_BETTER,
    coverage_lines,
    isolate_lines,
    warning_lines,
)
from services.cli.organization_names import CommandLineDirectory
from services.cli.output import show_progress, to_table
from services.cli.tables import balance_columns, pair_columns
from services.demo import CLIENT
from services.ledger.wording import format_count

# Only a directory with this file in it is ever removed.
MARKER_FILE: Final = ".made-by-mutua-demo"
BALANCE_ROWS: Final = 12
PAIR_ROWS: Final = 8
MIN_CONTACT_DAYS: Final = 6
_READ_AT_ONCE: Final = 1_000
# At a large scale the answers wait until everything is projected.
DEADLINE_SECONDS: Final = 600.0


@click.command()
@click.option(
    "--dir",
    "data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".demo"),
    show_default=True,
    help="Data directory to create again.",
)
@click.option(
    "--scale",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Factor of size.",
)
@click.option("--seed", type=int, default=2021, show_default=True, help="Random seed.")
@click.option(
    "--yes",
    "is_sure",
    is_flag=True,
    help="Do not ask before deleting facts.",
)
@click.pass_obj
def demo(
    global_options: GlobalOptions, data: Path, scale: int, seed: int, *, is_sure: bool
) -> None:
    """Record a generated programme and show it.

    Each run creates its data directory again. If it holds facts that the demo did not generate, the
    command asks before it deletes them.

    \b
    Examples:
      mutua demo
      mutua demo --dir ./large-demo --scale 20
    """
    from services.app.bootstrap import serve_embedded

    _require_own_directory(global_options)
    _make_anew(data, is_sure=is_sure)
    with ExitStack() as stack:
        running = stack.enter_context(serve_embedded(data, write=True, purpose="mutua demo"))
        position = _record(running.address, global_options.programme, scale=scale, seed=seed)
        client = stack.enter_context(
            Client(
                running.address,
                programme=global_options.programme,
                deadline_seconds=DEADLINE_SECONDS,
            )
        )
        for line in _summary_lines(client, position, data):
            click.echo(line)


def _require_own_directory(global_options: GlobalOptions) -> None:
    """Raises UsageError where another place was named, which the demo would leave alone."""
    if global_options.server:
        raise click.UsageError(
            "mutua demo records in a data directory of its own, not through a server: leave out "
            f"--server {global_options.server}, or unset MUTUA_SERVER where it comes from there."
        )
    if is_typed("data"):
        raise click.UsageError(
            "mutua demo makes a data directory of its own: name it with --dir, behind demo, and "
            f"leave out --data {global_options.data}."
        )


def _make_anew(data: Path, *, is_sure: bool) -> None:
    if data.exists() and any(data.iterdir()):
        if not (data / MARKER_FILE).is_file():
            raise click.ClickException(
                f"{data} was not made by `mutua demo` and is left alone: name another --dir."
            )
        if address := find_running_server(data):
            raise click.ClickException(f"a server at {address} uses {data}: stop it first.")
        if not is_sure:
            _require_yes(data)
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    (data / MARKER_FILE).touch()


def _require_yes(data: Path) -> None:
    """Raises ClickException unless the directory has generated facts only, or somebody says yes."""
    if not (count := _count_facts_of_others(data)):
        return
    others = f"{format_count(count, 'fact')} that the demo did not generate"
    if not sys.stdin.isatty():
        raise click.ClickException(
            f"{data} has {others}, and a new demo would delete what is there: name another "
            "directory with --dir, or say --yes to delete it."
        )
    if not click.confirm(f"{data} has {others}. Delete everything in it?", err=True):
        raise click.ClickException(f"{data} was left as it is.")


def _count_facts_of_others(data: Path) -> int:
    """Facts on the log of a data directory that the demo did not generate."""
    from services.adapters.sqlite.data_directory import DataDirectory
    from services.adapters.sqlite.log import SqliteLog
    from services.adapters.wire.event import read_client

    directory, count, next_offset = DataDirectory(data), 0, 0
    if not directory.log_path.exists():
        return 0
    with closing(SqliteLog(directory.log_path, read_only=True)) as log:
        while records := log.read(next_offset, _READ_AT_ONCE):
            count += sum(read_client(record.value) != CLIENT for record in records)
            next_offset = records[-1].offset + 1
    return count


def _record(address: str, programme: str, *, scale: int, seed: int) -> str:
    """Records the programme as its organizations would; returns the position after it."""
    from services.demo.programme import generate

    position, recorded_count = "", 0
    with ExitStack() as stack:
        clients: dict[str, Client] = {}
        for recording in generate(seed=seed, scale=scale, programme=programme):
            client = clients.get(recording.organization)
            if client is None:
                client = stack.enter_context(
                    Client(address, programme=programme, organization=recording.organization)
                )
                clients[recording.organization] = client
            position = client.record(recording.events)
            recorded_count += len(recording.events)
            show_progress(f"{format_count(recorded_count, 'fact')} recorded", is_last=False)
    show_progress(f"{format_count(recorded_count, 'fact')} recorded", is_last=True)
    return position


def _summary_lines(client: Client, position: str, data: Path) -> Iterator[str]:
    """The same at each run but for the last line, which names this run's log."""
    from services.demo.programme import AS_OF

    client.get_status(min_position=position)
    question = Question(as_of_date=to_date(AS_OF))
    organizations = list(client.list_organizations(question))
    directory = CommandLineDirectory(organizations)
    pages = client.list_balances(question)
    balances = sorted(pages, key=lambda row: (-row.exchange_count, row.organization_id))
    exchanges = format_count(pages.coverage.exchange_count, "exchange")
    yield (
        f"A generated programme: {format_count(len(organizations), 'organization')} with fictional "
        f"names, {pages.coverage.roster_count:,} of them in scope, and {exchanges},"
    )
    yield "shaped by a study of knowledge networking between hospitals (JMIR 2021;23(8):e23372)."
    yield f"Recorded through the gRPC service into {data}, asked as of {AS_OF}."
    yield f"\nThe {BALANCE_ROWS} organizations with most exchanges:\n"
    columns = balance_columns(pages.question, directory, pages.warnings)
    yield to_table(balances[:BALANCE_ROWS], columns)
    yield f"\n{NEITHER_IS_BETTER}"
    yield from coverage_lines(pages.coverage)
    yield from warning_lines(pages.warnings, coverage=pages.coverage)
    yield f"\nThe most one-sided pairs with {MIN_CONTACT_DAYS} days of contact or more:\n"
    one_sided = _one_sided(client.list_pairs(question))[:PAIR_ROWS]
    yield to_table(one_sided, pair_columns(LENS_COUNT, directory))
    yield ""
    yield from isolate_lines(
        [directory.label(row.organization_id) for row in balances if row.isolate]
    )
    yield ""
    yield from _next_steps(data)
    yield f"\nPosition {position}"


def _one_sided(pairs: Iterable[Pair]) -> list[Pair]:
    """Pairs with enough contact to say so, the largest difference of contact days first."""
    return sorted(
        (pair for pair in pairs if pair.given_days + pair.received_days >= MIN_CONTACT_DAYS),
        key=lambda pair: (
            -abs(pair.given_days - pair.received_days),
            pair.giver_id,
            pair.receiver_id,
        ),
    )


def _next_steps(data: Path) -> Iterator[str]:
    mutua = "mutua" if shutil.which("mutua") else ".venv/bin/mutua"
    yield "What to type next:"
    for words in (
        "balances --lens burden",
        "pairs --from 2019-01 --to 2020-01",
        "log --from Thornwick --to Millbury --kind call --minutes 45",
        "up",
    ):
        yield f"  {mutua} --data {data} {words}"
