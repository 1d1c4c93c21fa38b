"""Checks and creates topics through Kafka's admin API."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from kafka import KafkaAdminClient, errors
from kafka.admin import ConfigResource, ConfigResourceType, MemberToRemove

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.client import open_client
from services.ledger.errors import LogUnavailableError, UnusableTopicError
from services.ledger.wording import format_count

MAX_RECORD_BYTES: Final = 1 << 20
"""Maximum size of a record with its key; the topic must accept records of this size."""
_TIMEOUT_MS: Final = 3_000
_LEAVE_MS: Final = 1_000
_REQUIRED: Final = {
    "cleanup.policy": "delete",
    "message.timestamp.type": "LogAppendTime",
    "retention.ms": "-1",
    "retention.bytes": "-1",
}
"""The broker never deletes or compacts records, and sets their times."""


class TopicIdentity(NamedTuple):
    """Which log a topic is: the 32 digits of its id, and how many partitions it has."""

    log_id: str
    partition_count: int

    def find_mismatch(self, partition_count: int | None) -> UnusableTopicError | None:
        """The problem if the partition count is not the required one; None accepts any number."""
        if partition_count in (None, self.partition_count):
            return None
        return UnusableTopicError(
            f"it has {format_count(self.partition_count, 'partition')}, not {partition_count}",
            remedy="set MUTUA_PARTITIONS to what it has, or replay into a new topic made by "
            f"mutua topic create --partitions {partition_count}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDescription:
    """A topic as the broker describes it."""

    name: str
    identity: TopicIdentity
    leader_count: int
    replica_count: int
    settings: Mapping[str, str]

    def find_problems(self, *, partition_count: int | None) -> list[UnusableTopicError]:
        """Lists why the topic cannot be a log.

        `partition_count` is the required number of partitions; None accepts any number.
        """
        problems = [
            UnusableTopicError(f"{name} is {self.settings.get(name)}", remedy=f"set it to {value}")
            for name, value in _REQUIRED.items()
            if self.settings.get(name) != value
        ]
        if mismatch := self.identity.find_mismatch(partition_count):
            problems.append(mismatch)
        if int(self.settings["max.message.bytes"]) < MAX_RECORD_BYTES:
            problems.append(
                UnusableTopicError(
                    f"max.message.bytes is {self.settings['max.message.bytes']}",
                    remedy=f"set it to {MAX_RECORD_BYTES} or more",
                )
            )
        in_sync = int(self.settings["min.insync.replicas"])
        if not self._min_in_sync <= in_sync <= self.replica_count:
            problems.append(
                UnusableTopicError(
                    f"min.insync.replicas is {in_sync} of "
                    f"{format_count(self.replica_count, 'replica')}",
                    remedy=f"set it to {self._min_in_sync}",
                )
            )
        return problems

    @property
    def _min_in_sync(self) -> int:
        return min_in_sync_replicas(self.replica_count)


class LogDirectory(NamedTuple):
    """A folder in which a broker stores logs; `free_bytes` is None if the broker is too old."""

    broker_id: int
    path: str
    free_bytes: int | None


def min_in_sync_replicas(replica_count: int) -> int:
    """Number of in-sync replicas an append needs, so that losing one broker loses no record."""
    return 2 if replica_count > 2 else 1


class KafkaAdmin:
    """An admin client for one topic, which connects on the first call. Not thread-safe.

    Every call raises LogUnavailableError if no broker answers within seconds.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._client: Any = None

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(errors.KafkaError):
                client.close()

    def read_identity(self) -> TopicIdentity:
        """Reads which log the topic is now. Raises UnusableTopicError if it does not exist."""
        with self._connect() as client:
            return _identity(self._topic(client))

    def leader_epochs(self) -> Mapping[int, int]:
        """The leader epoch of every partition; it grows whenever the leader changes.

        Raises UnusableTopicError if the topic does not exist.
        """
        with self._connect() as client:
            partitions = self._topic(client)["partitions"]
        return {row["partition_index"]: row["leader_epoch"] for row in partitions}

    def describe(self) -> TopicDescription:
        """Reads the topic and its settings. Raises UnusableTopicError if it does not exist."""
        name = self._address.topic
        with self._connect() as client:
            topic = self._topic(client)
            resource = ConfigResource(ConfigResourceType.TOPIC, name)
            configs = client.describe_configs([resource], config_filter="all")
        partitions = topic["partitions"]
        return TopicDescription(
            name=name,
            identity=_identity(topic),
            leader_count=sum(row["leader_id"] >= 0 for row in partitions),
            replica_count=min(len(row["replica_nodes"]) for row in partitions),
            settings={key: str(row["value"]) for key, row in configs["topic"][name].items()},
        )

    def create(self, *, partition_count: int, replica_count: int | None) -> None:
        """Creates the topic with the settings of a log, unless it exists.

        Without `replica_count` it has one replica on each broker, three at most.
        """
        with self._connect() as client, suppress(errors.TopicAlreadyExistsError):
            replicas = replica_count or min(3, len(client.describe_cluster()["brokers"]))
            client.create_topics(
                {
                    self._address.topic: {
                        "num_partitions": partition_count,
                        "replication_factor": replicas,
                        "configs": {
                            **_REQUIRED,
                            "max.message.bytes": str(2 * MAX_RECORD_BYTES),
                            "min.insync.replicas": str(min_in_sync_replicas(replicas)),
                        },
                    }
                },
                wait_for_metadata=True,
            )

    def describe_log_directories(self) -> list[LogDirectory]:
        """Lists the folders in which the brokers store the topic, with their free space."""
        with self._connect() as client:
            brokers = client.describe_log_dirs([self._address.topic])
        return [
            LogDirectory(broker["broker"], folder["log_dir"], free if free >= 0 else None)
            for broker in brokers
            for folder in broker["log_dirs"]
            for free in [folder.get("usable_bytes", -1)]
        ]

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        """Yields the client, and opens one if there is none.

        A client that failed is closed, because it would keep waiting for the missing answer.
        """
        with translate_errors(self._address):
            try:
                self._client = self._client or open_client(
                    KafkaAdminClient,
                    self._address,
                    bootstrap_timeout_ms=_TIMEOUT_MS,
                    request_timeout_ms=_TIMEOUT_MS,
                )
                yield self._client
            except errors.KafkaError:
                self.close()
                raise

    def _topic(self, client: Any) -> Mapping[str, Any]:
        name = self._address.topic
        [topic] = client.describe_topics([name])
        if topic["error_code"]:
            raise errors.for_code(topic["error_code"])(f"topic {name}")
        description: Mapping[str, Any] = topic
        return description


def _identity(topic: Mapping[str, Any]) -> TopicIdentity:
    return TopicIdentity(UUID(str(topic["topic_id"])).hex, len(topic["partitions"]))


def leave_group(address: KafkaAddress, group: str, instance: str) -> None:
    """Removes a static member from a consumer group, which aiokafka does not do.

    If no broker answers, other members take its partitions over after the session timeout.
    """
    with (
        suppress(errors.KafkaError),
        closing(open_client(KafkaAdminClient, address, bootstrap_timeout_ms=_LEAVE_MS)) as admin,
    ):
        admin.remove_group_members(group, [MemberToRemove(group_instance_id=instance)])


@contextmanager
def translate_errors(address: KafkaAddress) -> Iterator[None]:
    """Raises errors of kafka-python as ours, with a remedy."""
    try:
        yield
    except errors.UnknownTopicOrPartitionError:
        raise UnusableTopicError(
            f"topic {address.topic} is not there",
            remedy=f"make it with mutua topic create --log-url {address}",
        ) from None
    except (errors.SaslAuthenticationFailedError, errors.IllegalSaslStateError) as error:
        raise LogUnavailableError(
            f"Kafka at {','.join(address.servers)} refuses the credentials ({error})",
            remedy="set MUTUA_KAFKA_SASL_PLAIN_USERNAME and MUTUA_KAFKA_SASL_PLAIN_PASSWORD",
        ) from None
    except (errors.RequestTimedOutError, errors.KafkaTimeoutError) as error:
        raise LogUnavailableError(
            f"Kafka at {','.join(address.servers)} does not answer in time"
        ) from error
    except errors.KafkaError as error:
        detail = str(error) or type(error).__name__
        is_refusal = isinstance(error, errors.BrokerResponseError) and not error.retriable
        verb = "refuses this" if is_refusal else "does not answer"
        raise LogUnavailableError(
            f"Kafka at {','.join(address.servers)} {verb}: {detail}"
        ) from error
