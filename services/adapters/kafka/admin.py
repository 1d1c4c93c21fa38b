"""What a topic is and must be to be a log, asked and made through Kafka's administration."""

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
"""What one record may take with its key, and so what the topic must let through."""
_TIMEOUT_MS: Final = 3_000
_LEAVE_MS: Final = 1_000
_REQUIRED: Final = {
    "cleanup.policy": "delete",
    "message.timestamp.type": "LogAppendTime",
    "retention.ms": "-1",
    "retention.bytes": "-1",
}
"""Nothing is ever deleted or compacted, and the broker tells the time."""


class TopicIdentity(NamedTuple):
    """Which log a topic is: the 32 digits of its id, and how many partitions it has."""

    log_id: str
    partition_count: int

    def describe_mismatch(self, partition_count: int | None) -> str:
        """Why it is not what is insisted on, with the remedy; None takes it as it is."""
        if partition_count in (None, self.partition_count):
            return ""
        return (
            f"it has {format_count(self.partition_count, 'partition')}, not {partition_count}: set "
            "MUTUA_PARTITIONS to what it has, or replay into a new topic made by "
            f"mutua topic create --partitions {partition_count}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDescription:
    """A topic as the broker describes it."""

    name: str
    identity: TopicIdentity
    leader_count: int
    replica_count: int
    settings: Mapping[str, str]

    def find_problems(self, *, partition_count: int | None) -> list[str]:
        """Why it cannot be a log, one sentence each with its remedy; [] when it can.

        `partition_count` is what it must have; None takes it as it is.
        """
        found = [
            f"{name} is {self.settings.get(name)}; set it to {value}"
            for name, value in _REQUIRED.items()
            if self.settings.get(name) != value
        ]
        if unfit := self.identity.describe_mismatch(partition_count):
            found.append(unfit)
        if int(self.settings["max.message.bytes"]) < MAX_RECORD_BYTES:
            found.append(
                f"max.message.bytes is {self.settings['max.message.bytes']}; "
                f"set it to {MAX_RECORD_BYTES} or more"
            )
        in_sync = int(self.settings["min.insync.replicas"])
        if not self._fewest_in_sync <= in_sync <= self.replica_count:
            found.append(
                f"min.insync.replicas is {in_sync} of "
                f"{format_count(self.replica_count, 'replica')}; "
                f"set it to {self._fewest_in_sync}"
            )
        return found

    @property
    def _fewest_in_sync(self) -> int:
        return min_in_sync_replicas(self.replica_count)


class LogDirectory(NamedTuple):
    """A folder of a broker; `free_bytes` is None where an old one does not tell."""

    broker_id: int
    path: str
    free_bytes: int | None


def min_in_sync_replicas(replica_count: int) -> int:
    """How many replicas must hold what is acknowledged, so that losing one loses nothing."""
    return 2 if replica_count > 2 else 1


class KafkaAdmin:
    """Asks one broker at a time, on the caller's thread. For one thread.

    Every call raises LogUnavailableError when no broker answers within seconds.
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
        """Which log the topic is by now. Raises UnusableTopicError when it is not there."""
        with self._asked() as client:
            return _identity(self._topic(client))

    def leader_epochs(self) -> Mapping[int, int]:
        """A number for each partition, which grows with each change of its leader.

        Raises UnusableTopicError when the topic is not there.
        """
        with self._asked() as client:
            found = self._topic(client)
        return {each["partition_index"]: each["leader_epoch"] for each in found["partitions"]}

    def describe(self) -> TopicDescription:
        """Raises UnusableTopicError when the topic is not there."""
        name = self._address.topic
        with self._asked() as client:
            found = self._topic(client)
            resource = ConfigResource(ConfigResourceType.TOPIC, name)
            told = client.describe_configs([resource], config_filter="all")
        partitions = found["partitions"]
        return TopicDescription(
            name=name,
            identity=_identity(found),
            leader_count=sum(each["leader_id"] >= 0 for each in partitions),
            replica_count=min(len(each["replica_nodes"]) for each in partitions),
            settings={key: str(each["value"]) for key, each in told["topic"][name].items()},
        )

    def create(self, *, partition_count: int, replica_count: int | None) -> None:
        """Makes the topic as a log must be, unless it is there; without a number of replicas on up
        to three brokers.
        """
        with self._asked() as client, suppress(errors.TopicAlreadyExistsError):
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
        """Where the brokers keep their data."""
        with self._asked() as client:
            told = client.describe_log_dirs([self._address.topic])
        return [
            LogDirectory(each["broker"], found["log_dir"], free if free >= 0 else None)
            for each in told
            for found in each["log_dirs"]
            for free in [found.get("usable_bytes", -1)]
        ]

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        """The client for the time of the block, opened where there is none.

        One that failed is given up: it would go on waiting for what was not answered.
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
        [found] = client.describe_topics([name])
        if found["error_code"]:
            raise errors.for_code(found["error_code"])(f"topic {name}")
        topic: Mapping[str, Any] = found
        return topic


def _identity(topic: Mapping[str, Any]) -> TopicIdentity:
    return TopicIdentity(UUID(str(topic["topic_id"])).hex, len(topic["partitions"]))


def leave_group(address: KafkaAddress, group: str, instance: str) -> None:
    """Tells a consumer group that a static member is gone, which aiokafka does not.

    When nobody listens its partitions are taken over after the session timeout.
    """
    with (
        suppress(errors.KafkaError),
        closing(open_client(KafkaAdminClient, address, bootstrap_timeout_ms=_LEAVE_MS)) as admin,
    ):
        admin.remove_group_members(group, [MemberToRemove(group_instance_id=instance)])


@contextmanager
def translate_errors(address: KafkaAddress) -> Iterator[None]:
    """Turns errors of kafka-python into ours, with what to do about them."""
    try:
        yield
    except errors.UnknownTopicOrPartitionError:
        raise UnusableTopicError(
            f"topic {address.topic} is not there; "
            f"make it with mutua topic create --log-url {address}"
        ) from None
    except (errors.SaslAuthenticationFailedError, errors.IllegalSaslStateError) as error:
        raise LogUnavailableError(
            f"Kafka at {','.join(address.servers)} refuses the credentials ({error}); "
            "set MUTUA_KAFKA_SASL_PLAIN_USERNAME and MUTUA_KAFKA_SASL_PLAIN_PASSWORD"
        ) from None
    except (errors.RequestTimedOutError, errors.KafkaTimeoutError) as error:
        raise LogUnavailableError(
            f"Kafka at {','.join(address.servers)} does not answer in time"
        ) from error
    except errors.KafkaError as error:
        what = str(error) or type(error).__name__
        is_refusal = isinstance(error, errors.BrokerResponseError) and not error.retriable
        verb = "refuses this" if is_refusal else "does not answer"
        raise LogUnavailableError(f"Kafka at {','.join(address.servers)} {verb}: {what}") from error
