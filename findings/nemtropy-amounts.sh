#!/bin/sh
# NEMtropy takes amounts for its model of ties, and then counts amounts of 1 and 2 for dyads.
#
# Versions: NEMtropy 4.0.0, numpy 2.4.6 (as of November 2026).
# Run: DirectedGraph(adjacency=...) of a table of minutes between eight organizations, solve_tool of the
#   model "dcm" and zscore_2motifs; and the same with 1 for each tie.
# Expected: the same z-scores. The model is of ties, degrees are taken from the table as numbers of ties
#   that are not 0, and its solution is the same.
# Seen: the observed dyads are counted in the table itself, where a + b = 2 is a mutual dyad and
#   a + b = 1 a dyad of one direction. Of 30 minutes and 10 minutes it is neither. The z-score of mutual
#   dyads is -1.5 instead of +2.9, and nothing is raised or printed.
# Bites: whether organizations reciprocate more than chance would have it, which is the question of the
#   model: the answer turns around. Put 1 for each tie.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check NEMtropy==4.0.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
from NEMtropy import DirectedGraph

ties = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 0), (0, 4))
minutes = np.zeros((8, 8), int)
for number, (giver, receiver) in enumerate(ties):
    minutes[giver, receiver] = 30 + number
    if number % 3 < 2:
        minutes[receiver, giver] = 10 + number


def solved(table):
    graph = DirectedGraph(adjacency=table)
    graph.solve_tool(model="dcm_exp", method="newton")
    assert graph.error < 1e-6
    return graph


given, tied = solved(minutes), solved((minutes > 0).astype(int))
assert np.allclose(np.outer(given.x, given.y), np.outer(tied.x, tied.y), atol=1e-4)
by_minutes, by_ties = given.zscore_2motifs(), tied.zscore_2motifs()
print("minutes:", by_minutes)
print("ties:   ", by_ties)
assert round(by_minutes["2"], 1) == -1.5 and round(by_ties["2"], 1) == 2.9
PYTHON
