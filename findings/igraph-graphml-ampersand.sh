#!/bin/sh
# python-igraph reads an ampersand in the id of a GraphML node as "&#38;".
#
# Versions: python-igraph 1.0.0, networkx 3.6.1 (as of November 2026).
# Run: networkx.write_graphml on two nodes "Marks & Co" and "A<B", with a tie and a text of the same kind,
#   read by igraph and, to compare, by networkx.
# Expected: vs["id"] is "Marks & Co", as networkx reads it, since &amp; in an attribute of XML is "&".
# Seen: vs["id"] is "Marks &#38; Co". "<" and ">" are right, and so is "&" in the text of <data>. Nothing is
#   raised. A tie still finds its ends, because they have the same form.
# Bites: anyone who joins what igraph measured to a table of organizations by their ids: those with an
#   ampersand in their names drop out. mutua repeats the id as the attribute organization_id.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check networkx==3.6.1 igraph==1.0.0
"$folder/venv/bin/python" - "$folder/ties.graphml" <<'PYTHON'
import sys

import igraph
import networkx

file = sys.argv[1]
graph = networkx.DiGraph()
for name in ("Marks & Co", "A<B"):
    graph.add_node(name, organization_id=name)
graph.add_edge("Marks & Co", "A<B")
networkx.write_graphml(graph, file)
assert list(networkx.read_graphml(file)) == ["Marks & Co", "A<B"]
seen = igraph.Graph.Read_GraphML(file)
print("igraph", igraph.__version__, seen.vs["id"], seen.vs["organization_id"])
assert seen.vs["id"] == ["Marks &#38; Co", "A<B"]
assert seen.vs["organization_id"] == ["Marks & Co", "A<B"]
assert seen.get_edgelist() == [(0, 1)]
PYTHON
