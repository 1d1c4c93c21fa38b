"""What each two organizations gave each other."""

from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_pair, pair_fields
from services.network.pairs import compute_pairs
from services.query.executor import QueryContext
from services.query.row_order import RowOrder

BY_IDS: Final = RowOrder(pb.Pair.DESCRIPTOR, ("giver_id", "receiver_id"), from_pair)


def list_pairs(asked: QueryContext) -> pb.ListPairsResponse:
    listing = asked.list_page(compute_pairs, BY_IDS, asked.page.after_key)
    page = pb.ListPairsResponse(**listing.response_fields)
    return asked.fill_page(page, listing.rows, pair_fields, listing.parse_key)
