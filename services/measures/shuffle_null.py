"""The shuffle yardstick: weighted reciprocity when givers keep their exchanges.

Exchanges come in bursts, so the unit is a block: what one organization gave another one on one day.
Every draw permutes the receivers of the blocks, never to the giver itself.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from services.measures.flow_graph import Floats, Ints

DRAW_COUNT: Final = 200
_BATCH_BLOCKS: Final = 1 << 20
"""Blocks shuffled at a time, so that memory does not grow with the number of draws."""


class Blocks(NamedTuple):
    """What one organization gave another on one day; `weight` is the amount."""

    giver: Ints
    receiver: Ints
    weight: Ints


def compute_shuffle_null(
    blocks: Blocks, size: int, *, seed: int = 0, draw_count: int = DRAW_COUNT
) -> Floats | None:
    """The weighted reciprocity of each draw; None where blocks cannot be permuted.

    That is so without flow, and where one organization has a part in more than half of the blocks
    as giver or receiver in such a way that it would have to give to itself.
    """
    if not len(blocks.giver) or not int(blocks.weight.sum()) or not _can_shuffle(blocks, size):
        return None
    rng, block_count = np.random.default_rng(seed), len(blocks.giver)
    batch = max(1, min(draw_count, _BATCH_BLOCKS // block_count))
    batches = [min(batch, draw_count - done) for done in range(0, draw_count, batch)]
    return np.concatenate([_draw(blocks, size, rng, count) for count in batches])


def _can_shuffle(blocks: Blocks, size: int) -> bool:
    """Whether every organization's blocks find receivers other than itself."""
    gives = np.bincount(blocks.giver, minlength=size)
    receives = np.bincount(blocks.receiver, minlength=size)
    return bool((gives + receives <= len(blocks.giver)).all())


def _draw(blocks: Blocks, size: int, rng: np.random.Generator, draw_count: int) -> Floats:
    """The weighted reciprocity of some draws.

    The organizations of draw k have the rows k * size and on of one matrix.
    """
    receiver = _shuffle(blocks.giver, blocks.receiver, rng, draw_count).ravel()
    giver, weight = np.tile(blocks.giver, draw_count), np.tile(blocks.weight, draw_count) * 1.0
    first_row = np.repeat(np.arange(draw_count) * size, len(blocks.giver))
    shape = (draw_count * size, size)
    given = csr_array((weight, (first_row + giver, receiver)), shape=shape)
    received = csr_array((weight, (first_row + receiver, giver)), shape=shape)
    returned = given.minimum(received).sum(axis=1).reshape(draw_count, size).sum(axis=1)
    return np.asarray(returned / blocks.weight.sum())


def _shuffle(giver: Ints, receiver: Ints, rng: np.random.Generator, draw_count: int) -> Ints:
    """Permuted receivers, one row for each draw.

    Blocks to oneself are swapped with random blocks of their draw until none is left.
    """
    block_count = len(giver)
    rows = rng.permuted(np.tile(receiver, (draw_count, 1)), axis=1)
    shuffled, givers = rows.reshape(-1), np.tile(giver, draw_count)
    own = np.flatnonzero(shuffled == givers)
    while len(own):
        other = own - own % block_count + rng.integers(block_count, size=len(own))
        swaps = np.stack([own, other], axis=1)
        # Swaps that share a block would undo each other, so only the first of these is made.
        is_first = np.zeros(swaps.size, dtype=np.bool_)
        is_first[np.unique(swaps.ravel(), return_index=True)[1]] = True
        one, another = swaps[is_first.reshape(swaps.shape).all(axis=1)].T
        shuffled[one], shuffled[another] = shuffled[another], shuffled[one]
        own = np.flatnonzero(shuffled == givers)
    return rows
