#!/bin/sh
# Whether an organization that only receives has a constraint depends on how networkx is asked.
#
# Versions: networkx 3.6.1 (3.7 has the same code), scipy 1.17.1, igraph 1.0.0 (as of November 2026).
# Run: constraint and effective_size of a directed network in which elm only receives, for everyone
#   and with nodes=, which is documented as a selection of the same measure.
# Expected: the same numbers. Neighbours in Burt's measures are those of either direction, and isolated
#   organizations alone have none. The constraint of elm is 0.953, as igraph has it.
# Seen: for everyone 0.953 and 1.25; with nodes= both are nan, as if elm were isolated, because its
#   outgoing ties alone are looked at. By weight, effective sizes of those who give differ too: 1.556
#   for yew among everyone, 1.544 with nodes=, which is Burt's. The first divides by the strongest tie
#   of the wrong partner (networkx knows of this one; no release has the remedy yet).
# Bites: brokerage of chosen organizations. Those who receive and never give are said to have none, and
#   fall out of every mean that skips nan.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  networkx==3.6.1 scipy==1.17.1 igraph==1.0.0
"$folder/venv/bin/python" - <<'PYTHON'
from math import isnan

import igraph
import networkx

ties = (("ash", "oak", 3), ("oak", "ash", 1), ("ash", "elm", 2), ("yew", "ash", 4), ("yew", "elm", 5))
network = networkx.DiGraph()
network.add_weighted_edges_from(ties)
for measure, right in ((networkx.constraint, 0.953), (networkx.effective_size, 1.25)):
    everyone, alone = measure(network), measure(network, nodes=list(network))
    print(measure.__name__, everyone, "one by one:", alone)
    assert round(everyone["elm"], 3) == right and isnan(alone.pop("elm"))
    assert all(abs(everyone[name] - alone[name]) < 1e-12 for name in ("ash", "oak", "yew"))
other = igraph.Graph.TupleList(ties, directed=True)
[constraint] = other.constraint([other.vs.find("elm")])
assert round(constraint, 3) == 0.953

everyone = networkx.effective_size(network, weight="weight")["yew"]
alone = networkx.effective_size(network, nodes=["yew"], weight="weight")["yew"]
by_burt = 2 - (5 / 9) * (2 / 4) - (4 / 9) * (2 / 5)
print("yew by weight:", everyone, "alone:", alone, "by Burt:", by_burt)
assert round(everyone, 3) == 1.556
assert round(alone, 3) == round(by_burt, 3) == 1.544
PYTHON
