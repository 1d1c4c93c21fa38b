#!/bin/sh
# The Hypergraph Interchange Format (HIF): directions and weights do not survive its readers.
#
# Versions: xgi 0.10.2, hypergraphx 1.8.0 (as of November 2026).
# Run: a HIF file of two directed exchanges, ash -> oak of weight 2.5 and oak -> ash of weight 7, read
#   by both; and a directed hypergraph of hypergraphx written as HIF.
# Expected: HIF's schema has "weight" on edges, nodes and incidences, and with "network-type":
#   "directed" a "direction" of each incidence, head or tail.
# Seen: xgi keeps the directions and drops every weight; written again, the file has none.
#   hypergraphx makes an undirected Hypergraph of the directed file, where both exchanges are one
#   hyperedge whose weight is 2, the number of exchanges. Its write_hif of a DirectedHypergraph
#   writes "undirected" and not one incidence. Nothing is raised.
# Bites: exchanges with several givers or receivers are directed hyperedges, and HIF is how hypergraph
#   tools pass them on: reciprocity is 1 or undefined afterwards, and amounts are counts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check xgi==0.10.2 hypergraphx==1.8.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import sys
from pathlib import Path

import hypergraphx
import xgi
from hypergraphx.readwrite import read_hif, write_hif

given, again = (str(Path(sys.argv[1]) / name) for name in ("given.json", "again.json"))
ways = (("e1", "ash", "tail"), ("e1", "oak", "head"), ("e2", "oak", "tail"), ("e2", "ash", "head"))
document = {
    "network-type": "directed",
    "nodes": [{"node": "ash"}, {"node": "oak"}],
    "edges": [{"edge": "e1", "weight": 2.5}, {"edge": "e2", "weight": 7}],
    "incidences": [{"edge": edge, "node": node, "direction": way} for edge, node, way in ways],
}
Path(given).write_text(json.dumps(document))
read = xgi.read_hif(given)
print("xgi:", read.edges.dimembers(dtype=dict), read.edges.attrs.asdict())
assert read.edges.dimembers(dtype=dict) == {"e1": ({"ash"}, {"oak"}), "e2": ({"oak"}, {"ash"})}
assert read.edges.attrs.asdict() == {"e1": {}, "e2": {}}
xgi.write_hif(read, again)
assert "weight" not in Path(again).read_text()
read = read_hif(given)
print("hypergraphx:", type(read).__name__, read.get_weights(asdict=True))
assert (type(read).__name__, read.get_weights(asdict=True)) == ("Hypergraph", {(0, 1): 2})
directed = hypergraphx.DirectedHypergraph(weighted=True)
directed.add_edge((("ash",), ("oak", "elm")), weight=2.5)
write_hif(directed, again)
assert json.loads(Path(again).read_text())["incidences"] == {}
PYTHON
