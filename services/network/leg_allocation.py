"""Allocation of amounts to legs, for all exchanges at once; see `ledger.allocation`."""

from typing import NamedTuple

import numpy as np

from services.ledger.allocation import MILLION
from services.network.column_table import Flags, Ints, find_changes


class LegGrid(NamedTuple):
    """Legs of exchanges; each exchange is a full grid of givers and receivers.

    A leg leads its giver when it is that giver's first leg in the exchange, and likewise its
    receiver. `several` has the rows of legs that are not alone in their exchange; the columns
    after it have one item for each of these. Places count from 0, ascending by id.
    """

    leads_giver: Flags
    leads_receiver: Flags
    several: Ints
    giver_place: Ints
    giver_count: Ints
    receiver_place: Ints
    receiver_count: Ints


def make_leg_grid(exchange: Ints, giver: Ints, receiver: Ints, rank: Ints) -> LegGrid:
    """Returns the grid of legs that ascend by exchange, giver and receiver.

    `rank` has the place of each party's id among all ids, ascending.
    """
    is_first = find_changes(exchange)
    leads_giver = is_first | find_changes(giver)
    first = np.flatnonzero(is_first)
    size = np.diff(first, append=len(exchange))
    leads_receiver = giver == np.repeat(giver[first], size)
    several = np.flatnonzero(np.repeat(size > 1, size))
    size = size[size > 1]
    group = np.repeat(np.arange(len(size)), size)
    leads = leads_giver[several]
    givers = np.bincount(group[leads], minlength=len(size))
    receivers = size // np.maximum(givers, 1)
    giver_place = _rank_in_group(group[leads], rank[giver[several[leads]]])
    leads_one = leads_receiver[several]
    receiver_place = _rank_in_group(group[leads_one], rank[receiver[several[leads_one]]])
    ordinal = np.arange(len(several)) - np.repeat(np.cumsum(size) - size, size)
    receiver_count = receivers[group]
    row_of_receivers = (np.cumsum(receivers) - receivers)[group] + ordinal % receiver_count
    return LegGrid(
        leads_giver,
        leads_receiver,
        several,
        giver_place=giver_place[np.cumsum(leads) - 1],
        giver_count=givers[group],
        receiver_place=receiver_place[row_of_receivers],
        receiver_count=receiver_count,
    )


def allocate_burden(minutes: Ints, legs: LegGrid) -> Ints:
    """Returns each leg's share of the giver minutes in millionths, 0 where unknown."""
    amount = to_millionths(minutes)
    own = _take_part(amount[legs.several], legs.giver_count, legs.giver_place)
    amount[legs.several] = _take_part(own, legs.receiver_count, legs.receiver_place)
    return amount


def allocate_per_receiver(minutes: Ints, legs: LegGrid) -> Ints:
    """Returns each leg's share of minutes per receiver in millionths, 0 where unknown."""
    amount = to_millionths(minutes)
    amount[legs.several] = _take_part(amount[legs.several], legs.giver_count, legs.giver_place)
    return amount


def _rank_in_group(group: Ints, rank: Ints) -> Ints:
    """Returns the place of each rank within its group; groups ascend."""
    span = int(rank.max(initial=0)) + 1
    place = np.empty(len(group), dtype=np.int64)
    place[np.argsort(group * span + rank)] = np.arange(len(group))
    return place - np.searchsorted(group, group)


def to_millionths(minutes: Ints) -> Ints:
    """Returns whole minutes in millionths, 0 where unknown (negative)."""
    return np.maximum(minutes, 0).astype(np.int64) * MILLION


def _take_part(amount: Ints, count: Ints, place: Ints) -> Ints:
    """Returns equal whole parts; the first places get 1 more until the remainder is used up."""
    share, left_over = np.divmod(amount, count)
    return share + (place < left_over)
