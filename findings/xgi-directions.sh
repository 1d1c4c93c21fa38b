#!/bin/sh
# xgi hands directed exchanges over without directions, or with directions for the exchanges' names.
#
# Versions: xgi 0.10.2, pandas 2.3.3 (as of November 2026).
# Run: two directed exchanges, "e1" of ash to oak and elm and "e2" of oak to ash, as dictionary and back, as
#   data frame of organizations and exchanges, and as the two sorts of edge list.
# Expected: givers and receivers (or an error), or at least who took part in which exchange.
# Seen: to_hypergraph_dict writes "type": "dihypergraph" and one list of members for each exchange;
#   from_hypergraph_dict makes an undirected Hypergraph of it. In to_bipartite_pandas_dataframe the column
#   "Edge ID" has "in" and "out", and "e1" and "e2" are nowhere. The edge lists leave directions out.
#   Nothing is raised. HIF keeps directions (and drops weights: hypergraph-interchange.sh).
# Bites: xgi is where exchanges of several givers and receivers are kept whole. Counts by exchange in the
#   data frame are counts of two, and reciprocity after reading back is of nobody to nobody.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check xgi==0.10.2 pandas==2.3.3
"$folder/venv/bin/python" - "$folder/exchanges.txt" <<'PYTHON'
import sys
from pathlib import Path

import xgi

exchanges = xgi.DiHypergraph()
exchanges.add_edge(({"ash"}, {"oak", "elm"}), idx="e1")
exchanges.add_edge(({"oak"}, {"ash"}), idx="e2")

written = xgi.to_hypergraph_dict(exchanges)
print(written)
assert written["type"] == "dihypergraph"
assert {name: set(members) for name, members in written["edge-dict"].items()} == {
    "e1": {"ash", "oak", "elm"},
    "e2": {"ash", "oak"},
}
read = xgi.from_hypergraph_dict(written)
assert type(read) is xgi.Hypergraph

table = xgi.to_bipartite_pandas_dataframe(exchanges)
print(table)
assert set(table["Edge ID"]) == {"in", "out"}
file = Path(sys.argv[1])
for write in (xgi.write_edgelist, xgi.write_bipartite_edgelist):
    write(exchanges, file)
    assert "in" not in file.read_text().split()
    written = sorted(map(sorted, map(str.split, file.read_text().splitlines())))
    print(write.__name__, written)
    assert ["ash", "oak"] in written or ["ash", "e2"] in written
PYTHON
