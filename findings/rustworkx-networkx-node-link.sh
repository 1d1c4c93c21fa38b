#!/bin/sh
# Node-link JSON between rustworkx and networkx: the ties arrive, their weights do not.
#
# Versions: rustworkx 0.18.1, networkx 3.6.1 (as of November 2026).
# Run: one tie with the amount 45, written by either library and read by the other.
# Expected: the weight 45, as both describe the format by the same name ("node-link format").
# Seen: networkx keeps attributes beside "source" and "target"; rustworkx expects them inside "data",
#   and calls the ties "links", as networkx did by default until 3.5. With edges="links" each reads
#   the other's file without an error. rustworkx then has the payload None for every node and tie.
#   networkx has the whole payload under the attribute "data", so that everything which looks for
#   "weight" takes 1: strengths become counts of ties.
# Bites: anyone who hands a weighted network over as JSON, to a browser or to the faster library:
#   reciprocity by weight, strengths and betweenness are those of the unweighted network.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rustworkx==0.18.1 networkx==3.6.1
"$folder/venv/bin/python" - <<'PYTHON'
import json

import networkx
import rustworkx

ours = networkx.DiGraph()
ours.add_edge(0, 1, weight="45")
text = json.dumps(networkx.node_link_data(ours, edges="links"))
read = rustworkx.parse_node_link_json(text)
print("rustworkx:", read.weighted_edge_list())
assert list(read.weighted_edge_list()) == [(0, 1, None)]

theirs = rustworkx.PyDiGraph()
theirs.add_nodes_from(["ash", "oak"])
theirs.add_edge(0, 1, 45)
text = rustworkx.node_link_json(theirs, edge_attrs=lambda weight: {"weight": str(weight)})
read = networkx.node_link_graph(json.loads(text), edges="links")
print("networkx:", list(read.edges(data=True)), "strength:", dict(read.out_degree(weight="weight")))
assert list(read.edges(data=True)) == [(0, 1, {"id": 0, "data": {"weight": "45"}})]
assert dict(read.out_degree(weight="weight")) == {0: 1, 1: 0}
PYTHON
