#!/bin/sh
# GraphML from rustworkx: networkx reads the attributes of nodes under the names of edge attributes.
#
# Versions: rustworkx 0.18.1, networkx 3.6.1, python-igraph 1.0.0 (as of November 2026).
# Run: rustworkx.write_graphml, which is new, on two nodes with "beds" and two ties with "weight".
# Expected: beds 350 and 120, as igraph reads them. In GraphML's DTD the id of a <key> is an XML ID,
#   which is unique in the document, because <data> refers to it.
# Seen: rustworkx numbers node and edge keys separately, so that both are called "d1". networkx keeps
#   the one declared last: each organization has "weight" 350 and no beds; with texts, a node's name
#   arrives as its "kind". Nothing is raised unless the types clash. rustworkx declares its 64-bit
#   floats as attr.type="float" too, and reads its own 0.1 back as 0.10000000149011612. A weight that
#   is the payload itself (2.5 instead of {"weight": 2.5}) is left out of the file.
# Bites: anyone who moves a network from rustworkx to networkx for a measure that rustworkx lacks, such
#   as constraint: attributes of organizations are mistaken for amounts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  rustworkx==0.18.1 networkx==3.6.1 igraph==1.0.0
"$folder/venv/bin/python" - "$folder/ties.graphml" <<'PYTHON'
import sys

import igraph
import networkx
import rustworkx

file = sys.argv[1]


def write(nodes, edges):
    graph = rustworkx.PyDiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    rustworkx.write_graphml(graph, file)
    return networkx.read_graphml(file)


seen = write([{"beds": 350.0}, {"beds": 120.0}], [(0, 1, {"weight": 2.5}), (1, 0, {"weight": 0.1})])
print("networkx:", dict(seen.nodes), "igraph:", igraph.Graph.Read_GraphML(file).vs["beds"])
assert dict(seen.nodes) == {"n0": {"weight": 350.0}, "n1": {"weight": 120.0}}
assert igraph.Graph.Read_GraphML(file).vs["beds"] == [350.0, 120.0]
[own] = rustworkx.read_graphml(file)
assert [edge["weight"] for edge in own.edges()] == [2.5, 0.10000000149011612]
seen = write([{"name": "Ash"}, {"name": "Oak"}], [(0, 1, {"kind": "call"})])
assert dict(seen.nodes) == {"n0": {"kind": "Ash"}, "n1": {"kind": "Oak"}}
assert list(write(["ash", "oak"], [(0, 1, 2.5)]).edges(data=True)) == [("n0", "n1", {})]
PYTHON
