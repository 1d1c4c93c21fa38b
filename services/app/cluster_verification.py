"""Verification of a cluster, partition by partition."""

from contextlib import closing

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.store import PostgresStore
from services.projector.verification import VerifyProgress, VerifyReport, ignore_progress
from services.projector.verification import verify as compare


def verify(
    address: KafkaAddress, store_url: str, *, progress: VerifyProgress = ignore_progress
) -> VerifyReport:
    """Folds the log again and compares every table, up to the projected positions.

    Raises LogUnavailableError when Kafka or PostgreSQL do not answer, ForeignDataError when there
    are no read models of this version.
    """
    with (
        closing(KafkaTopic(address)) as log,
        closing(PostgresStore(store_url, read_only=True)) as store,
    ):
        reports = [
            compare(
                log.get_partition(number),
                store,
                partition_count=log.partition_count,
                progress=lambda what, *counts, number=number: progress(
                    f"{what} in partition {number}", *counts
                ),
            )
            for number in range(log.partition_count)
        ]
    return VerifyReport(
        sum(report.fact_count for report in reports),
        [
            f"partition {number}: {difference}"
            for number, report in enumerate(reports)
            for difference in report.differences
        ],
        sum(report.unprojected_count for report in reports),
        "; ".join(report.hold_reason for report in reports if report.hold_reason),
    )
