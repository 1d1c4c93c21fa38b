#!/bin/sh
# ngraph.centrality: a path along ties that are mutual counts twice, or four times, as undirected.
#
# Versions: ngraph.centrality 2.2.0, ngraph.graph 20.1.2, networkx 3.6.1 (as of November 2026).
# Run: betweenness(graph) of a ring ash, oak, yew, elm, "undirected" by its documentation, in which oak's two
#   ties are mutual and elm's are not; and closeness.
# Expected: 0.5 for all four, as in networkx on the undirected network. Ash and yew are joined by two shortest
#   paths, one over oak and one over elm.
# Seen: 0.8 for oak and 0.2 for elm. Both links of a mutual pair are followed, so that there are four paths
#   over oak. closeness of the same graph is right.
# Bites: pages that draw a network of givers and receivers and size its nodes by brokerage: those who
#   reciprocate look like brokers.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check networkx==3.6.1
npm install --silent --no-fund --no-audit --prefix "$folder" \
  ngraph.centrality@2.2.0 ngraph.graph@20.1.2
cat >"$folder/measure.js" <<'JAVASCRIPT'
const createGraph = require("ngraph.graph");
const centrality = require("ngraph.centrality");

const graph = createGraph();
for (const [giver, receiver] of JSON.parse(process.argv[2])) graph.addLink(giver, receiver);
console.log(JSON.stringify([centrality.betweenness(graph), centrality.closeness(graph)]));
JAVASCRIPT
"$folder/venv/bin/python" - "$folder/measure.js" <<'PYTHON'
import json
import subprocess
import sys

import networkx

ring = [("ash", "oak"), ("oak", "yew"), ("yew", "elm"), ("elm", "ash")]
returned = [("oak", "ash"), ("yew", "oak")]


def measured(ties):
    output = subprocess.check_output(["node", sys.argv[1], json.dumps(ties)], text=True)
    between, close = json.loads(output)
    return between, {name: round(value, 6) for name, value in close.items()}


right = networkx.betweenness_centrality(networkx.Graph(ring + returned), normalized=False)
assert set(right.values()) == {0.5}
one_way, mutual = measured(ring), measured(ring + returned)
print("one way:", one_way, "mutual:", mutual)
assert one_way[0] == right and one_way[1] == mutual[1]
assert mutual[0] == {"ash": 0.5, "oak": 0.8, "yew": 0.5, "elm": 0.2}
PYTHON
