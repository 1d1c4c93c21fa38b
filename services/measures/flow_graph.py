"""The graph that measures read: what each organization gave each other one."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class FlowGraph:
    """Directed ties between the organizations 0 to `size` - 1, each ordered pair at most once.

    `weight` holds whole amounts (exchanges, or millionths of a minute) and may be 0: a tie exists
    where an exchange exists, whatever it weighs. No tie leads from an organization to itself.
    """

    size: int
    giver: Ints
    receiver: Ints
    weight: Ints

    @classmethod
    def of(cls, size: int, ties: dict[tuple[int, int], int]) -> "FlowGraph":
        """A graph of these weights by giver and receiver."""
        ends = np.array(sorted(ties), dtype=np.int64).reshape(-1, 2)
        weights = np.array([ties[tie] for tie in sorted(ties)], dtype=np.int64)
        return cls(size, ends[:, 0], ends[:, 1], weights)

    @cached_property
    def total(self) -> int:
        """W, the whole flow."""
        return int(self.weight.sum())

    @cached_property
    def given(self) -> Ints:
        """What each organization gave."""
        return self._sum_by(self.giver)

    @cached_property
    def received(self) -> Ints:
        """What each organization received."""
        return self._sum_by(self.receiver)

    @cached_property
    def pairs(self) -> "PairFlows":
        """Unordered pairs with a tie, by lower and higher number."""
        low, high = np.minimum(self.giver, self.receiver), np.maximum(self.giver, self.receiver)
        keys, pair = np.unique(low * self.size + high, return_inverse=True)
        flows = np.zeros((2, len(keys)), dtype=np.int64)
        ties = np.zeros((2, len(keys)), dtype=np.bool_)
        is_back = (self.giver > self.receiver).astype(np.int64)
        flows[is_back, pair] = self.weight
        ties[is_back, pair] = True
        return PairFlows(keys // self.size, keys % self.size, *flows, *ties)

    @cached_property
    def net(self) -> "FlowGraph":
        """What remains of each pair when the smaller flow is taken from the larger one."""
        pairs = self.pairs
        uneven = np.flatnonzero(pairs.net)
        is_forth = pairs.net[uneven] > 0
        low, high = pairs.low[uneven], pairs.high[uneven]
        return FlowGraph(
            self.size,
            np.where(is_forth, low, high),
            np.where(is_forth, high, low),
            abs(pairs.net[uneven]),
        )

    def transpose(self) -> "FlowGraph":
        """The graph in which giver and receiver of every tie are exchanged."""
        return FlowGraph(self.size, self.receiver, self.giver, self.weight)

    def _sum_by(self, end: Ints) -> Ints:
        sums = np.zeros(self.size, dtype=np.int64)
        np.add.at(sums, end, self.weight)
        return sums


@dataclass(frozen=True)
class PairFlows:
    """Flows of unordered pairs: `forth` from `low` to `high`, `back` the other way."""

    low: Ints
    high: Ints
    forth: Ints
    back: Ints
    has_forth: Flags
    has_back: Flags

    @cached_property
    def is_mutual(self) -> Flags:
        """Which pairs have ties in both directions."""
        return self.has_forth & self.has_back

    @cached_property
    def smaller(self) -> Ints:
        """The smaller of the two flows."""
        return np.minimum(self.forth, self.back)

    @cached_property
    def total(self) -> Ints:
        """Both flows together."""
        return self.forth + self.back

    @cached_property
    def net(self) -> Ints:
        """What `low` gave more than it received; negative where `high` did."""
        return self.forth - self.back
