#!/bin/sh
# Degree centralization of networkx-temporal is 2 where everyone reciprocates with one.
#
# Versions: networkx-temporal 1.4.4, networkx 3.6.1 (as of November 2026).
# Run: degree_centralization of a star in which one organization gives to five others: with directions,
#   with all of it returned, and without directions.
# Expected: at most 1. Freeman's measure is divided by the largest sum of differences that is possible in a
#   graph "with the same order, size, and edge directionality" (its documentation).
# Seen: 1, 2 and 1. The largest sum is always that of a star without directions, in which the centre has
#   n - 1 ties and the others have 1. With both directions these are 2 (n - 1) and 2.
#   in_degree_centralization and out_degree_centralization are right.
# Bites: a programme in which half is reciprocated looks as concentrated on one hub as the measure allows,
#   or more so, and what is compared with one that is not reciprocated is reciprocity.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  networkx-temporal==1.4.4 networkx==3.6.1 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import networkx
import networkx_temporal

documented = networkx_temporal.degree_centralization.__doc__
assert "same order, size, and edge directionality" in " ".join(documented.split())
undirected = networkx.star_graph(5)
given = networkx.DiGraph(list(undirected.edges))
for network, seen in ((given, 1.0), (undirected.to_directed(), 2.0), (undirected, 1.0)):
    found = networkx_temporal.degree_centralization(network)
    print(network, found)
    assert found == seen
assert networkx_temporal.out_degree_centralization(given) == 1.0
PYTHON
