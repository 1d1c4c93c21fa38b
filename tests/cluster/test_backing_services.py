"""What the tests of the cluster stand on: each test has a topic and a database to itself."""

import asyncio

import asyncpg
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from tests.backing_services import execute
from tests.cluster.topics import PARTITIONS


class TestTopic:
    def test_new_topic_takes_records_in_every_partition(self, broker: str, topic: str) -> None:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer = KafkaConsumer(bootstrap_servers=broker)
        assert set(consumer.end_offsets(places).values()) == {0}
        producer = KafkaProducer(bootstrap_servers=broker, acks="all")
        for number in range(PARTITIONS):
            producer.send(topic, b"a record", partition=number).get(10)
        producer.close()
        assert set(consumer.end_offsets(places).values()) == {1}
        consumer.close()

    def test_mistyped_topic_is_not_created(self, broker: str, topic: str) -> None:
        consumer = KafkaConsumer(bootstrap_servers=broker)
        assert not consumer.partitions_for_topic(f"{topic}-mistyped")
        consumer.close()
        admin = KafkaAdminClient(bootstrap_servers=broker)
        assert f"{topic}-mistyped" not in admin.list_topics()
        admin.close()


class TestDatabase:
    def test_new_database_sorts_by_code_point(self, database: str) -> None:
        async def look() -> list[str]:
            await execute(
                database, "CREATE TABLE word AS SELECT unnest(ARRAY['a', 'B', 'é', 'f']) w"
            )
            connection = await asyncpg.connect(database)
            rows = await connection.fetch("SELECT w FROM word ORDER BY w")
            await connection.close()
            return [row["w"] for row in rows]

        assert asyncio.run(look()) == ["B", "a", "f", "é"]
