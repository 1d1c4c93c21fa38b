"""Topics as the tests need them."""

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

PARTITIONS = 4


def create_topic(broker: str, name: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    made = NewTopic(name, PARTITIONS, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})
    admin.create_topics([made])
    admin.close()
