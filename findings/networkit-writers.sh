#!/bin/sh
# A weighted network that NetworKit writes as GML, GraphML or GEXF reaches networkx without weights.
#
# Versions: networkit 11.3, networkx 3.6.1 (as of November 2026).
# Run: networkit.graphio.writeGraph of two ties of weight 2.5 and 7, in three formats.
# Expected: the weights. writeGraph takes a weighted graph in all three formats, which have a place for
#   them, and networkx reads all three.
# Seen: GML has no weight or value at all, and networkx reads ties of weight 1, without a warning.
#   GraphML declares its name space in an attribute that is spelled xmlnsi, and GEXF has none, so that
#   networkx finds no graph in either (it says so).
# Bites: anyone who computes with NetworKit, for its speed, and goes on elsewhere: the format that can be
#   read is the one without amounts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check networkit==11.3 networkx==3.6.1
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import networkit
import networkx

graph = networkit.Graph(2, weighted=True, directed=True)
graph.addEdge(0, 1, 2.5)
graph.addEdge(1, 0, 7)


def written(format_):
    file = Path(sys.argv[1]) / format_.name
    networkit.graphio.writeGraph(graph, str(file), format_)
    return file


gml = written(networkit.Format.GML)
read = networkx.read_gml(gml, label="id")
print("GML:", list(read.edges(data=True)))
assert list(read.edges(data=True)) == [(0, 1, {}), (1, 0, {})]
assert "weight" not in gml.read_text() and "value" not in gml.read_text()
for format_, read, mark in (
    (networkit.Format.GraphML, networkx.read_graphml, "xmlnsi="),
    (networkit.Format.GEXF, networkx.read_gexf, "<gexf xmlns:xsi"),
):
    file = written(format_)
    assert mark in file.read_text() and 'xmlns="' not in file.read_text()
    try:
        read(file)
    except networkx.NetworkXError as error:
        print(f"{format_.name}:", error)
    else:
        raise AssertionError(f"networkx reads {format_.name} by now")
PYTHON
