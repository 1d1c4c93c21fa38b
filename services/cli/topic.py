"""`topic`: a topic of Kafka that can be a log, and what of it is not projected."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from services.cli.common_options import FORMAT_OPTION, setting_option
from services.cli.output import Column, to_json, to_table

if TYPE_CHECKING:
    from services.adapters.kafka.admin import TopicDescription
    from services.ledger.records import Hold

_LOG_URL: Final = setting_option("log_url", help="Topic and brokers.", required=True)
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
    """Manage the Kafka topic that is the log.

    Set TLS and SASL with MUTUA_KAFKA_SECURITY_PROTOCOL, MUTUA_KAFKA_SASL_MECHANISM and so on, after
    the parameters of kafka-python.

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
    help="Number of partitions, fixed for the life of the topic; a programme is stored in one.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1, 9),
    help="Replicas of each partition; default three, or fewer if there are fewer brokers.",
)
@FORMAT_OPTION
def create(log_url: str, partitions: int, replicas: int | None, form: str) -> None:
    """Create the topic and check it.

    An existing topic is only checked. Exits 1 if the topic cannot be a log.

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
    _tell(facts, partitions, form)


@topic.command()
@_LOG_URL
@FORMAT_OPTION
def check(log_url: str, form: str) -> None:
    """Check the topic's configuration.

    Exits 1 if the topic cannot be a log, and shows what to change. MUTUA_PARTITIONS, if set, is the
    required number of partitions.

    \b
    Examples:
      mutua topic check --log-url kafka://127.0.0.1:9092/mutua
      mutua topic check --format json
    """
    from services.app import topics
    from services.settings import read_settings

    settings = read_settings(log_url=log_url)
    facts = topics.describe(settings)
    _tell(facts, settings.partitions, form)


@topic.command()
@click.argument("partitions", type=click.IntRange(min=0), nargs=-1, metavar="[PARTITION]...")
@setting_option("store_url", help="Database with the read models.", required=True)
@FORMAT_OPTION
def release(partitions: tuple[int, ...], store_url: str, form: str) -> None:
    """Release held partitions.

    Without numbers, all held partitions are released. A partition is held at a record that needs a
    later version or failed three times; mutua status shows holds. Projectors retry within seconds.
    If the reason persists, they hold the partition again: a record that fails does so at its third
    failure from now, and the first two end its projector once more.

    \b
    Examples:
      mutua topic release
      mutua topic release 3 --store-url postgresql://127.0.0.1/mutua
    """
    from services.app import topics
    from services.settings import read_settings

    released = topics.release(read_settings(log_url="", store_url=store_url), partitions)
    if form == "json":
        click.echo(to_json({"released": [_to_object(hold) for hold in released]}))
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


def _to_object(hold: "Hold") -> dict[str, int | str]:
    return {
        "partition": hold.partition,
        "offset": hold.offset,
        "reason": hold.reason,
        "crash_count": hold.failure_count,
    }


def _tell(facts: "TopicDescription", partition_count: int | None, form: str) -> None:
    problems = [str(each) for each in facts.find_problems(partition_count=partition_count)]
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
