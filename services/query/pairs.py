"""What each two organizations gave each other."""

from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_pair, pair_fields
from services.network.pairs import pairs
from services.query.answering import Asked
from services.query.order import Order

BY_IDS: Final = Order(pb.Pair.DESCRIPTOR, ("giver_id", "receiver_id"), from_pair)


def list_pairs(asked: Asked) -> pb.ListPairsResponse:
    listing = asked.listed(pairs, BY_IDS, asked.page.after)
    page = pb.ListPairsResponse(**listing.rest)
    return asked.fill(page, listing.rows, pair_fields, listing.key)
