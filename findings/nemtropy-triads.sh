#!/bin/sh
# NEMtropy's z-scores of triads divide by a standard deviation that is too small.
#
# Versions: NEMtropy 4.0.0, numpy 2.4.6 (as of November 2026).
# Run: std_dcm_3motif_1 to _13, by which zscore_3motifs divides, for four organizations that give
#   to every other one with probability 0.3; and exactly, over all 4,096 networks. Then the cycle
#   A -> B -> C -> A (motif 9) in a network of 20, against 4,000 networks drawn from the same model.
# Expected: "the standard deviation of the number of 3-nodes motifs". expected_dcm_3motif, the other half of
#   the z-score, is exact.
# Seen: it is the deviation of the count's linear approximation, which the documentation does not say. Ties
#   are independent in the model, so that every further term adds to the variance and the true one is
#   never smaller. For four organizations it is 2.4 to 15 times as large. For cycles in the network of 20
#   it is more than twice as large, so that every z-score is more than double. The z-scores of dyads
#   (zscore_2motifs) are exact.
# Bites: "mutual triads and cycles are far above chance". The smaller and sparser the network, the more is
#   significant that is not. Draw networks from the solved model and count.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check NEMtropy==4.0.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from itertools import product

import numpy as np
from NEMtropy import DirectedGraph, ensemble_functions, network_functions

pairs = [(i, j) for i, j in product(range(4), repeat=2) if i != j]
networks = []
for ties in product((0.0, 1.0), repeat=len(pairs)):
    network = np.zeros((4, 4))
    network[tuple(zip(*pairs, strict=True))] = ties
    networks.append(network)
chance = np.array([0.3 ** each.sum() * 0.7 ** (12 - each.sum()) for each in networks])
assert np.isclose(chance.sum(), 1)
solution = np.full(8, np.sqrt(0.3 / 0.7))  # x y / (1 + x y) = 0.3
ratios = []
for number in range(1, 14):
    count = getattr(network_functions, f"count_3motif_{number}_ndarray")
    counts = np.array([count(each) for each in networks])
    mean = chance @ counts
    exact = np.sqrt(chance @ (counts - mean) ** 2)
    assert np.isclose(getattr(ensemble_functions, f"expected_dcm_3motif_{number}")(solution), mean)
    ratios.append(exact / getattr(ensemble_functions, f"std_dcm_3motif_{number}")(solution))
print("exact deviation / NEMtropy's, motifs 1 to 13:", np.round(ratios, 1))
assert 2.3 < min(ratios) < 2.5 and 15 < max(ratios) < 16

generator = np.random.default_rng(2026)
given = (generator.random((20, 20)) < 0.15).astype(int)
np.fill_diagonal(given, 0)
graph = DirectedGraph(adjacency=given)
graph.solve_tool(model="dcm_exp", method="newton")
assert graph.error < 1e-6
odds = np.outer(graph.x, graph.y)
probability = odds / (1 + odds) * (1 - np.eye(20))
count = network_functions.count_3motif_9_ndarray
drawn = [count((generator.random((20, 20)) < probability) * 1.0) for _ in range(4000)]
own = ensemble_functions.std_dcm_3motif_9(np.concatenate((graph.x, graph.y)))
assert np.std(drawn) > 2 * own
print("cycles: NEMtropy's deviation", own, "by drawing", np.std(drawn))
print("z", graph.zscore_3motifs()["9"], (count(given * 1.0) - np.mean(drawn)) / np.std(drawn))
PYTHON
