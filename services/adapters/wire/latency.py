"""Reciprocation time on the wire."""

from mutua.v1 import analysis_service_pb2 as pb
from services.adapters.wire.values import from_day, from_instant
from services.measures.reciprocation_time import HORIZONS, METRIC_VERSION, ReciprocationTime
from services.network.latency import LatencyRow


def from_latency(row: LatencyRow) -> pb.Latency:
    message = pb.Latency(
        pair_count=row.pair_count,
        turn_count=row.turn_count,
        answered_count=row.answered_count,
        censored_count=row.censored_count,
        reasons=row.reasons,
        metric_version=METRIC_VERSION,
    )
    if row.span is not None:
        message.from_date.CopyFrom(from_day(row.span.first))
        message.to_date.CopyFrom(from_day(row.span.end))
    if row.end is not None:
        message.observation_end_time.CopyFrom(from_instant(row.end))
    if row.time is not None:
        message.MergeFrom(_from_estimates(row.time))
    return message


def _from_estimates(time: ReciprocationTime) -> pb.Latency:
    low, high = time.median_interval
    message = pb.Latency(median_days=time.survival.median, median_low=low, median_high=high)
    for days, share, interval in zip(
        HORIZONS, time.survival.unanswered, time.unanswered_intervals, strict=True
    ):
        low, high = interval or (None, None)
        message.horizons.add(days=days, unanswered_share=share, low=low, high=high)
    return message
