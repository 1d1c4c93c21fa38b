"""`topic`: a topic of Kafka that can be a log, and what of it is not projected."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from services.cli import cluster_options
from services.cli.exchange_commands import FORMAT_OPTION
from services.cli.output import Column, to_json, to_table

if TYPE_CHECKING:
    from services.adapters.kafka.admin import TopicDescription

_LOG_URL: Final = cluster_options.log_url_option(
    "The topic, and where its brokers are.", required=True
)
_SHOWN: Final = (
    "cleanup.policy",
    "max.message.bytes",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
)


@click.group()
def topic() -> None:
    """Make a topic of Kafka that can be a log, see whether one can, or release what is held of it.

    TLS and SASL are set by MUTUA_KAFKA_SECURITY_PROTOCOL, MUTUA_KAFKA_SASL_MECHANISM and so on,
    under the names of kafka-python.

    \b
    Example:
      mutua topic create --log-url kafka://127.0.0.1:9092/mutua
    """


@topic.command()
@_LOG_URL
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    default=64,
    show_default=True,
    help="Fixed for the life of the topic; a programme lies in one of them.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1, 9),
    help="Brokers that hold each partition; without it up to three, as many as there are.",
)
@FORMAT_OPTION
def create(log_url: str, partitions: int, replicas: int | None, form: str) -> None:
    """Make the topic, unless it is there, and check it. Exits 1 when it cannot be a log.

    \b
    Examples:
      mutua topic create --log-url kafka://127.0.0.1:9092/mutua
      mutua topic create --log-url kafka://a:9092,b:9092,c:9092/mutua --partitions 128 --replicas 3
    """
    from services.app import topics
    from services.settings import read_settings

    facts = topics.create(
        read_settings(log_url=log_url), partition_count=partitions, replica_count=replicas
    )
    _tell(facts, facts.find_problems(partition_count=partitions), form)


@topic.command()
@_LOG_URL
@FORMAT_OPTION
def check(log_url: str, form: str) -> None:
    """See whether the topic can be a log. Exits 1 when it cannot, and says what to change.

    MUTUA_PARTITIONS, when set, is how many partitions it must have.

    \b
    Examples:
      mutua topic check --log-url kafka://127.0.0.1:9092/mutua
      mutua topic check --format json
    """
    from services.app import topics
    from services.settings import read_settings

    settings = read_settings(log_url=log_url)
    facts = topics.describe(settings)
    _tell(facts, facts.find_problems(partition_count=settings.partitions), form)


@topic.command()
@click.argument("partitions", type=click.IntRange(min=0), nargs=-1, metavar="[PARTITION]...")
@cluster_options.store_url_option("Where the read models are.", required=True)
@FORMAT_OPTION
def release(partitions: tuple[int, ...], store_url: str, form: str) -> None:
    """Have projectors try again where they stand still at a record; without numbers, everywhere.

    A partition is held where a record needs a later version, or where projecting failed three
    times; mutua status says so. It goes on within seconds, or is held again for the same reason.

    \b
    Examples:
      mutua topic release
      mutua topic release 3 --store-url postgresql://127.0.0.1/mutua
    """
    from services.app import topics
    from services.settings import read_settings

    released = topics.release(read_settings(log_url="", store_url=store_url), partitions)
    if form == "json":
        click.echo(to_json({"released": [asdict(hold) for hold in released]}))
        return
    for hold in released:
        click.echo(
            f"Partition {hold.partition} goes on at offset {hold.offset:,}; it was held: "
            f"{hold.reason}."
        )
    for number in sorted(set(partitions) - {hold.partition for hold in released}):
        click.echo(f"Partition {number} is not held.")
    if not released and not partitions:
        click.echo("Nothing is held.")


def _tell(facts: "TopicDescription", problems: list[str], form: str) -> None:
    if form == "json":
        document = {
            "topic": facts.name,
            "log_id": facts.identity.log_id,
            "partition_count": facts.identity.partition_count,
            "leader_count": facts.leader_count,
            "replica_count": facts.replica_count,
            "settings": {name: facts.settings[name] for name in _SHOWN},
            "ok": not problems,
            "problems": problems,
        }
        click.echo(to_json(document))
    else:
        rows = [
            ("partitions", str(facts.identity.partition_count)),
            ("of these with a leader", str(facts.leader_count)),
            ("replicas", str(facts.replica_count)),
            *((name, facts.settings[name]) for name in _SHOWN),
            ("log", facts.identity.log_id),
        ]
        heading, value = (_part(number) for number in (0, 1))
        click.echo(to_table(rows, [Column("topic", heading), Column(facts.name, value)]))
        click.echo()
        for problem in problems or ["ok: it can be a log"]:
            click.echo(f"{facts.name}: {problem}" if problems else problem)
    sys.exit(1 if problems else 0)


def _part(number: int) -> Callable[[tuple[str, str]], str]:
    return lambda row: row[number]
