"""One-sided pairs and topics on the wire."""

from typing import Final

from mutua.v1 import analysis_service_pb2 as pb
from services.adapters.wire.answer import pair_fields
from services.ledger.question import Pair, to_units
from services.network.asymmetry import METRIC_VERSION, PairPayback, TopicAsymmetry

TOO_FEW_DAYS: Final = "TOO_FEW_DAYS"
NO_DIFFERENCE: Final = "NO_DIFFERENCE"


def from_asymmetry(pair: Pair, payback: PairPayback | None = None) -> pb.PairAsymmetry:
    message = pb.PairAsymmetry(
        **pair_fields(pair), contact_days=pair.contact_days, metric_version=METRIC_VERSION
    )
    if pair.p_value is None:
        message.reasons.append(TOO_FEW_DAYS)
    if pair.given == pair.received:
        message.reasons.append(NO_DIFFERENCE)
    if payback is not None:
        message.paid_back.amount = to_units(payback.amount)
        message.paid_back.path_ids.extend(payback.path)
    return message


def from_topic_asymmetry(row: TopicAsymmetry) -> pb.TopicAsymmetry:
    return pb.TopicAsymmetry(
        topic=row.topic,
        exchange_count=row.exchange_count,
        unknown_count=row.unknown_count,
        total=to_units(row.total),
        pair_count=row.pair_count,
        one_way_pair_count=row.one_way_pair_count,
        one_sided_share=row.one_sided_share,
        reasons=row.reasons,
        metric_version=METRIC_VERSION,
    )
