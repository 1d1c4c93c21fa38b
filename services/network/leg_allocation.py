"""What `ledger.allocation.legs` lays on the legs of exchanges, for all of them at once."""

from typing import NamedTuple

import numpy as np

from services.ledger.allocation import MILLION
from services.network.column_table import Flags, Ints


class LegGrid(NamedTuple):
    """Legs of exchanges, each a full grid of givers and receivers.

    A leg leads its giver when it is that giver's first leg in the exchange, and likewise its
    receiver. The other columns are of the `several`: legs that are not the only one. Places count
    from 0 in ascending order of ids.
    """

    leads_giver: Flags
    leads_receiver: Flags
    several: Ints
    giver_place: Ints
    giver_count: Ints
    receiver_place: Ints
    receiver_count: Ints


def make_leg_grid(exchange: Ints, giver: Ints, receiver: Ints, rank: Ints) -> LegGrid:
    """Of legs that stand by exchange, giver and receiver.

    `rank` has the place of each party's id among all of them.
    """
    is_first = _differs(exchange)
    leads_giver = is_first | _differs(giver)
    first = np.flatnonzero(is_first)
    size = np.diff(first, append=len(exchange))
    leads_receiver = giver == np.repeat(giver[first], size)
    several = np.flatnonzero(np.repeat(size > 1, size))
    size = size[size > 1]
    group = np.repeat(np.arange(len(size)), size)
    leads = leads_giver[several]
    givers = np.bincount(group[leads], minlength=len(size))
    receivers = size // np.maximum(givers, 1)
    giver_place = _places(group[leads], rank[giver[several[leads]]])
    leads_one = leads_receiver[several]
    receiver_place = _places(group[leads_one], rank[receiver[several[leads_one]]])
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
    """Millionths of the minutes of all givers, by leg; unknown ones are nothing."""
    amount = _millionths(minutes)
    own = _part(amount[legs.several], legs.giver_count, legs.giver_place)
    amount[legs.several] = _part(own, legs.receiver_count, legs.receiver_place)
    return amount


def allocate_per_receiver(minutes: Ints, legs: LegGrid) -> Ints:
    """Millionths of the minutes of each receiver, by leg; unknown ones are nothing."""
    amount = _millionths(minutes)
    amount[legs.several] = _part(amount[legs.several], legs.giver_count, legs.giver_place)
    return amount


def _differs(values: Ints) -> Flags:
    """Which values are not the one before."""
    differs = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=differs[1:])
    return differs


def _places(group: Ints, rank: Ints) -> Ints:
    """The place of each rank within its group; groups ascend."""
    span = int(rank.max(initial=0)) + 1
    place = np.empty(len(group), dtype=np.int64)
    place[np.argsort(group * span + rank)] = np.arange(len(group))
    return place - np.searchsorted(group, group)


def _millionths(minutes: Ints) -> Ints:
    return np.maximum(minutes, 0).astype(np.int64) * MILLION


def _part(amount: Ints, count: Ints, place: Ints) -> Ints:
    """An equal whole part; what is left over goes one each to the first."""
    share, left_over = np.divmod(amount, count)
    return share + (place < left_over)
